package page

import (
	"html/template"
	"slices"
	"strings"

	"github.com/kyma-incubator/kymactl/e2e/lab/chart"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
)

// states in the order in which they are stacked, the final one at the bottom.
var states = []struct {
	name  string
	color chart.Color
}{
	{"success", chart.Green}, {"retrying", chart.Amber}, {"failing", chart.Red}, {"started", chart.Blue}, {"pending", chart.Gray},
}

// figures draws all charts that the report has data for.
func figures(r *report.Report) ([]Figure, error) {
	if len(r.Experiments) > 0 {
		return experimentFigures(r)
	}
	if len(r.Series) == 0 {
		return nil, nil
	}
	draw := []func(*report.Report) (Figure, error){
		completion, stackedStates, stretch, lateness, queues, writes, latency, memory, memoryByObject, processors,
	}
	var out []Figure
	for _, f := range draw {
		figure, err := f(r)
		if err != nil {
			return nil, err
		}
		if figure.SVG != "" {
			out = append(out, figure)
		}
	}
	return out, nil
}

// lines draws a chart and makes its legend; nothing for a chart without data.
func lines(c chart.Chart, text string) (Figure, error) {
	if c.Empty() {
		return Figure{}, nil
	}
	svg, err := chart.Lines(c)
	return Figure{Title: c.Title, Text: text, SVG: template.HTML(svg), Legend: legend(c)}, err //nolint:gosec // drawn by package chart
}

func legend(c chart.Chart) []Entry {
	var out []Entry
	for _, s := range c.Series {
		if len(s.X) > 0 && s.Name != "" {
			out = append(out, Entry{s.Name, string(s.Color), s.Dashed})
		}
	}
	for _, m := range c.Marks {
		out = append(out, Entry{m.Name, string(m.Color), true})
	}
	return out
}

// over collects the points at which value is known.
func over(r *report.Report, name string, color chart.Color, value func(report.Point) *float64) chart.Series {
	s := chart.Series{Name: name, Color: color}
	for _, p := range r.Series {
		if v := value(p); v != nil {
			s.X, s.Y = append(s.X, p.T), append(s.Y, *v)
		}
	}
	return s
}

func number(v int) *float64 {
	f := float64(v)
	return &f
}

func completion(r *report.Report) (Figure, error) {
	done := over(r, "success", chart.Green, func(p report.Point) *float64 { return number(p.Success) })
	done.Fill = true
	c := chart.Chart{
		Title: "Completion", XLabel: "seconds since the first send", YLabel: "Kymas",
		Series: []chart.Series{over(r, "created", chart.Blue, func(p report.Point) *float64 { return number(p.Kymas) }), done},
		Marks:  []chart.Mark{{Name: "one alone", Color: chart.Gray, X: r.IdealSeconds}},
	}
	if r.Floor.Seconds > r.IdealSeconds*1.01 {
		c.Marks = append(c.Marks, chart.Mark{Name: "floor", Color: chart.Violet, X: r.Floor.Seconds})
	}
	return lines(c, "The closer the green edge is to the dashed line, the less it matters how many there are.")
}

func stackedStates(r *report.Report) (Figure, error) {
	c := chart.Chart{Title: "Components by state", XLabel: "seconds since the first send", YLabel: "components"}
	for _, s := range states {
		series := over(r, s.name, s.color, func(p report.Point) *float64 { return number(p.States[s.name]) })
		c.Series = append(c.Series, series)
	}
	if c.Empty() {
		return Figure{}, nil
	}
	svg, err := chart.Stacked(c)
	return Figure{Title: c.Title, Text: "Where the fleet is, as the watch saw it.", SVG: template.HTML(svg), Legend: legend(c)}, err //nolint:gosec // drawn by package chart
}

// cumulative turns the quantiles 0 … 1 into a distribution: x is the value, y
// the share of those that are not above it.
func cumulative(name string, color chart.Color, quantiles []float64) chart.Series {
	s := chart.Series{Name: name, Color: color}
	for i, v := range quantiles {
		s.X, s.Y = append(s.X, v), append(s.Y, 100*float64(i)/float64(len(quantiles)-1))
	}
	return s
}

func stretch(r *report.Report) (Figure, error) {
	return lines(chart.Chart{
		Title: "Stretch", XLabel: "time to success / time of one alone", YLabel: "% of the Kymas",
		Series: []chart.Series{cumulative("Kymas", chart.Green, r.Latency.StretchCurve)},
		Marks:  []chart.Mark{{Name: "ideal", Color: chart.Gray, X: 1}},
	}, "The share of Kymas that took at most so many times the ideal.")
}

func lateness(r *report.Report) (Figure, error) {
	return lines(chart.Chart{
		Title: "Lateness of states", XLabel: "seconds after the due moment", YLabel: "% of the transitions",
		Series: []chart.Series{cumulative("transitions", chart.Amber, r.Latency.LatenessCurve)},
	}, "The share of state changes that were seen at most so late. Coalesced states are never seen.")
}

func queues(r *report.Report) (Figure, error) {
	depth := func(name string) func(report.Point) *float64 {
		return func(p report.Point) *float64 {
			if v, ok := p.Queues[name]; ok {
				return &v
			}
			return nil
		}
	}
	return lines(chart.Chart{
		Title: "Queue depth", XLabel: "seconds since the first send", YLabel: "items waiting",
		Series: []chart.Series{over(r, "helmcomponent", chart.Blue, depth("helmcomponent")), over(r, "kyma", chart.Violet, depth("kyma"))},
	}, "What is due and waits for a worker.")
}

func writes(r *report.Report) (Figure, error) {
	c := chart.Chart{
		Title: "Writes", XLabel: "seconds since the first send", YLabel: "writes a second",
		Series: []chart.Series{over(r, "operator's writes", chart.Blue, func(p report.Point) *float64 { return p.Writes })},
	}
	if r.Floor.Capacity != nil && len(c.Series[0].X) > 0 {
		x := c.Series[0].X
		c.Series = append(c.Series, chart.Series{
			Name: "capacity", Color: chart.Violet, Dashed: true, X: []float64{x[0], x[len(x)-1]}, Y: []float64{*r.Floor.Capacity, *r.Floor.Capacity},
		})
	}
	return lines(c, "Against what the probe found the API server to take.")
}

func latency(r *report.Report) (Figure, error) {
	return lines(chart.Chart{
		Title: "Latency of a write", XLabel: "seconds since the first send", YLabel: "ms, p99",
		Series: []chart.Series{over(r, "PUT, as the operator sees it", chart.Red, func(p report.Point) *float64 {
			if p.PutP99 == nil {
				return nil
			}
			ms := *p.PutP99 * 1000
			return &ms
		})},
	}, "How long the operator waits for the API server.")
}

func memory(r *report.Report) (Figure, error) {
	return lines(chart.Chart{
		Title: "Memory", XLabel: "seconds since the first send", YLabel: "MB",
		Series: []chart.Series{
			over(r, "operator, resident", chart.Blue, func(p report.Point) *float64 { return p.RSSMB }),
			over(r, "etcd, database", chart.Gray, func(p report.Point) *float64 { return p.EtcdMB }),
		},
	}, "The operator's resident memory and etcd's file.")
}

func memoryByObject(r *report.Report) (Figure, error) {
	s := chart.Series{Name: "samples", Color: chart.Blue, Points: true}
	for _, p := range r.Series {
		if p.RSSMB != nil {
			s.X, s.Y = append(s.X, float64(p.Objects)), append(s.Y, *p.RSSMB)
		}
	}
	return lines(chart.Chart{Title: "Memory against objects", XLabel: "watched objects", YLabel: "MB resident", Series: []chart.Series{s}},
		"A straight rise is the price of an object; a wall at the end is a leak.")
}

func processors(r *report.Report) (Figure, error) {
	c := chart.Chart{Title: "CPU", XLabel: "seconds since the first send", YLabel: "cores"}
	for _, p := range []struct {
		name  string
		color chart.Color
	}{{"kube-apiserver", chart.Violet}, {"etcd", chart.Gray}, {"operator", chart.Blue}, {"lab", chart.Amber}} {
		c.Series = append(c.Series, over(r, p.name, p.color, func(q report.Point) *float64 {
			if v, ok := q.CPU[p.name]; ok {
				return &v
			}
			return nil
		}))
	}
	return lines(c, "Who uses the machine.")
}

// Bars draws a figure of a finding's variants; "" where fewer than two have it.
func Bars(r *report.Report, f report.Finding, name string, color chart.Color) (string, error) {
	var bars []chart.Bar
	for _, e := range r.Experiments {
		if v, ok := e.Figures[name]; ok && slices.Contains(f.Variants, e.Name) {
			bars = append(bars, chart.Bar{Name: strings.TrimPrefix(e.Name, f.ID+": "), Value: v, Color: color})
		}
	}
	if len(bars) < 2 {
		return "", nil
	}
	return chart.Bars(f.ID+": "+name, name, bars, nil)
}

// experimentFigures draws bars: for each finding its first figure that the
// variants have.
func experimentFigures(r *report.Report) ([]Figure, error) {
	colors := []chart.Color{chart.Blue, chart.Green, chart.Amber, chart.Violet, chart.Red, chart.Gray}
	var out []Figure
	for _, f := range r.Findings {
		for _, name := range f.Figures[:min(4, len(f.Figures))] {
			svg, err := Bars(r, f, name, colors[len(out)%len(colors)])
			if err != nil {
				return nil, err
			}
			if svg == "" {
				continue
			}
			out = append(out, Figure{Title: name, Text: f.Question, SVG: template.HTML(svg)}) //nolint:gosec // drawn by package chart
		}
	}
	return out, nil
}
