package sli

import (
	"strings"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
	"github.com/kyma-incubator/kymactl/e2e/lab/threshold"
	"github.com/kyma-incubator/kymactl/e2e/lab/verdict"
)

// good is a run that meets everything.
func good() (*report.Report, Figures) {
	r := &report.Report{
		IdealSeconds: 67, Floor: report.Floor{Seconds: 67, Capacity: new(450.0)}, Makespan: new(70.0),
		Latency: report.Latency{Stretch: &stats.Summary{P99: 1.02}, Lateness: &stats.Summary{P99: 0.1}},
		Queues:  []report.Queue{{Name: "kyma", WaitP99: new(0.1), DepthMax: new(3.0)}, {Name: "helmcomponent", WaitP99: new(0.2)}},
		Lab:     report.Lab{ScheduledRate: new(10.0), AchievedRate: new(10.0), WatchLag: &stats.Summary{P99: 0.01}},
	}
	return r, Figures{
		Writes: new(4000.0), Server: new(0.0), Throttled: new(0.0), Conflicts: new(1.0), Requests: new(10000.0),
		MutatingP99: new(0.05), Kymas: 100,
	}
}

func judge(r *report.Report, f Figures, o Outcome) (verdict.Verdict, map[string]report.SLI) {
	limits := threshold.Default()
	r.SLIs = All(r, f, limits)
	validity := Validity(r.Lab, limits)
	byID := map[string]report.SLI{}
	for _, s := range append(r.SLIs, validity...) {
		byID[s.ID] = s
	}
	return Judge(r, validity, o), byID
}

func TestVerdicts(t *testing.T) {
	tests := map[string]struct {
		change func(*report.Report, *Figures, *Outcome)
		want   verdict.Code
		says   string
	}{
		"all is well":              {func(*report.Report, *Figures, *Outcome) {}, verdict.Passed, ""},
		"stretch":                  {func(r *report.Report, _ *Figures, _ *Outcome) { r.Latency.Stretch.P99 = 2 }, verdict.SLOMissed, "stretch"},
		"makespan":                 {func(r *report.Report, _ *Figures, _ *Outcome) { r.Makespan = new(100.0) }, verdict.SLOMissed, "makespan"},
		"lateness":                 {func(r *report.Report, _ *Figures, _ *Outcome) { r.Latency.Lateness.P99 = 1.5 }, verdict.SLOMissed, "lateness"},
		"queue":                    {func(r *report.Report, _ *Figures, _ *Outcome) { r.Queues[1].WaitP99 = new(3.0) }, verdict.SLOMissed, "queues"},
		"latency":                  {func(_ *report.Report, f *Figures, _ *Outcome) { f.MutatingP99 = new(1.2) }, verdict.SLOMissed, "API server"},
		"5xx":                      {func(_ *report.Report, f *Figures, _ *Outcome) { f.Server = new(1.0) }, verdict.SLOMissed, "5xx"},
		"5xx of a killed operator": {func(_ *report.Report, f *Figures, _ *Outcome) { f.Server, f.CutOff = new(1.0), true }, verdict.Passed, ""},
		"429":                      {func(_ *report.Report, f *Figures, _ *Outcome) { f.Throttled = new(11.0) }, verdict.SLOMissed, "429"},
		"409":                      {func(_ *report.Report, f *Figures, _ *Outcome) { f.Conflicts = new(101.0) }, verdict.SLOMissed, "409"},
		"writes":                   {func(_ *report.Report, f *Figures, _ *Outcome) { f.Writes = new(10601.0) }, verdict.SLOMissed, "writes per Kyma"},
		"rate not achieved":        {func(r *report.Report, _ *Figures, _ *Outcome) { r.Lab.AchievedRate = new(9.0) }, verdict.Invalid, "send rate"},
		"watch lag":                {func(r *report.Report, _ *Figures, _ *Outcome) { r.Lab.WatchLag.P99 = 2 }, verdict.Invalid, "watch"},
		"refused creates":          {func(_ *report.Report, _ *Figures, o *Outcome) { o.FailedCreates = 1 }, verdict.Invalid, "1 Kymas"},
		"time-out":                 {func(_ *report.Report, _ *Figures, o *Outcome) { o.TimedOut, o.Remaining = true, 3 }, verdict.TimedOut, "3 Kymas"},
		"interrupted":              {func(_ *report.Report, _ *Figures, o *Outcome) { o.Interrupted = true }, verdict.Interrupted, "signal"},
		"invariant": {func(r *report.Report, _ *Figures, _ *Outcome) {
			r.Invariants = []invariant.Result{{ID: "I3", Status: invariant.Fail, Broken: 1, Violations: []string{"created twice"}}}
		}, verdict.Broken, "created twice"},
		"unverified is not broken": {func(r *report.Report, _ *Figures, _ *Outcome) {
			r.Invariants = []invariant.Result{{ID: "I3", Status: invariant.Unverified}}
		}, verdict.Passed, ""},
		"regression": {func(r *report.Report, _ *Figures, _ *Outcome) {
			r.Baseline = &report.Comparison{Rows: []report.ComparisonLine{{Name: "stretch p99", Ratio: new(1.3), Limit: 1.1, Status: report.Missed}}}
		}, verdict.Regression, "1.30 times"},
		"check": {func(r *report.Report, _ *Figures, _ *Outcome) {
			r.Checks = []report.Check{{Name: "writes after a restart", Value: new(5.0), Limit: new(0.0), Status: report.Missed}}
		}, verdict.SLOMissed, "after a restart"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, f := good()
			var o Outcome
			tt.change(r, &f, &o)
			v, _ := judge(r, f, o)
			if v.Code != tt.want || !strings.Contains(strings.Join(v.Reasons(), "\n"), tt.says) {
				t.Errorf("verdict %d %v, want %d about %q", v.Code, v.Reasons(), tt.want, tt.says)
			}
		})
	}
}

func TestWhatTheHardwareCannotMeetIsNotApplied(t *testing.T) {
	r, f := good()
	f.OutOfReach = "too slow"
	r.Floor.Seconds, r.Makespan, r.Latency.Stretch.P99 = 200, new(210.0), 3
	r.Floor.LatenessP99, r.Latency.Lateness.P99 = new(30.0), 60
	r.Floor.WaitP99, r.Queues[1].WaitP99 = new(4.0), new(5.0)
	v, byID := judge(r, f, Outcome{})
	for _, id := range []string{"stretch", "lateness", "queue-wait"} {
		if byID[id].Status != report.NotApplied {
			t.Errorf("%s is %s", id, byID[id].Status)
		}
	}
	if v.Code != verdict.Passed || byID["makespan"].Status != report.Met {
		t.Errorf("verdict %v: %+v", v.Reasons(), byID)
	}
}

func TestALimitThatTheHardwareCanMeetApplies(t *testing.T) {
	r, f := good()
	r.Floor.LatenessP99, r.Latency.Lateness.P99 = new(0.9), 1.1
	if v, byID := judge(r, f, Outcome{}); v.Code != verdict.SLOMissed || byID["lateness"].Status != report.Missed {
		t.Errorf("verdict %v: %+v", v.Reasons(), byID["lateness"])
	}
}

func TestWhatWasNotMeasuredIsUnknown(t *testing.T) {
	r := &report.Report{IdealSeconds: 67, Floor: report.Floor{Seconds: 67}}
	v, byID := judge(r, Figures{}, Outcome{})
	if v.Code != verdict.Passed {
		t.Errorf("verdict %v", v.Reasons())
	}
	for _, id := range []string{"stretch", "makespan", "lateness", "queue-wait", "api-latency", "errors-5xx", "errors-429", "errors-409", "writes-per-kyma", "etcd-fsync", "watch-lag", "rss"} {
		if s := byID[id]; s.Status != report.Unknown || s.Value != nil {
			t.Errorf("%s is %s with value %v", id, s.Status, s.Value)
		}
	}
}
