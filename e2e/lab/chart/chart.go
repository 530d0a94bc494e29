// Package chart draws charts as inline SVG with gonum/plot. Colours are names of
// CSS custom properties, so that a page decides about light and dark.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a chart's canvas. It is scaled to the width of its column; the
// text stays readable from 340 to 700 pixels.
const (
	width  = 420
	height = 210
)

// Color is a CSS custom property of the page.
type Color string

// The colours that a page must define.
const (
	Ink    Color = "--muted"
	Grid   Color = "--grid"
	Blue   Color = "--c-blue"
	Green  Color = "--c-green"
	Amber  Color = "--c-amber"
	Red    Color = "--c-red"
	Violet Color = "--c-violet"
	Gray   Color = "--c-gray"
	// Tint is the quiet green of a filled area.
	Tint Color = "--c-tint"
)

// palette gives each colour a value that nothing else uses; it is replaced by
// the property's name in the finished SVG.
var palette = map[Color]color.RGBA{
	Ink: {0x01, 0xFE, 0x01, 0xFF}, Grid: {0x02, 0xFE, 0x02, 0xFF}, Blue: {0x03, 0xFE, 0x03, 0xFF}, Green: {0x04, 0xFE, 0x04, 0xFF},
	Amber: {0x05, 0xFE, 0x05, 0xFF}, Red: {0x06, 0xFE, 0x06, 0xFF}, Violet: {0x07, 0xFE, 0x07, 0xFF}, Gray: {0x08, 0xFE, 0x08, 0xFF}, Tint: {0x09, 0xFE, 0x09, 0xFF},
}

// Series is one line, with its points in order.
type Series struct {
	Name  string
	Color Color
	X, Y  []float64
	// Dashed is for limits and ideals; Points draws dots instead of a line; Fill
	// shades the area below.
	Dashed, Points, Fill bool
}

// Mark is a vertical line across the chart.
type Mark struct {
	Name  string
	Color Color
	X     float64
}

// Chart is what is drawn. Names of axes carry their unit.
type Chart struct {
	Title, XLabel, YLabel string
	Series                []Series
	Marks                 []Mark
	// YMax widens the range of the axis, which begins at 0.
	YMax float64
}

// Empty tells whether there is nothing to draw.
func (c Chart) Empty() bool {
	for _, s := range c.Series {
		if len(s.X) > 0 {
			return false
		}
	}
	return true
}

// Lines draws lines, points and marks.
func Lines(c Chart) (string, error) {
	p := base(c)
	for _, s := range c.Series {
		if len(s.X) == 0 {
			continue
		}
		if err := add(p, s); err != nil {
			return "", fmt.Errorf("draw %s: %w", c.Title, err)
		}
	}
	top := max(p.Y.Max, c.YMax)
	p.Y.Min, p.Y.Max = 0, headroom(top)
	for _, m := range c.Marks {
		l, err := plotter.NewLine(plotter.XYs{{X: m.X, Y: 0}, {X: m.X, Y: p.Y.Max}})
		if err != nil {
			return "", fmt.Errorf("draw %s: %w", c.Title, err)
		}
		l.Color, l.Width, l.Dashes = palette[m.Color], 1.2, []vg.Length{4, 3}
		p.Add(l)
	}
	return render(p, c.Title)
}

// Stacked draws areas on top of each other, the first at the bottom. All series
// must have the same X.
func Stacked(c Chart) (string, error) {
	p := base(c)
	var below []float64
	for _, s := range c.Series {
		if below == nil {
			below = make([]float64, len(s.X))
		}
		outline := make(plotter.XYs, 0, 2*len(s.X))
		above := make([]float64, len(s.X))
		for i := range s.X {
			above[i] = below[i] + s.Y[i]
			outline = append(outline, plotter.XY{X: s.X[i], Y: above[i]})
		}
		for i, v := range slices.Backward(s.X) {
			outline = append(outline, plotter.XY{X: v, Y: below[i]})
		}
		if len(outline) > 0 {
			area, err := plotter.NewPolygon(outline)
			if err != nil {
				return "", fmt.Errorf("draw %s: %w", c.Title, err)
			}
			area.Color, area.Width = palette[s.Color], 0
			p.Add(area)
		}
		below = above
	}
	p.Y.Min, p.Y.Max = 0, headroom(p.Y.Max)
	return render(p, c.Title)
}

// Bar is one bar of Bars.
type Bar struct {
	Name  string
	Value float64
	Color Color
}

// Bars draws horizontal bars with their names and values, the first on top. A
// mark is a vertical line.
func Bars(title, unit string, bars []Bar, marks []Mark) (string, error) {
	p := plot.New()
	style(p)
	p.X.Label.Text = unit
	p.X.Min = 0
	names := make([]string, len(bars))
	thick := vg.Length(min(16, float64(height-50)/float64(max(len(bars), 1))*0.7))
	for i, b := range bars {
		row := len(bars) - 1 - i
		names[row] = b.Name
		values := make(plotter.Values, row+1)
		values[row] = b.Value
		chart, err := plotter.NewBarChart(values, thick)
		if err != nil {
			return "", fmt.Errorf("draw %s: %w", title, err)
		}
		chart.Horizontal, chart.Color, chart.LineStyle.Width = true, palette[b.Color], 0
		p.Add(chart)
	}
	p.Y.Min, p.Y.Max = -0.7, float64(len(bars))-0.3
	top := p.X.Max
	for _, m := range marks {
		top = max(top, m.X)
		l, err := plotter.NewLine(plotter.XYs{{X: m.X, Y: p.Y.Min}, {X: m.X, Y: p.Y.Max}})
		if err != nil {
			return "", fmt.Errorf("draw %s: %w", title, err)
		}
		l.Color, l.Width, l.Dashes = palette[m.Color], 1.2, []vg.Length{4, 3}
		p.Add(l)
	}
	p.X.Max = headroom(top)
	p.NominalY(names...)
	p.Y.Tick.Label.Font.Size = 9.5
	p.Y.Padding = 8
	return render(p, title)
}

func headroom(top float64) float64 {
	if top <= 0 {
		return 1
	}
	return top * 1.06
}

func base(c Chart) *plot.Plot {
	p := plot.New()
	style(p)
	p.X.Label.Text, p.Y.Label.Text = c.XLabel, c.YLabel
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color, grid.Horizontal.Width = palette[Grid], 0.8
	p.Add(grid)
	return p
}

// style is the common look: no frame, quiet axes, text in one colour.
func style(p *plot.Plot) {
	p.BackgroundColor = nil
	ink := palette[Ink]
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color = palette[Grid]
		axis.Color, axis.Width = palette[Grid], 0.8
		axis.Label.TextStyle.Color = ink
		axis.Label.TextStyle.Font.Size = 10.5
		axis.Label.Padding = 3
		axis.Tick.Label.Color = ink
		axis.Tick.Label.Font.Size = 10.5
		axis.Tick.Length = 0
		axis.Tick.Width = 0
		axis.Padding = 3
		axis.Tick.Marker = ticks{}
	}
	p.Y.Width = 0
}

func add(p *plot.Plot, s Series) error {
	points := make(plotter.XYs, len(s.X))
	for i := range s.X {
		points[i] = plotter.XY{X: s.X[i], Y: s.Y[i]}
	}
	if s.Points {
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.Color, dots.Radius, dots.Shape = palette[s.Color], 2.2, draw.CircleGlyph{}
		p.Add(dots)
		return nil
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = palette[s.Color], 2
	if s.Dashed {
		line.Width, line.Dashes = 1.4, []vg.Length{4, 3}
	}
	if s.Fill {
		area, err := plotter.NewPolygon(append(plotter.XYs{{X: points[0].X}}, append(append(plotter.XYs{}, points...), plotter.XY{X: points[len(points)-1].X})...))
		if err != nil {
			return err
		}
		area.Color, area.Width = palette[Tint], 0
		p.Add(area)
	}
	p.Add(line)
	return nil
}

// ticks are at most six, at 1, 2 or 5 times a power of ten.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	span := high - low
	if span <= 0 || math.IsInf(span, 0) || math.IsNaN(span) {
		return []plot.Tick{{Value: low, Label: label(low)}}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/5)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if span/(step*factor) <= 6 {
			step *= factor
			break
		}
	}
	var out []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: label(i * step)})
	}
	return out
}

func label(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return trim(fmt.Sprintf("%.1f", v/1e6)) + "M"
	case a >= 1e4:
		return trim(fmt.Sprintf("%.1f", v/1e3)) + "k"
	case a == 0:
		return "0"
	}
	return trim(fmt.Sprintf("%.3f", v))
}

func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

// standalone are the colours outside of a page, for light and dark grounds.
var standalone = map[Color]string{
	Ink: "#7b8794", Grid: "#c3cad2", Blue: "#2f6fde", Green: "#1c9a5b", Amber: "#d48806", Red: "#d64545", Violet: "#7a5af5", Gray: "#9aa5b1", Tint: "#d9f0e3",
}

// Standalone makes a file of a chart, with colours of its own.
func Standalone(svg string) string {
	for name, value := range standalone {
		svg = strings.ReplaceAll(svg, "var("+string(name)+")", value)
	}
	return strings.Replace(svg, "<svg ", `<svg xmlns="http://www.w3.org/2000/svg" width="630" font-family="Arial, Liberation Sans, sans-serif" `, 1)
}

var (
	prelude = regexp.MustCompile(`(?s)^.*?<svg [^>]*>`)
	family  = regexp.MustCompile(`font-family:[^;"]*;?`)
)

// render draws the plot, and makes of it an element that scales with its column
// and takes its colours from the page.
func render(p *plot.Plot, title string) (string, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.New(canvas))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", fmt.Errorf("draw %s: %w", title, err)
	}
	svg := prelude.ReplaceAllString(out.String(), "")
	for name, value := range palette {
		svg = strings.ReplaceAll(svg, fmt.Sprintf("#%02X%02X%02X", value.R, value.G, value.B), "var("+string(name)+")")
	}
	svg = family.ReplaceAllString(svg, "")
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label=%q>`, width, height, title) + svg, nil
}
