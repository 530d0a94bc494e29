package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/measure"
	"github.com/kyma-incubator/kymactl/e2e/lab/observer"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/e2e/lab/schedule"
	"github.com/kyma-incubator/kymactl/e2e/lab/sli"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// list reads the whole state of the run's namespaces.
func (b *Bench) list(ctx context.Context) (*history.Final, error) {
	final := &history.Final{At: b.clock.Now()}
	for _, ns := range b.options.namespaces() {
		var kymas v1alpha1.KymaList
		var components v1alpha1.HelmComponentList
		for resource, into := range map[string]any{"kymas": &kymas, "helmcomponents": &components} {
			path := "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + ns + "/" + resource
			data, err := b.place.Client.Get().AbsPath(path).Do(ctx).Raw()
			if err != nil {
				return nil, fmt.Errorf("list %s in %s: %w", resource, ns, err)
			}
			if err := json.Unmarshal(data, into); err != nil {
				return nil, fmt.Errorf("parse list of %s: %w", resource, err)
			}
		}
		final.Kymas = append(final.Kymas, kymas.Items...)
		final.Components = append(final.Components, components.Items...)
	}
	final.Components = slices.DeleteFunc(final.Components, func(hc v1alpha1.HelmComponent) bool { return hc.Name == observer.ProbeName })
	return final, nil
}

// finish checks, computes and judges.
func (b *Bench) finish(ctx context.Context) (*report.Report, error) {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	b.setPhase("report")
	final, err := b.list(ctx)
	if err != nil {
		b.warn("the final state could not be listed: " + err.Error())
	}
	h := b.recorder.Snapshot()
	r := &report.Report{
		SchemaVersion: report.SchemaVersion, StartedAt: b.started, Phases: b.phases, Checks: b.checks,
		IdealSeconds: b.options.Ideal().Seconds(), Env: b.env(ctx), Workload: b.workload(),
	}
	figures := b.figures(r, h)
	r.Invariants = invariant.All(b.invariantInput(ctx, h, final))
	r.SLIs = sli.All(r, figures, b.options.Limits)
	validity := sli.Validity(r.Lab, b.options.Limits)
	counts := b.recorder.Counts()
	v := sli.Judge(r, validity, sli.Outcome{
		TimedOut: b.timedOut && !interrupted, Interrupted: interrupted, Timeout: b.options.Timeout,
		Remaining: max(b.want, counts.Kymas) - counts.Success, FailedCreates: b.gen.Failed(),
	})
	r.SLIs = append(r.SLIs, validity...)
	r.Verdict, r.ExitCode, r.Reasons = v.Code.String(), int(v.Code), append([]string{}, v.Reasons()...)
	r.Warnings = slices.Concat(b.warnings, b.sampler.Problems())
	r.FinishedAt = b.clock.Now()
	return r, nil
}

// basis is what a Kyma's time counts from in this scenario.
func (b *Bench) basis() measure.Basis {
	switch b.options.Scenario {
	case Observe:
		return measure.FromCreation
	case Rate:
		return measure.FromSchedule
	}
	return measure.FromSend
}

// figures fills in everything that is measured.
func (b *Bench) figures(r *report.Report, h *history.History) sli.Figures {
	times, first, last := measure.Kymas(h, b.basis(), b.only)
	ideal := b.options.Ideal()
	r.Latency = measure.Latency(h, times, b.options.Timeline, ideal)
	r.Worst = measure.Worst(h, times, first, ideal)
	if b.converged && b.sequential() == 1 && len(times) > 0 {
		end := first
		for _, t := range times {
			if t.Success.After(end) {
				end = t.Success
			}
		}
		makespan := end.Sub(first).Seconds()
		r.Makespan = &makespan
	}
	spans := measure.Spans{
		Samples: b.sampler.Samples(), Begin: b.sampler.Get(markBegin), End: b.sampler.Get(markEnd),
		Settled: b.sampler.Get(markSettled), Peak: b.sampler.Peak,
	}
	r.Floor = b.floorReport(last.Sub(first))
	counts := b.recorder.Counts()
	kymas := max(b.gen.Acked(), len(times))
	writes, source := measure.OperatorWrites(spans.End, spans.Begin)
	if b.options.Scenario == Churn || b.options.Scenario == Observe {
		// The API server counts what the garbage collector deletes as well, and
		// what others create.
		writes, source = measure.ClientWrites(spans.End, spans.Begin)
	}
	r.API = measure.API(spans.End, spans.Begin)
	r.Etcd = measure.Etcd(spans.End, spans.Begin)
	r.Queues = measure.Queues(spans.Samples, spans.End, spans.Begin, last)
	r.Process = measure.Process(spans, writes, kymas, counts.Components+counts.Kymas)
	r.Lab = b.labReport(spans, h)
	r.Series = measure.Series(spans.Samples, first)
	f := sli.Figures{Writes: writes, WritesSource: source, MutatingP99: measure.MutatingP99(r.API), Kymas: kymas}
	f.OutOfReach, f.CutOff = b.outOfReach(last.Sub(first)), b.options.Scenario == Kill
	f.Server, f.Throttled, f.Conflicts, f.Requests = measure.Errors(spans.End, spans.Begin)
	return f
}

// sequential is how many loads the scenario plays one after another: only a
// single one has a makespan.
func (b *Bench) sequential() int {
	switch b.options.Scenario {
	case Batches:
		return b.options.Batches
	case Poison:
		return 2
	case Observe:
		return 0 // the pace is somebody else's
	}
	return 1
}

// needed is the least number of writes of the run.
func (b *Bench) needed() float64 {
	return measure.WritesNeeded(b.options.Total(), len(b.options.Modules), b.options.Coalescing())
}

// writing is the least time that the writes of the run take: all of them at the
// capacity that was probed, or the operator's own at its budget.
func (b *Bench) writing() time.Duration {
	var least time.Duration
	if b.capacity != nil {
		least = measure.Floor(0, b.needed(), &b.capacity.Capacity)
	}
	if qps, burst := b.options.Budget(); !math.IsInf(qps, 1) {
		own := b.needed() - float64(b.options.Total()) - burst
		least = max(least, measure.Floor(0, own, &qps))
	}
	return least
}

func (b *Bench) floor() time.Duration { return max(b.options.Ideal(), b.writing()) }

func (b *Bench) floorReport(span time.Duration) report.Floor {
	floor := b.floor()
	if b.options.Scenario == Rate {
		// The last Kyma cannot be success before its own ideal time has passed.
		floor = max(floor, span+b.options.Ideal())
	}
	f := report.Floor{Seconds: floor.Seconds(), WritesNeeded: b.needed()}
	if b.capacity != nil {
		f.Capacity = &b.capacity.Capacity
		f.CPUPerWrite, f.WatchCPUPerWrite = milliseconds(b.capacity.CPUPerWrite), milliseconds(b.capacity.WatchCPUPerWrite)
	}
	if least := b.unavoidable(); least != nil {
		late, wait := least.Lateness.Seconds(), least.Wait.Seconds()
		f.LatenessP99, f.WaitP99 = &late, &wait
	}
	return f
}

// unavoidable is the backlog of the load at the capacity that was probed or
// that the operator's budget leaves; nil where neither is known, or the load is
// somebody else's.
func (b *Bench) unavoidable() *measure.Backlog {
	capacity, _ := b.options.Budget()
	if b.capacity != nil {
		capacity = min(capacity, b.capacity.Capacity)
	}
	if math.IsInf(capacity, 1) || capacity <= 0 || b.options.Scenario == Observe {
		return nil
	}
	sends := make([]time.Duration, b.options.Kymas)
	if b.options.Scenario == Rate {
		for i, send := range schedule.Rate(b.options.Kymas, b.options.Rate, b.name) {
			sends[i] = send.After
		}
	}
	least := measure.Unavoidable(sends, b.options.Modules, b.options.Timeline, b.options.Coalescing(), capacity)
	return &least
}

// outOfReach says why not every Kyma can take the ideal time: the writes that
// are needed take longer than the sends and one ideal time together.
func (b *Bench) outOfReach(span time.Duration) string {
	room := b.options.Ideal()
	if b.options.Scenario == Rate {
		room += span
	}
	if least := b.writing(); least > room {
		return fmt.Sprintf("%.0f writes take at least %.1f s here, there are %.1f s", b.needed(), least.Seconds(), room.Seconds())
	}
	return ""
}

func milliseconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	ms := float64(*d) / float64(time.Millisecond)
	return &ms
}

func (b *Bench) labReport(spans measure.Spans, h *history.History) report.Lab {
	events := 0
	for _, k := range h.Kymas {
		events += len(k.Versions)
	}
	for _, c := range h.Components {
		events += len(c.Versions)
	}
	var perEvent *time.Duration
	if b.capacity != nil {
		perEvent = b.capacity.WatchCPUPerWrite
	}
	l := measure.Lab(spans, events, perEvent)
	l.Gaps = len(h.Gaps)
	l.WatchLag = b.lag.Summary(b.clock.Now())
	first, last, delay := b.gen.Sends()
	l.SendDelay = delay
	if b.options.Scenario == Rate && last.After(first) {
		achieved := float64(b.gen.Acked()+b.gen.Failed()-1) / last.Sub(first).Seconds()
		l.ScheduledRate, l.AchievedRate = &b.options.Rate, &achieved
	}
	return l
}

// invariantInput collects what the checkers look at.
func (b *Bench) invariantInput(ctx context.Context, h *history.History, final *history.Final) invariant.Input {
	in := invariant.Input{
		History: h, Final: final, Timeline: b.options.Timeline, Coalescing: b.options.Coalescing(), Converged: b.converged,
		GCGrace: b.options.Limits.GCGrace.Duration, Early: b.options.Limits.Early.Duration, Settle: b.settle, Poison: b.poison,
		Process: b.process(ctx),
	}
	if b.options.injectsFaults() {
		in.Reference = &invariant.Reference{Faults: b.faults, Masked: b.reference}
	}
	return in
}

// process collects what is known of the operator's processes.
func (b *Bench) process(ctx context.Context) *invariant.Process {
	if b.operator == nil {
		return nil
	}
	panics, err := b.operator.Faults(ctx)
	p := &invariant.Process{Panics: panics, LogRead: err == nil}
	p.Starts, p.Injected = b.operator.Starts(ctx)
	settle, settled := b.sampler.Get(markSettle), b.sampler.Get(markSettled)
	if settled.At.IsZero() {
		return p
	}
	samples := b.sampler.Samples()
	// The goroutines go back to what they were before the load; the heap holds
	// the fleet, so it must not grow while nothing happens.
	middle := settle.At.Add(settled.At.Sub(settle.At) / 2)
	p.GoroutinesBefore = b.sampler.Get(markBegin).Operator.Sum("go_goroutines", nil)
	p.GoroutinesAfter = measure.Goroutines(samples, middle, settled.At)
	p.HeapBefore = measure.LiveHeap(samples, settle.At, middle)
	p.HeapAfter = measure.LiveHeap(samples, middle, settled.At)
	return p
}

func (b *Bench) workload() report.Workload {
	w := report.Workload{
		Scenario: b.options.Scenario, Kymas: b.options.Kymas, Unit: b.options.Timeline.Unit.Seconds(),
		Coalescing: b.options.Coalescing(), ObserveFraction: b.options.ObserveFraction, Seed: b.options.Seed,
	}
	if b.options.Scenario == Rate {
		w.Rate = b.options.Rate
	}
	if b.options.Scenario == Batches {
		w.Batches = b.options.Batches
	}
	for _, m := range b.options.Modules {
		w.Modules = append(w.Modules, m.Name)
	}
	return w
}

// show passes a sample on to the live view.
func (b *Bench) show(s sampler.Sample) {
	samples := b.sampler.Samples()
	recent := samples[max(0, len(samples)-2):]
	point := measure.Series(recent, b.started)[len(recent)-1]
	b.board.Update(b.status(s, point))
}
