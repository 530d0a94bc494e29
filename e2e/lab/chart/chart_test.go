package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, svg)
		}
	}
	if strings.Contains(svg, "FE0") || strings.Contains(svg, "font-family") || strings.Contains(svg, "NaN") {
		t.Errorf("a stand-in colour, a font or NaN is left:\n%s", svg)
	}
	if !strings.Contains(svg, "var(--") || !strings.Contains(svg, `viewBox="0 0 420 210"`) {
		t.Error("colours must come from the page and the size from its column")
	}
}

func TestCharts(t *testing.T) {
	x, y := []float64{0, 1, 2}, []float64{0, 5, 3}
	tests := map[string]func() (string, error){
		"lines": func() (string, error) {
			return Lines(Chart{Title: "t", XLabel: "s", YLabel: "n", Series: []Series{
				{Name: "a", Color: Blue, X: x, Y: y, Fill: true}, {Name: "b", Color: Red, X: x, Y: y, Dashed: true}, {Name: "c", Color: Green, X: x, Y: y, Points: true}, {Name: "none"},
			}, Marks: []Mark{{"ideal", Gray, 1.5}}})
		},
		"stacked": func() (string, error) {
			return Stacked(Chart{Title: "t", Series: []Series{{Color: Blue, X: x, Y: y}, {Color: Red, X: x, Y: y}}})
		},
		"bars": func() (string, error) {
			return Bars("t", "s", []Bar{{"a", 3, Blue}, {"b & c", 5, Red}}, []Mark{{"ideal", Gray, 4}})
		},
		"one point": func() (string, error) { return Lines(Chart{Series: []Series{{Color: Blue, X: x[:1], Y: y[:1]}}}) },
	}
	for name, draw := range tests {
		t.Run(name, func(t *testing.T) {
			svg, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, svg)
			if file := Standalone(svg); strings.Contains(file, "var(") || !strings.Contains(file, "xmlns=") {
				t.Error("a file has colours of its own")
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for _, r := range [][2]float64{{0, 1}, {0, 67}, {0, 18000}, {0, 0.003}, {-3, 100}} {
		got := ticks{}.Ticks(r[0], r[1])
		if len(got) < 2 || len(got) > 8 {
			t.Errorf("%v: %d ticks", r, len(got))
		}
	}
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 67: "67", 18000: "18k", 2.5e6: "2.5M"} {
		if got := label(v); got != want {
			t.Errorf("label(%v) = %s, want %s", v, got, want)
		}
	}
	if (Chart{}).Empty() != true || (Chart{Series: []Series{{X: []float64{1}}}}).Empty() {
		t.Error("empty")
	}
}
