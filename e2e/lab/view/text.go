// Package view shows a run in the terminal: a live view on a TTY, one plain line
// every ten seconds elsewhere, and a summary at the end.
package view

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
)

// line is the status in one line.
func line(s progress.Status, now time.Time) string {
	parts := []string{minutes(now.Sub(s.Since))}
	if s.Experiment != "" {
		parts = append(parts, "["+s.Experiment+"]")
	}
	parts = append(parts, fmt.Sprintf("%-9s", s.Phase), fmt.Sprintf("success %d/%d", s.Success, s.Kymas))
	if s.Phase != "rest" && s.Remaining > 0 {
		parts = append(parts, "ETA "+minutes(s.Remaining))
	}
	parts = append(parts, fmt.Sprintf("sent %d", s.Sent))
	for _, state := range states {
		parts = append(parts, fmt.Sprintf("%s %d", state, s.States[state]))
	}
	parts = append(parts,
		"queue "+figure(depth(s), "%.0f"), "writes/s "+figure(s.WritesPerSecond, "%.0f"),
		"409 "+figure(s.Conflicts, "%.0f"), "429 "+figure(s.Throttled, "%.0f"), "put-p99 "+millis(s.PutP99),
		"etcd "+figure(s.EtcdMB, "%.0fMB"), "rss "+figure(s.RSSMB, "%.0fMB"), "cpu "+figure(s.CPU, "%.2f"),
	)
	return strings.Join(parts, "  ")
}

// states in the order of the timeline.
var states = []string{"pending", "started", "failing", "retrying", "success"}

func depth(s progress.Status) *float64 {
	if s.Queues == nil {
		return nil
	}
	var d float64
	for _, v := range s.Queues {
		d += v
	}
	return &d
}

func figure(v *float64, format string) string {
	if v == nil || math.IsNaN(*v) {
		return "-"
	}
	return fmt.Sprintf(format, *v)
}

func millis(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.0fms", *v*1000)
}

func minutes(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// Value formats a figure with three significant digits, as the reports do.
func Value(v *float64, unit string) string {
	if v == nil {
		return "–"
	}
	a := math.Abs(*v)
	var text string
	switch {
	case unit == "of all":
		return fmt.Sprintf("%.2f %%", *v*100)
	case a >= 100 || a == math.Trunc(a):
		text = fmt.Sprintf("%.0f", *v)
	case a >= 10:
		text = fmt.Sprintf("%.1f", *v)
	case a >= 0.1:
		text = fmt.Sprintf("%.2f", *v)
	default:
		text = fmt.Sprintf("%.4f", *v)
	}
	if unit != "" && !strings.HasPrefix(unit, "x ") {
		text += " " + unit
	}
	return text
}

// Summary prints what a person wants to know first.
func Summary(w io.Writer, r *report.Report) {
	fmt.Fprintf(w, "\n%s (exit code %d): %s, %d Kymas x %d modules, %s, ideal %.1f s", strings.ToUpper(r.Verdict), r.ExitCode,
		r.Workload.Scenario, r.Workload.Kymas, len(r.Workload.Modules), r.Env.Place, r.IdealSeconds)
	if len(r.Experiments) == 0 {
		fmt.Fprintf(w, ", floor %.1f s", r.Floor.Seconds)
	}
	if r.Makespan != nil {
		fmt.Fprintf(w, ", makespan %.1f s (%.2f x ideal)", *r.Makespan, *r.Makespan/r.IdealSeconds)
	}
	fmt.Fprintln(w)
	for _, reason := range r.Reasons {
		fmt.Fprintln(w, "  "+reason)
	}
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	defer func() { _ = t.Flush() }()
	if len(r.Experiments) > 0 {
		experiments(t, r)
	} else {
		indicators(t, r)
	}
	counts := map[invariant.Status]int{}
	var open []string
	for _, i := range r.Invariants {
		counts[i.Status]++
		if i.Status != invariant.Pass {
			open = append(open, fmt.Sprintf("%s %s", i.ID, i.Status))
		}
	}
	fmt.Fprintf(t, "\ninvariants\t%d hold, %d broken, %d unverified", counts[invariant.Pass], counts[invariant.Fail], counts[invariant.Unverified])
	if len(open) > 0 {
		fmt.Fprintf(t, " (%s)", strings.Join(open, ", "))
	}
	fmt.Fprintln(t)
	for _, warning := range r.Warnings {
		fmt.Fprintln(t, "warning\t"+warning)
	}
}

func indicators(w io.Writer, r *report.Report) {
	fmt.Fprintln(w, "\nindicator\tvalue\tlimit\t")
	for _, s := range r.SLIs {
		limit := ""
		if s.Limit != nil {
			limit = s.Op + " " + Value(s.Limit, s.Unit)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, Value(s.Value, s.Unit), limit, s.Status)
	}
	if s := r.Lab.ShareWithEffect; s != nil {
		fmt.Fprintf(w, "  with what its watch costs the API server\t%s\t\treported\n", Value(s, "of all"))
	}
	for _, c := range r.Checks {
		limit := ""
		if c.Limit != nil {
			limit = "<= " + Value(c.Limit, c.Unit)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, Value(c.Value, c.Unit), limit, c.Status)
	}
	if r.Baseline != nil {
		if r.Baseline.Refused != "" {
			fmt.Fprintf(w, "baseline\tnot compared: %s\n", r.Baseline.Refused)
		}
		for _, row := range r.Baseline.Rows {
			fmt.Fprintf(w, "baseline: %s\t%s -> %s\t<= %.2f x\t%s\n", row.Name, Value(row.Old, ""), Value(row.New, ""), row.Limit, row.Status)
		}
	}
}

func experiments(w io.Writer, r *report.Report) {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "\n%s %s\n", f.Question, f.Verdict)
		fmt.Fprintln(w, "variant\t"+strings.Join(f.Figures, "\t"))
		for _, e := range r.Experiments {
			if !slices.Contains(f.Variants, e.Name) {
				continue
			}
			cells := []string{e.Name}
			for _, name := range f.Figures {
				cell := "–"
				if v, ok := e.Figures[name]; ok {
					cell = Value(&v, "")
				}
				cells = append(cells, cell)
			}
			fmt.Fprintln(w, strings.Join(cells, "\t"))
		}
	}
}
