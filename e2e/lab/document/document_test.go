package document

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/lab/report"
)

func TestWrite(t *testing.T) {
	r := &report.Report{
		Workload: report.Workload{Scenario: "findings", Kymas: 10},
		Findings: []report.Finding{{ID: "cache", Question: "Cache?", Verdict: "Yes.", Variants: []string{"cache: off", "cache: on"}, Figures: []string{"CPU", "absent"}}},
		Experiments: []report.Experiment{
			{Name: "cache: off", Figures: map[string]float64{"CPU": 9}}, {Name: "cache: on", Figures: map[string]float64{"CPU": 3}}, {Name: "other", Figures: map[string]float64{"CPU": 1}},
		},
	}
	path := filepath.Join(t.TempDir(), "findings.md")
	begin, end := markers("findings", "cache")
	if err := os.WriteFile(path, []byte("above\n"+begin+"\nold figures\n"+end+"\nbelow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time renews it again
		if err := Write(r, path); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{"above\n", "\nbelow\n", "### Cache?", "**Yes.**", "| off | 9 | – |", "| on | 3 | – |", "images/findings-cache.svg"} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "old figures") || strings.Contains(text, "other") || strings.Count(text, "### Cache?") != 1 {
		t.Errorf("the document has too much:\n%s", text)
	}
	if svg, err := os.ReadFile(filepath.Join(filepath.Dir(path), "images", "findings-cache.svg")); err != nil || strings.Contains(string(svg), "var(") {
		t.Errorf("the chart: %v", err)
	}
	r.Workload.Scenario = "sweep"
	if err := Write(r, path); err == nil {
		t.Error("a document without a place for it is no error")
	}
}
