package experiment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/bench"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
)

func TestGrid(t *testing.T) {
	grid, err := ParseGrid("kube-api-qps=20,-1; --kyma-workers=2,8")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range grid.Variants() {
		names = append(names, v.Name)
	}
	if want := []string{"qps=20 kyma-workers=2", "qps=20 kyma-workers=8", "qps=-1 kyma-workers=2", "qps=-1 kyma-workers=8"}; !reflect.DeepEqual(names, want) {
		t.Errorf("variants: %v", names)
	}
	if args := grid.Variants()[0].Args; !reflect.DeepEqual(args, []string{"--kube-api-qps=20", "--kube-api-burst=20", "--kyma-workers=2"}) {
		t.Errorf("arguments: %v", args)
	}
	for _, bad := range []string{"qps", "=1", "qps="} {
		if _, err := ParseGrid(bad); err == nil {
			t.Errorf("%q is a grid", bad)
		}
	}
	if grid, err := ParseGrid(""); err != nil || len(grid.Variants()) != 12 {
		t.Errorf("the default grid has %d variants", len(grid.Variants()))
	}
}

// fake answers each variant with a makespan and CPU, and records it.
func fake(figures map[string][2]float64, seen *[]Variant) Runner {
	return func(_ context.Context, v Variant) (*report.Report, error) {
		*seen = append(*seen, v)
		f, ok := figures[v.Name]
		if !ok {
			f = [2]float64{70, 5}
		}
		r := &report.Report{
			Makespan: &f[0], Process: report.Process{CPUSeconds: &f[1]}, StartedAt: time.Unix(int64(len(*seen)), 0), FinishedAt: time.Unix(int64(len(*seen)+1), 0),
			Invariants: []invariant.Result{{ID: "I1", Status: invariant.Pass, Checked: 1}}, ExitCode: 3, Verdict: "SLO missed",
		}
		if strings.Contains(v.Name, "broken") {
			r.ExitCode, r.Reasons = 4, []string{"I1"}
			r.Invariants[0] = invariant.Result{ID: "I1", Status: invariant.Fail, Broken: 2, Violations: []string{"lost"}}
		}
		return r, nil
	}
}

func TestTheSweepNamesTheFastestAndOfEqualsTheCheapest(t *testing.T) {
	var seen []Variant
	run := fake(map[string][2]float64{"x=1": {100, 1}, "x=2": {70, 9}, "x=3": {70.5, 4}}, &seen)
	r, err := Sweep(t.Context(), run, Grid{{"x", []string{"1", "2", "3"}}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(r.Findings[0].Verdict, "x=3: 70.5 s") {
		t.Errorf("best: %s", r.Findings[0].Verdict)
	}
	if r.ExitCode != 0 || len(r.Experiments) != 3 || r.Invariants[0].Checked != 3 || r.Workload.Scenario != "sweep" {
		t.Errorf("report: %+v; a setting that misses an SLO is a result", r)
	}
}

func TestABrokenInvariantStays(t *testing.T) {
	var seen []Variant
	r, err := Sweep(t.Context(), fake(nil, &seen), Grid{{"x", []string{"fine", "broken", "well"}}})
	if err != nil || r.ExitCode != 4 || r.Invariants[0].Status != invariant.Fail || r.Invariants[0].Violations[0] != "x=broken: lost" {
		t.Errorf("%v, exit code %d, %+v", err, r.ExitCode, r.Invariants)
	}
}

func TestWhatFailsLeavesWhatThereIs(t *testing.T) {
	calls := 0
	r, err := Sweep(t.Context(), func(_ context.Context, _ Variant) (*report.Report, error) {
		if calls++; calls == 2 {
			return nil, errors.New("no cluster")
		}
		return &report.Report{}, nil
	}, Grid{{"x", []string{"1", "2"}}})
	if err == nil || r == nil || len(r.Experiments) != 1 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestFindings(t *testing.T) {
	var seen []Variant
	dir := t.TempDir()
	r, err := Findings(t.Context(), fake(nil, &seen), FindingIDs(), dir, []string{"istio"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if runs := FindingRuns(FindingIDs()); len(seen) != runs || len(r.Findings) != 5 || len(r.Experiments) != runs {
		t.Errorf("%d runs, %d findings", len(seen), len(r.Findings))
	}
	for _, f := range r.Findings {
		if f.Verdict == "" || len(f.Variants) < 2 {
			t.Errorf("finding: %+v", f)
		}
	}
	for _, v := range seen {
		o := bench.Options{}
		if v.Change != nil {
			v.Change(&o)
		}
		if stuck := strings.Contains(v.Name, "retry-limiter"); stuck != (o.Stuck > 0) {
			t.Errorf("%s is watched for %s", v.Name, o.Stuck)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "broken-charts", "istio", "templates", "fail.yaml")); err != nil {
		t.Error(err)
	}
}

func TestSomeFindings(t *testing.T) {
	var seen []Variant
	ids := []string{"client-qps", "render-cache"}
	r, err := Findings(t.Context(), fake(nil, &seen), ids, t.TempDir(), nil, time.Minute)
	if err != nil || len(r.Findings) != 2 || len(seen) != FindingRuns(ids) || len(seen) != 5 {
		t.Errorf("%d runs, %v: %+v", len(seen), err, r)
	}
}
