// Package sli holds the figures of a report against their limits and says what
// that means for the verdict. An indicator that could not be measured is
// unknown; one that the hardware cannot meet is not applied.
package sli

import (
	"fmt"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/threshold"
	"github.com/kyma-incubator/kymactl/e2e/lab/verdict"
)

// Figures are what the report does not hold by itself.
type Figures struct {
	// Writes are the operator's, and where they were counted.
	Writes       *float64
	WritesSource string
	Server, Throttled, Conflicts, Requests,
	MutatingP99 *float64
	Kymas int
	// OutOfReach says why this hardware cannot bring every Kyma to success in the
	// ideal time; empty where it can.
	OutOfReach string
	// CutOff is set where the lab killed the operator: requests that are cut off
	// count as 5xx.
	CutOff bool
}

// All fills in the indicators of a report.
func All(r *report.Report, f Figures, limits threshold.Limits) []report.SLI {
	var out []report.SLI
	add := func(id, name, unit string, value *float64, limit float64) *report.SLI {
		out = append(out, atMost(id, name, unit, value, limit))
		return &out[len(out)-1]
	}
	stretch := add("stretch", "stretch, p99", "x ideal", quantile(r.Latency.Stretch != nil, func() float64 { return r.Latency.Stretch.P99 }), limits.StretchP99)
	if f.OutOfReach != "" && stretch.Status != report.Unknown {
		stretch.Status, stretch.Note = report.NotApplied, f.OutOfReach
	}
	makespan := add("makespan", "makespan / floor", "x floor", ratio(r.Makespan, &r.Floor.Seconds), limits.MakespanOverFloor)
	if r.Floor.Capacity == nil && makespan.Status != report.Unknown {
		makespan.Note = "without a capacity probe the floor is the ideal alone"
	}
	beyond := func(s *report.SLI, floor *float64) {
		if floor != nil && *floor > *s.Limit && s.Status == report.Missed {
			s.Status, s.Note = report.NotApplied, fmt.Sprintf("%.1f s are the least at this write capacity", *floor)
		}
	}
	beyond(add("lateness", "lateness of a state, p99", "s", quantile(r.Latency.Lateness != nil, func() float64 { return r.Latency.Lateness.P99 }), limits.LatenessP99.Seconds()), r.Floor.LatenessP99)
	beyond(add("queue-wait", "wait in the operator's queues, p99", "s", worstWait(r.Queues), limits.QueueWaitP99.Seconds()), r.Floor.WaitP99)
	add("api-latency", "API server: writes to the inventory, p99", "s", f.MutatingP99, limits.MutatingP99.Seconds())
	server := add("errors-5xx", "API errors 5xx", "", f.Server, limits.Errors5xx)
	if f.CutOff && server.Status == report.Missed {
		server.Status, server.Note = report.NotApplied, "requests of a killed operator are cut off, which the API server counts as 5xx"
	}
	add("errors-429", "API errors 429", "of all", ratio(f.Throttled, f.Requests), limits.Ratio429)
	add("errors-409", "API conflicts 409", "of all", ratio(f.Conflicts, f.Requests), limits.Ratio409)
	var perKyma *float64
	if f.Kymas > 0 {
		n := float64(f.Kymas)
		perKyma = ratio(f.Writes, &n)
	}
	add("writes-per-kyma", "operator's writes per Kyma", "", perKyma, limits.WritesPerKyma).Note = f.WritesSource
	return append(out, reported(r)...)
}

// Validity are the indicators of the lab itself: a run that misses one is
// invalid.
func Validity(l report.Lab, limits threshold.Limits) []report.SLI {
	rate := report.SLI{ID: "achieved-rate", Name: "achieved / scheduled send rate", Value: ratio(l.AchievedRate, l.ScheduledRate), Op: ">=", Status: report.Unknown, Limit: &limits.AchievedRate}
	switch {
	case l.ScheduledRate == nil:
		rate.Status, rate.Note = report.NotApplied, "as fast as the API server takes it"
	case rate.Value != nil && *rate.Value >= limits.AchievedRate:
		rate.Status = report.Met
	case rate.Value != nil:
		rate.Status = report.Missed
	}
	lag := atMost("watch-lag", "lag of the lab's own watch, p99", "s", quantile(l.WatchLag != nil, func() float64 { return l.WatchLag.P99 }), limits.WatchLagP99.Seconds())
	return []report.SLI{rate, lag}
}

func reported(r *report.Report) []report.SLI {
	show := func(id, name, unit string, value *float64) report.SLI {
		status := report.Reported
		if value == nil {
			status = report.Unknown
		}
		return report.SLI{ID: id, Name: name, Unit: unit, Value: value, Status: status}
	}
	var depth *float64
	for _, q := range r.Queues {
		if q.DepthMax != nil && (depth == nil || *q.DepthMax > *depth) {
			depth = q.DepthMax
		}
	}
	out := []report.SLI{
		show("capacity", "write capacity of the API server", "/s", r.Floor.Capacity),
		show("queue-depth", "deepest queue", "", depth),
		show("cpu", "operator's CPU", "s", r.Process.CPUSeconds),
		show("rss", "operator's peak memory", "MB", r.Process.PeakRSSMB),
		show("bytes-per-object", "operator's memory per watched object", "B", r.Process.BytesPerObject),
		show("goroutines", "operator's goroutines", "", r.Process.Goroutines),
		show("slope", "growth of its memory at rest", "MB/min", r.Process.SlopeMBPerMinute),
		show("lab-share", "the lab's own share of CPU", "of all", r.Lab.Share),
	}
	etcd := report.Etcd{}
	if r.Etcd != nil {
		etcd = *r.Etcd
	}
	return append(out,
		show("etcd-fsync", "etcd fsync, p99", "s", etcd.FsyncP99),
		show("etcd-commit", "etcd commit, p99", "s", etcd.CommitP99),
		show("etcd-size", "etcd database", "MB", etcd.DBSizeMB),
	)
}

func atMost(id, name, unit string, value *float64, limit float64) report.SLI {
	s := report.SLI{ID: id, Name: name, Unit: unit, Value: value, Limit: &limit, Op: "<=", Status: report.Unknown}
	if value != nil {
		s.Status = report.Met
		if *value > limit {
			s.Status = report.Missed
		}
	}
	return s
}

func quantile(there bool, value func() float64) *float64 {
	if !there {
		return nil
	}
	v := value()
	return &v
}

func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *b == 0 {
		return nil
	}
	v := *a / *b
	return &v
}

func worstWait(queues []report.Queue) *float64 {
	var worst *float64
	for _, q := range queues {
		if q.WaitP99 != nil && (worst == nil || *q.WaitP99 > *worst) {
			worst = q.WaitP99
		}
	}
	return worst
}

// Outcome is how the run itself ended.
type Outcome struct {
	TimedOut, Interrupted bool
	// Timeout is the time that was given.
	Timeout time.Duration
	// Remaining counts the Kymas that did not reach success.
	Remaining int
	// FailedCreates counts Kymas that the API server did not take.
	FailedCreates int
}

// Judge reaches the verdict of a report whose figures are complete.
func Judge(r *report.Report, validity []report.SLI, o Outcome) verdict.Verdict {
	var v verdict.Verdict
	for _, i := range r.Invariants {
		if i.Status == invariant.Fail {
			v.Add(verdict.Broken, fmt.Sprintf("%s (%s): %d violations, the first: %s", i.ID, i.Title, i.Broken, i.Violations[0]))
		}
	}
	if o.Interrupted {
		v.Add(verdict.Interrupted, "stopped by a signal; the report is partial")
	}
	for _, s := range validity {
		if s.Status == report.Missed {
			v.Add(verdict.Invalid, describe(s))
		}
	}
	if o.FailedCreates > 0 {
		v.Add(verdict.Invalid, fmt.Sprintf("%d Kymas could not be created", o.FailedCreates))
	}
	if o.TimedOut {
		v.Add(verdict.TimedOut, fmt.Sprintf("%d Kymas were not success after %s", o.Remaining, o.Timeout))
	}
	for _, s := range r.SLIs {
		if s.Status == report.Missed {
			v.Add(verdict.SLOMissed, describe(s))
		}
	}
	for _, c := range r.Checks {
		if c.Status == report.Missed {
			v.Add(verdict.SLOMissed, fmt.Sprintf("%s: %.4g %s, allowed %.4g", c.Name, *c.Value, c.Unit, *c.Limit))
		}
	}
	if r.Baseline != nil {
		for _, reason := range r.Baseline.Regressed() {
			v.Add(verdict.Regression, reason)
		}
	}
	return v
}

func describe(s report.SLI) string {
	return fmt.Sprintf("%s: %.4g %s, wanted %s %.4g", s.Name, *s.Value, s.Unit, s.Op, *s.Limit)
}
