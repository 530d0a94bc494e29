// Package page makes one HTML file of a report: self-contained, without scripts
// and without network, for a wide screen, a phone and paper, light and dark.
package page

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"slices"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/view"
)

//go:embed page.html
var source string

//go:embed page.css
var css string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"value": view.Value,
	"figure": func(e report.Experiment, name string) string {
		if v, ok := e.Figures[name]; ok {
			return view.Value(&v, "")
		}
		return "–"
	},
	"badge":   badge,
	"seconds": func(v float64) string { return view.Value(&v, "s") },
	"css":     func() template.CSS { return template.CSS(css) }, //nolint:gosec // our own file
	"within":  slices.Contains[[]string],
}).Parse(source))

// badge is the look of a status: good, bad or neither.
func badge(status any) string {
	switch fmt.Sprint(status) {
	case string(report.Met), string(invariant.Pass):
		return "good"
	case string(report.Missed), string(invariant.Fail):
		return "bad"
	}
	return "calm"
}

// Card is one headline figure.
type Card struct {
	Name, Value, Note, Look string
}

// Figure is a chart with its words.
type Figure struct {
	Title, Text string
	SVG         template.HTML
	Legend      []Entry
}

// Entry of a legend.
type Entry struct {
	Name, Color string
	Dashed      bool
}

// Style gives the entry's swatch its colour, a custom property of the page.
func (e Entry) Style() template.CSS {
	return template.CSS("background: var(" + e.Color + "); border-color: var(" + e.Color + ")") //nolint:gosec // a constant of package chart
}

type content struct {
	*report.Report
	Headline string
	Look     string
	Cards    []Card
	Figures  []Figure
}

// Render returns the page of a report.
func Render(r *report.Report) ([]byte, error) {
	figures, err := figures(r)
	if err != nil {
		return nil, err
	}
	c := content{Report: r, Headline: headline(r), Look: "good", Cards: cards(r), Figures: figures}
	if r.ExitCode != 0 {
		c.Look = "bad"
	}
	var out bytes.Buffer
	if err := page.Execute(&out, c); err != nil {
		return nil, fmt.Errorf("render the page of the report: %w", err)
	}
	return out.Bytes(), nil
}

// Write stores the page of a report.
func Write(r *report.Report, path string) error {
	data, err := Render(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write the page of the report: %w", err)
	}
	return nil
}

// headline is the result in one sentence.
func headline(r *report.Report) string {
	w := r.Workload
	switch {
	case len(r.Experiments) > 0:
		return fmt.Sprintf("%d runs of %d Kymas, compared", len(r.Experiments), w.Kymas)
	case r.Makespan != nil:
		return fmt.Sprintf("%d Kymas in %s: %.2f times the %s of one", w.Kymas, view.Value(r.Makespan, "s"), *r.Makespan/r.IdealSeconds, view.Value(&r.IdealSeconds, "s"))
	case r.Latency.Kyma != nil:
		return fmt.Sprintf("%d Kymas reached success", r.Latency.Kyma.Count)
	}
	return "No Kyma reached success"
}

func cards(r *report.Report) []Card {
	if len(r.Experiments) > 0 {
		var out []Card
		for _, f := range r.Findings {
			out = append(out, Card{Name: f.Question, Note: f.Verdict, Look: "calm"})
		}
		return append(out, invariantCard(r))
	}
	byID := map[string]report.SLI{}
	for _, s := range r.SLIs {
		byID[s.ID] = s
	}
	card := func(id, name string) Card {
		s := byID[id]
		c := Card{Name: name, Value: view.Value(s.Value, s.Unit), Look: badge(s.Status), Note: s.Note}
		if s.Limit != nil && s.Status != report.NotApplied {
			c.Note = fmt.Sprintf("limit %s %s", s.Op, view.Value(s.Limit, s.Unit))
		}
		return c
	}
	makespan := Card{Name: "Time for all", Value: view.Value(r.Makespan, "s"), Look: badge(byID["makespan"].Status)}
	if r.Makespan != nil {
		makespan.Note = fmt.Sprintf("%.2f × floor of %s", *r.Makespan/r.Floor.Seconds, view.Value(&r.Floor.Seconds, "s"))
	}
	return []Card{
		makespan,
		card("stretch", "Slowest percent, × one alone"),
		card("writes-per-kyma", "Writes per Kyma"),
		card("lateness", "Lateness of a state, p99"),
		card("cpu", "Operator's CPU"),
		card("rss", "Operator's peak memory"),
		card("lab-share", "The lab's own share of CPU"),
		invariantCard(r),
	}
}

func invariantCard(r *report.Report) Card {
	n := map[invariant.Status]int{}
	for _, i := range r.Invariants {
		n[i.Status]++
	}
	c := Card{Name: "Invariants", Value: fmt.Sprintf("%d hold", n[invariant.Pass]), Look: "good", Note: fmt.Sprintf("%d unverified", n[invariant.Unverified])}
	if n[invariant.Fail] > 0 {
		c.Value, c.Look = fmt.Sprintf("%d broken", n[invariant.Fail]), "bad"
	}
	return c
}
