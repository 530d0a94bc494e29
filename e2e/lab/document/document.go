// Package document renews the measured part of a Markdown file from the report
// of a sweep or of the findings: what is between each finding's two markers. The
// words around it are written by hand and stay.
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

// markers enclose the part of a finding.
func markers(scenario, id string) (begin, end string) {
	part := scenario + " " + id
	return "<!-- measured: " + part + " -->", "<!-- end of measured: " + part + " -->"
}

// Write renews the file's parts for what the report has found, and the charts
// beside it, in a folder images.
func Write(r *report.Report, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	text := string(data)
	images := filepath.Join(filepath.Dir(path), "images")
	if err := os.MkdirAll(images, 0o755); err != nil {
		return fmt.Errorf("make folder of the charts: %w", err)
	}
	for _, f := range r.Findings {
		begin, end := markers(r.Workload.Scenario, f.ID)
		before, rest, opened := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return fmt.Errorf("%s has no lines %q and %q", path, begin, end)
		}
		measured, svg, err := render(r, f)
		if err != nil {
			return err
		}
		if svg != "" {
			if err := os.WriteFile(filepath.Join(images, chartName(r, f)), []byte(chart.Standalone(svg)), 0o644); err != nil {
				return fmt.Errorf("write chart: %w", err)
			}
		}
		text = before + begin + "\n\n" + measured + end + after
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

func chartName(r *report.Report, f report.Finding) string {
	return r.Workload.Scenario + "-" + f.ID + ".svg"
}

// render returns a finding's Markdown and chart.
func render(r *report.Report, f report.Finding) (text, svg string, err error) {
	var b strings.Builder
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
	if svg, err = page.Bars(r, f, f.Figures[0], chart.Blue); err != nil {
		return "", "", err
	}
	if svg != "" {
		fmt.Fprintf(&b, "\n![%s: %s](images/%s)\n", f.ID, f.Figures[0], chartName(r, f))
	}
	fmt.Fprintf(&b, "\nMeasured on %s with %d Kymas of %d modules, unit %s: %s, Kubernetes %s, %d × %s, %.0f GB, revision `%s`.\n\n",
		r.StartedAt.UTC().Format("2 January 2006"), r.Workload.Kymas, len(r.Workload.Modules), view.Value(&r.Workload.Unit, "s"),
		r.Env.Place, r.Env.Kubernetes, r.Env.CPUs, r.Env.CPUModel, r.Env.MemoryGB, r.Env.Revision)
	return b.String(), svg, nil
}

func escape(cells []string) []string {
	out := make([]string, 0, len(cells))
	for _, c := range cells {
		out = append(out, " "+strings.ReplaceAll(c, "|", "\\|")+" ")
	}
	return out
}
