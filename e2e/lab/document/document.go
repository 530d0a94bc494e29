// Package document renews the measured part of a Markdown file from the report
// of a sweep or of the findings: what is between the two markers. The words
// around it are written by hand and stay.
package document

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kyma-incubator/kymactl/e2e/lab/chart"
	"github.com/kyma-incubator/kymactl/e2e/lab/page"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/view"
)

// markers enclose the part of a scenario.
func markers(scenario string) (begin, end string) {
	return "<!-- measured: " + scenario + " -->", "<!-- end of measured: " + scenario + " -->"
}

// Write renews the file's part for the report's scenario, and the charts beside
// it, in a folder images.
func Write(r *report.Report, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	begin, end := markers(r.Workload.Scenario)
	before, rest, ok := strings.Cut(string(text), begin)
	if !ok {
		return fmt.Errorf("%s has no line %q", path, begin)
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return fmt.Errorf("%s has no line %q", path, end)
	}
	measured, charts, err := render(r)
	if err != nil {
		return err
	}
	images := filepath.Join(filepath.Dir(path), "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		return fmt.Errorf("make folder of the charts: %w", err)
	}
	for name, svg := range charts {
		if err := os.WriteFile(filepath.Join(images, name), []byte(chart.Standalone(svg)), 0o644); err != nil {
			return fmt.Errorf("write chart: %w", err)
		}
	}
	if err := os.WriteFile(path, []byte(before+begin+"\n\n"+measured+end+after), 0o644); err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

// render returns the Markdown and the charts by file name.
func render(r *report.Report) (string, map[string]string, error) {
	var b strings.Builder
	charts := map[string]string{}
	fmt.Fprintf(&b, "Measured on %s with %d Kymas of %d modules, unit %s: %s, Kubernetes %s, %d × %s, %.0f GB, revision `%s`.\n\n",
		r.StartedAt.UTC().Format("2 January 2006"), r.Workload.Kymas, len(r.Workload.Modules), view.Value(&r.Workload.Unit, "s"),
		r.Env.Place, r.Env.Kubernetes, r.Env.CPUs, r.Env.CPUModel, r.Env.MemoryGB, r.Env.Revision)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "### %s\n\n**%s**\n\n", f.Question, f.Verdict)
		b.WriteString("| variant |" + strings.Join(escape(f.Figures), "|") + "|\n|---|" + strings.Repeat("---:|", len(f.Figures)) + "\n")
		for _, e := range r.Experiments {
			if !slices.Contains(f.Variants, e.Name) {
				continue
			}
			cells := []string{strings.TrimPrefix(e.Name, f.ID+": ")}
			for _, name := range f.Figures {
				cell := "–"
				if v, ok := e.Figures[name]; ok {
					cell = view.Value(&v, "")
				}
				cells = append(cells, cell)
			}
			b.WriteString("|" + strings.Join(escape(cells), "|") + "|\n")
		}
		svg, err := page.Bars(r, f, f.Figures[0], chart.Blue)
		if err != nil {
			return "", nil, err
		}
		if svg != "" {
			name := r.Workload.Scenario + "-" + f.ID + ".svg"
			charts[name] = svg
			fmt.Fprintf(&b, "\n![%s: %s](images/%s)\n", f.ID, f.Figures[0], name)
		}
		b.WriteString("\n")
	}
	return b.String(), charts, nil
}

func escape(cells []string) []string {
	out := make([]string, 0, len(cells))
	for _, c := range cells {
		out = append(out, " "+strings.ReplaceAll(c, "|", "\\|")+" ")
	}
	return out
}
