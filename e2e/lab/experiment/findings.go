package experiment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/bench"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
)

// finding is an A/B experiment: variants, the figures that tell them apart, and
// how they become one line.
type finding struct {
	id, question string
	variants     []Variant
	figures      []string
	say          func(rows []report.Experiment) string
}

// all are the five findings. brokenCharts is a directory in which every chart
// fails; ideal is the time of one Kyma.
func all(brokenCharts string, ideal time.Duration) []finding {
	return []finding{clientQPS(), retryLimiter(brokenCharts, ideal), resyncPeriod(), statusDedup(), renderCache()}
}

func clientQPS() finding {
	limit := func(qps, burst string) Variant {
		return Variant{Name: qps + "/" + burst, Args: []string{"--kube-api-qps=" + qps, "--kube-api-burst=" + burst}}
	}
	return finding{
		"client-qps", "Client QPS: 20/30, 150/150 or none?",
		[]Variant{limit("20", "30"), limit("150", "150"), {Name: "no limit", Args: []string{"--kube-api-qps=-1"}}},
		[]string{Makespan, OverFloor, Stretch, Lateness, QueueWait, Writes, CPU, APICPU},
		func(r []report.Experiment) string {
			return fmt.Sprintf("A limit of 20 takes %s, 150 takes %s, none %s.", show(r[0], Makespan, "s"), show(r[1], Makespan, "s"), show(r[2], Makespan, "s"))
		},
	}
}

func retryLimiter(brokenCharts string, ideal time.Duration) finding {
	stuck := func(o *bench.Options) { o.Stuck = max(ideal, 10*time.Second) }
	variant := func(name string, args ...string) Variant {
		return Variant{Name: name, Args: append(args, "--charts="+brokenCharts), Change: stuck}
	}
	// The budget that all retries share hides the difference, so the first two
	// go without it.
	alone := []string{"--retry-qps=100000", "--retry-burst=100000"}
	return finding{
		"retry-limiter", "Retry after 5 ms or after 1 s, with a chart that fails?",
		[]Variant{
			variant("5 ms", append(alone, "--retry-base-delay=5ms")...),
			variant("1 s", append(alone, "--retry-base-delay=1s")...),
			variant("1 s and 30 a second"),
		},
		[]string{Failed, Reconciles, CPU, RenderCPU, APICPU},
		func(r []report.Experiment) string {
			return fmt.Sprintf("From 5 ms on: %s and %s of CPU; from 1 s on: %s and %s; with a shared budget as well: %s and %s. None brings a Kyma forward.",
				show(r[0], Failed, Failed), show(r[0], CPU, "s"), show(r[1], Failed, ""), show(r[1], CPU, "s"), show(r[2], Failed, ""), show(r[2], CPU, "s"))
		},
	}
}

// shortResync is so short that every object is looked at twice at rest.
const shortResync = AtRest / 2

func resting(o *bench.Options) { o.AtRest = AtRest }

func periods(d string) []string {
	return []string{"--kyma-resync-period=" + d, "--helmcomponent-resync-period=" + d}
}

func resyncPeriod() finding {
	every := func(d string) Variant { return Variant{Name: d, Args: periods(d), Change: resting} }
	return finding{
		"resync-period", fmt.Sprintf("Resync every %s or every 10 h?", shortResync), []Variant{every(shortResync.String()), every("10h")},
		[]string{RestRecs, RestWrites, RestCPU, Makespan},
		func(r []report.Experiment) string {
			return fmt.Sprintf("In %s of rest: %s, %s and %s of CPU, against %s, %s and %s.", AtRest,
				show(r[0], RestRecs, "reconciles"), show(r[0], RestWrites, "writes"), show(r[0], RestCPU, "s"),
				show(r[1], RestRecs, "reconciles"), show(r[1], RestWrites, "writes"), show(r[1], RestCPU, "s"))
		},
	}
}

func statusDedup() finding {
	dedup := func(name, value string) Variant {
		return Variant{Name: name, Args: append(periods(shortResync.String()), "--status-dedup="+value), Change: func(o *bench.Options) {
			resting(o)
			o.Restless = true
		}}
	}
	return finding{
		"status-dedup", "Write a status only when it differs?", []Variant{dedup("dedup off", "false"), dedup("dedup on", "true")},
		[]string{Writes, RestWrites, Makespan, APICPU, CPU},
		func(r []report.Experiment) string {
			return fmt.Sprintf("Without: %s per Kyma and %s more in %s of rest; with: %s and %s.",
				show(r[0], Writes, "writes"), show(r[0], RestWrites, ""), AtRest, show(r[1], Writes, ""), show(r[1], RestWrites, ""))
		},
	}
}

func renderCache() finding {
	cache := func(name, value string) Variant {
		return Variant{Name: name, Args: []string{"--render-cache=" + value}}
	}
	return finding{
		"render-cache", "Keep rendered charts?", []Variant{cache("cache off", "false"), cache("cache on", "true")},
		[]string{RenderCPU, Renders, CPU, Makespan, Lateness},
		func(r []report.Experiment) string {
			return fmt.Sprintf("Without a cache %s, which take %s of CPU, and states up to %s late; with it %s, %s and %s.",
				show(r[0], Renders, Renders), show(r[0], RenderCPU, "s"), show(r[0], Lateness, "s"), show(r[1], Renders, ""), show(r[1], RenderCPU, "s"), show(r[1], Lateness, "s"))
		},
	}
}

// show formats a figure of a row; a dash where it was not measured.
func show(row report.Experiment, figure, unit string) string {
	v, ok := row.Figures[figure]
	if !ok {
		return "- " + unit
	}
	text := fmt.Sprintf("%.1f", v)
	if v == float64(int64(v)) {
		text = fmt.Sprintf("%.0f", v)
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// FindingIDs names the five findings.
func FindingIDs() []string {
	var ids []string
	for _, f := range all("", 0) {
		ids = append(ids, f.id)
	}
	return ids
}

// FindingRuns is how many runs the findings take.
func FindingRuns(ids []string) int {
	runs := 0
	for _, f := range all("", 0) {
		if slices.Contains(ids, f.id) {
			runs += len(f.variants)
		}
	}
	return runs
}

// Findings runs the A/B experiments of those ids and says what each shows.
func Findings(ctx context.Context, run Runner, ids []string, dir string, modules []string, ideal time.Duration) (*report.Report, error) {
	charts := filepath.Join(dir, "broken-charts")
	if err := writeBrokenCharts(charts, modules); err != nil {
		return nil, err
	}
	var c combined
	var verdicts []report.Finding
	for _, f := range all(charts, ideal) {
		if !slices.Contains(ids, f.id) {
			continue
		}
		from := 0
		if c.report != nil {
			from = len(c.report.Experiments)
		}
		for _, v := range f.variants {
			v.Name = f.id + ": " + v.Name
			r, err := run(ctx, v)
			if err != nil {
				return c.finish("findings"), fmt.Errorf("finding %s, %s: %w", f.id, v.Name, err)
			}
			c.add(v, r)
			if ctx.Err() != nil {
				return c.finish("findings"), nil //nolint:nilerr // an interrupt leaves what there is
			}
		}
		rows := c.report.Experiments[from:]
		out := report.Finding{ID: f.id, Question: f.question, Verdict: f.say(rows), Figures: f.figures}
		for _, row := range rows {
			out.Variants = append(out.Variants, row.Name)
		}
		verdicts = append(verdicts, out)
	}
	r := c.finish("findings")
	r.Findings = verdicts
	return r, nil
}

// writeBrokenCharts makes a chart for each module that parses but cannot be
// rendered.
func writeBrokenCharts(dir string, modules []string) error {
	for _, module := range modules {
		files := map[string]string{
			"Chart.yaml":          "apiVersion: v2\nname: " + module + "\nversion: 0.0.1\n",
			"templates/fail.yaml": "{{ fail \"broken on purpose, for the findings\" }}\n",
		}
		for name, content := range files {
			path := filepath.Join(dir, module, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return fmt.Errorf("make broken chart: %w", err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				return fmt.Errorf("write broken chart: %w", err)
			}
		}
	}
	return nil
}
