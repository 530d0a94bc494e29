package page

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
)

// sample is a report with data for every chart and table.
func sample() *report.Report {
	r := &report.Report{
		SchemaVersion: 1, Verdict: "SLO missed", ExitCode: 3, Reasons: []string{"SLO missed: lateness of a state, p99: 1.2 s, wanted <= 1"},
		StartedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), IdealSeconds: 67, Floor: report.Floor{Seconds: 86, Capacity: new(452.0), WritesNeeded: 39000},
		Makespan: new(97.4), Phases: []report.Phase{{Name: "send", Start: 12, End: 20}, {Name: "converge", Start: 20, End: 110}},
		Env:      report.Env{Place: "embedded", Kubernetes: "v1.36.3", Operator: "kyma-operator dev", OperatorArgs: []string{"--kube-api-qps=-1"}, CPUs: 2, CPUModel: "a CPU <of> some kind", MemoryGB: 23.5, Revision: "abc"},
		Workload: report.Workload{Scenario: "burst", Kymas: 1000, Modules: make([]string, 18), Unit: 1},
		Latency:  report.Latency{Stretch: &stats.Summary{P99: 1.42}, Lateness: &stats.Summary{P99: 1.2}},
		Lab:      report.Lab{CPUSeconds: new(4.0), Share: new(0.03)},
		API:      []report.APIRow{{Verb: "PUT", Resource: "helmcomponents/status", Requests: 18000, P50: new(0.004), P99: new(0.09)}},
		SLIs: []report.SLI{
			{ID: "stretch", Name: "stretch, p99", Unit: "x ideal", Value: new(1.42), Limit: new(1.5), Op: "<=", Status: report.Met},
			{ID: "lateness", Name: "lateness", Unit: "s", Value: new(1.2), Limit: new(1.0), Op: "<=", Status: report.Missed},
			{ID: "writes-per-kyma", Name: "writes per Kyma", Value: new(43.0), Limit: new(106.0), Op: "<=", Status: report.Met},
			{ID: "etcd-fsync", Name: "etcd fsync, p99", Unit: "s", Status: report.Unknown},
		},
		Invariants: []invariant.Result{{ID: "I1", Title: "children", Status: invariant.Pass, Checked: 1000}, {ID: "I8", Title: "poison", Status: invariant.Unverified, Note: "no poison"}},
		Worst:      []report.WorstKyma{{Name: "kyma-load/ky-00999", Seconds: 97.4, Stretch: 1.45, Slowest: "service-catalog-addons"}},
		Warnings:   []string{"something to know"},
	}
	for i := range 101 {
		r.Latency.StretchCurve = append(r.Latency.StretchCurve, 1+0.45*math.Pow(float64(i)/100, 3))
		r.Latency.LatenessCurve = append(r.Latency.LatenessCurve, 1.4*math.Pow(float64(i)/100, 6))
	}
	for t := range 50 {
		x := float64(t) * 2
		done := int(1000 / (1 + math.Exp((82-x)/4)))
		r.Series = append(r.Series, report.Point{
			T: x, Sent: 1000, Kymas: min(1000, t*120), Success: done, Objects: min(19000, t*1500),
			States: map[string]int{"success": 18 * done, "started": 4000 - 4*done, "failing": 5000 - 5*done, "retrying": 6000 - 6*done, "pending": 3000 - 3*done},
			Queues: map[string]float64{"kyma": float64(t % 7), "helmcomponent": 400 * math.Exp(-(x-30)*(x-30)/200)},
			Writes: new(430 + 20*math.Sin(x)), PutP99: new(0.05 + 0.03*math.Sin(x/9)), RSSMB: new(45 + 25*(1-math.Exp(-x/30))), EtcdMB: new(20 + x/2),
			CPU: map[string]float64{"operator": 0.2, "lab": 0.06, "kube-apiserver": 1.3, "etcd": 0.3},
		})
	}
	return r
}

// experiments is the report of a sweep.
func experiments() *report.Report {
	r := sample()
	r.Series, r.Verdict, r.ExitCode, r.Reasons = nil, "pass", 0, nil
	f := report.Finding{ID: "best", Question: "Which settings?", Verdict: "qps=-1: 97.4 s.", Figures: []string{"makespan s", "operator CPU s", "absent"}}
	for i, name := range []string{"qps=150", "qps=400", "qps=-1"} {
		r.Experiments = append(r.Experiments, report.Experiment{Name: name, Verdict: "pass", Figures: map[string]float64{"makespan s": 260 - float64(i)*80, "operator CPU s": 20 + float64(i)}})
		f.Variants = append(f.Variants, name)
	}
	r.Findings = []report.Finding{f}
	return r
}

func TestThePageIsSelfContained(t *testing.T) {
	for name, r := range map[string]*report.Report{"run": sample(), "experiments": experiments(), "nothing": {Verdict: "set-up failed", ExitCode: 1}} {
		t.Run(name, func(t *testing.T) {
			data, err := Render(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, network := range []string{"http://", "https://", "<script", "<link", "@import", "url("} {
				if strings.Contains(string(data), network) {
					t.Errorf("the page contains %q", network)
				}
			}
			if strings.Contains(string(data), "ZgotmplZ") || strings.Contains(string(data), "<of>") {
				t.Error("the page is not escaped as it should be")
			}
		})
	}
}

func TestWhatTheCardsSay(t *testing.T) {
	data, err := Render(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1000 Kymas in 97.4 s: 1.45 times the 67 s of one", "1.13 × floor of 86 s", "limit &lt;= 1.50", "1 hold", "1 unverified", "kyma-load/ky-00999", "–"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// The page is opened in a real browser: every chart drawn, nothing on the
// console, nothing wider than a phone. The screenshots are kept in dist/.
func TestInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium; -short is set")
	}
	for name, r := range map[string]*report.Report{"run": sample(), "experiments": experiments()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "report.html")
			if err := Write(r, path); err != nil {
				t.Fatal(err)
			}
			figures, err := figures(r)
			if err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t)
			for _, width := range []int{1280, 390} {
				found := b.inspect(path, width)
				if found.Charts != len(figures) || found.Drawn != len(figures) {
					t.Errorf("at %d pixels %d of %d charts are drawn, want %d", width, found.Drawn, found.Charts, len(figures))
				}
				if found.Width > width {
					t.Errorf("at %d pixels the page is %d wide", width, found.Width)
				}
				if found.Console != "" {
					t.Errorf("console at %d pixels: %s", width, found.Console)
				}
			}
			out := filepath.Join(repositoryRoot(t), "dist", "load-report-screenshots")
			if err := os.MkdirAll(out, 0o755); err != nil {
				t.Fatal(err)
			}
			b.screenshot(path, filepath.Join(out, name+"-light.png"), false)
			b.screenshot(path, filepath.Join(out, name+"-dark.png"), true)
			b.print(path, filepath.Join(out, name+".pdf"))
			t.Logf("screenshots in %s", out)
		})
	}
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(fmt.Errorf("find the repository: %w", err))
	}
	return dir
}
