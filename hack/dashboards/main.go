// Command dashboards writes the Grafana dashboards of manifests/monitoring.
// They are generated so that the same question looks the same on every one of
// them; the test in e2e/deploy puts every expression to a real Prometheus.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := filepath.Join("manifests", "monitoring", "dashboards")
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func dashboards() []dashboard {
	return []dashboard{fleet(), controllers(), apiServer(), runtime()}
}

func write(dir string) error {
	for _, d := range dashboards() {
		text, err := d.render()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, d.uid+".json"), text, 0o644); err != nil {
			return fmt.Errorf("write dashboard: %w", err)
		}
	}
	return nil
}

// graph is a panel over time with one expression.
func graph(title, unit, expr, legend, description string) panel {
	return panel{title: title, unit: unit, description: description, targets: []target{{expr, legend}}}
}

// number is a panel that shows the newest value.
func number(title, unit, expr, legend, description string) panel {
	return panel{title: title, unit: unit, description: description, stat: true, width: 4, targets: []target{{expr, legend}}}
}

// quantiles are the median and the 99th percentile of a histogram, by a label
// (none where it is empty).
func quantiles(title, histogram, selector, by, description string) panel {
	p := panel{title: title, unit: "s", description: description}
	group, legend := "le", ""
	if by != "" {
		group, legend = "le, "+by, " {{"+by+"}}"
	}
	for _, q := range []struct{ value, name string }{{"0.5", "p50"}, {"0.99", "p99"}} {
		expr := fmt.Sprintf(`histogram_quantile(%s, sum by (%s) (rate(%s_bucket{%s}[$__rate_interval])))`, q.value, group, histogram, selector)
		p.targets = append(p.targets, target{expr, q.name + legend})
	}
	return p
}

// ours selects the series of the operator among those of other programs.
const ours = `job="$job"`

// with adds to the selection.
func with(more string) string { return ours + "," + more }
