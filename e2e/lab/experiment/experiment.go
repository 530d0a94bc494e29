// Package experiment compares settings: the same load with one thing changed at
// a time (findings) or over a grid (sweep). It combines the reports of the runs
// into one.
package experiment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/bench"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/verdict"
)

// Variant is one run of an experiment.
type Variant struct {
	// Name is short: it labels a row and a bar.
	Name string
	// Args are added to the operator's own.
	Args []string
	// Change adapts the run; nil changes nothing.
	Change func(*bench.Options)
}

// Runner makes one run.
type Runner func(ctx context.Context, v Variant) (*report.Report, error)

// Names of the figures, which are the columns of the tables.
const (
	Makespan   = "makespan s"
	OverFloor  = "x floor"
	Stretch    = "stretch p99"
	Lateness   = "lateness p99 s"
	QueueWait  = "queue wait p99 s"
	Writes     = "writes/Kyma"
	CPU        = "operator CPU s"
	APICPU     = "API server CPU s"
	RSS        = "peak RSS MB"
	PutP99     = "API write p99 ms"
	Throttled  = "429"
	Success    = "Kymas in success"
	Reconciles = "reconciles"
	Failed     = "failed syncs"
	Renders    = "renders"
	RenderCPU  = "render CPU s"
	RestWrites = "writes at rest"
	RestRecs   = "reconciles at rest"
	RestCPU    = "CPU at rest s"
)

// figures extracts the columns from a report; what was not measured is absent.
func figures(r *report.Report) map[string]float64 {
	out := map[string]float64{}
	set := func(name string, v *float64, scale float64) {
		if v != nil {
			out[name] = *v * scale
		}
	}
	sli := map[string]*float64{}
	for _, s := range r.SLIs {
		sli[s.ID] = s.Value
	}
	set(Makespan, r.Makespan, 1)
	set(OverFloor, sli["makespan"], 1)
	set(Stretch, sli["stretch"], 1)
	set(Lateness, sli["lateness"], 1)
	set(QueueWait, sli["queue-wait"], 1)
	set(Writes, sli["writes-per-kyma"], 1)
	set(CPU, r.Process.CPUSeconds, 1)
	set(APICPU, r.Process.APIServerCPU, 1)
	set(RSS, r.Process.PeakRSSMB, 1)
	set(PutP99, sli["api-latency"], 1000)
	set(Throttled, sli["errors-429"], 1)
	set(Renders, r.Process.Renders, 1)
	set(RenderCPU, r.Process.RenderCPU, 1)
	set(Failed, r.Process.ReconcileErrors, 1)
	if r.Latency.Kyma != nil {
		out[Success] = float64(r.Latency.Kyma.Count)
	}
	if k, h := r.Process.ReconcilesKyma, r.Process.ReconcilesHC; k != nil && h != nil {
		out[Reconciles] = *k + *h
	}
	for _, c := range r.Checks {
		switch c.Name {
		case "writes at rest":
			set(RestWrites, c.Value, 1)
		case "reconciles at rest":
			set(RestRecs, c.Value, 1)
		case "operator's CPU at rest":
			set(RestCPU, c.Value, 1)
		}
	}
	return out
}

// combined is the report of all runs: env and workload of the first, every
// invariant at its worst, and a row for each.
type combined struct {
	report *report.Report
	worst  verdict.Code
}

func (c *combined) add(v Variant, r *report.Report) {
	if c.report == nil {
		first := *r
		first.Experiments, first.SLIs, first.Reasons, first.Phases = nil, nil, nil, nil
		first.Series, first.Worst, first.API, first.Queues, first.Checks = nil, nil, nil, nil, nil
		first.Latency, first.Makespan, first.Invariants = report.Latency{}, nil, nil
		first.Process, first.Etcd = report.Process{}, nil
		c.report = &first
	}
	c.report.FinishedAt = r.FinishedAt
	begin := r.StartedAt.Sub(c.report.StartedAt).Seconds()
	c.report.Phases = append(c.report.Phases, report.Phase{Name: v.Name, Start: begin, End: begin + r.FinishedAt.Sub(r.StartedAt).Seconds()})
	c.report.Experiments = append(c.report.Experiments, report.Experiment{
		Name: v.Name, Args: v.Args, ExitCode: r.ExitCode, Verdict: r.Verdict, Figures: figures(r),
	})
	c.report.Invariants = worse(c.report.Invariants, r.Invariants, v.Name)
	// A setting that misses an SLO is a result here, not a fault.
	switch code := verdict.Code(r.ExitCode); code {
	case verdict.Broken, verdict.Invalid, verdict.Interrupted:
		c.worst = verdict.Worst(c.worst, code)
		for _, reason := range r.Reasons {
			c.report.Reasons = append(c.report.Reasons, v.Name+": "+reason)
		}
	default:
	}
}

func (c *combined) finish(scenario string) *report.Report {
	if c.report == nil {
		return nil
	}
	c.report.Workload.Scenario = scenario
	c.report.ExitCode, c.report.Verdict = int(c.worst), c.worst.String()
	return c.report
}

// worse keeps, for each invariant, the worse of two results.
func worse(have, next []invariant.Result, name string) []invariant.Result {
	if have == nil {
		have = slices.Clone(next)
		for i := range have {
			have[i].Violations = prefixed(name, have[i].Violations)
		}
		return have
	}
	for i := range have {
		for _, r := range next {
			if r.ID != have[i].ID {
				continue
			}
			have[i].Checked += r.Checked
			have[i].Broken += r.Broken
			have[i].Violations = append(have[i].Violations, prefixed(name, r.Violations)...)
			if rank(r.Status) > rank(have[i].Status) {
				have[i].Status, have[i].Note = r.Status, r.Note
			}
		}
	}
	return have
}

func prefixed(name string, lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, name+": "+l)
	}
	return out
}

func rank(s invariant.Status) int {
	return slices.Index([]invariant.Status{invariant.Pass, invariant.Unverified, invariant.Fail}, s)
}

// Grid is what a sweep varies: flags of the operator and their values.
type Grid []Axis

// Axis is one flag, or several that are set together.
type Axis struct {
	Flag   string
	Values []string
}

// DefaultGrid varies the settings that matter, around the defaults.
func DefaultGrid() Grid {
	return Grid{
		{"kube-api-qps", []string{"150", "400", "-1"}},
		{"helmcomponent-workers", []string{"8", "32"}},
		{"coalesce-transitions", []string{"true", "false"}},
		{"render-cache", []string{"true"}},
	}
}

// ParseGrid reads axes like "kube-api-qps=20,150,-1;kyma-workers=2,8".
func ParseGrid(text string) (Grid, error) {
	if text == "" {
		return DefaultGrid(), nil
	}
	var out Grid
	for part := range strings.SplitSeq(text, ";") {
		flag, values, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || flag == "" || values == "" {
			return nil, fmt.Errorf("grid %q: an axis is flag=value,value…", part)
		}
		out = append(out, Axis{strings.TrimLeft(flag, "-"), strings.Split(values, ",")})
	}
	return out, nil
}

// Variants are all combinations of a grid. The burst follows the QPS: it is
// never smaller.
func (g Grid) Variants() []Variant {
	out := []Variant{{}}
	for _, axis := range g {
		var next []Variant
		for _, v := range out {
			for _, value := range axis.Values {
				args := append(slices.Clone(v.Args), "--"+axis.Flag+"="+value)
				name := v.Name
				if len(axis.Values) > 1 {
					name = strings.TrimSpace(name + " " + short(axis.Flag) + "=" + value)
				}
				if axis.Flag == "kube-api-qps" && !strings.HasPrefix(value, "-") {
					args = append(args, "--kube-api-burst="+value)
				}
				next = append(next, Variant{Name: name, Args: args})
			}
		}
		out = next
	}
	return out
}

func short(flag string) string {
	if s, ok := map[string]string{
		"kube-api-qps": "qps", "helmcomponent-workers": "workers", "kyma-workers": "kyma-workers", "coalesce-transitions": "coalesce", "render-cache": "cache",
	}[flag]; ok {
		return s
	}
	return flag
}

// Sweep runs all combinations and says which is best.
func Sweep(ctx context.Context, run Runner, grid Grid) (*report.Report, error) {
	var c combined
	for _, v := range grid.Variants() {
		r, err := run(ctx, v)
		if err != nil {
			return c.finish("sweep"), fmt.Errorf("sweep, %s: %w", v.Name, err)
		}
		c.add(v, r)
		if ctx.Err() != nil {
			break
		}
	}
	out := c.finish("sweep")
	if out != nil {
		out.Findings = append(out.Findings, best(out.Experiments))
	}
	return out, nil
}

// best is the fastest setting; among those within 2 % of it the one with the
// least CPU.
func best(rows []report.Experiment) report.Finding {
	f := report.Finding{
		ID: "best", Question: "Which settings bring the fleet closest to the time of one?", Verdict: "No combination converged.",
		Figures: []string{Makespan, OverFloor, Stretch, Lateness, Writes, CPU, RSS},
	}
	fastest := math.Inf(1)
	for _, r := range rows {
		f.Variants = append(f.Variants, r.Name)
		if m, ok := r.Figures[Makespan]; ok {
			fastest = min(fastest, m)
		}
	}
	var winner *report.Experiment
	for i, r := range rows {
		m, ok := r.Figures[Makespan]
		if ok && m <= fastest*1.02 && (winner == nil || r.Figures[CPU] < winner.Figures[CPU]) {
			winner = &rows[i]
		}
	}
	if winner != nil {
		f.Verdict = fmt.Sprintf("%s: %.1f s, %.2f times the floor, with %.1f s of the operator's CPU.", winner.Name, winner.Figures[Makespan], winner.Figures[OverFloor], winner.Figures[CPU])
	}
	return f
}

// AtRest is how long the findings measure a converged fleet.
const AtRest = 30 * time.Second
