package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/measure"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/e2e/lab/schedule"
)

// Requests under way at once: a burst sends as fast as the API server answers
// this many, a rate must never wait for a place.
const (
	burstInFlight = 16
	rateInFlight  = 1000
)

// calm is how long after convergence the operator may still finish what it
// coalesced, before the time of rest begins.
const calm = 2 * time.Second

// send plays a schedule.
func (b *Bench) send(ctx context.Context, sends []schedule.Send, inFlight int) error {
	return b.phase("send", func() error { return b.gen.Run(ctx, sends, inFlight) })
}

// converge waits until so many Kymas live and all are success.
func (b *Bench) converge(ctx context.Context, want int) error {
	return b.phase("converge", func() error {
		ok, err := b.until(ctx, b.options.Timeout, func() bool {
			c := b.recorder.Counts()
			return c.Success >= want && c.Kymas == c.Success
		})
		b.converged, b.timedOut = ok, !ok && err == nil
		return err
	})
}

// until polls what was recorded; it reports whether the condition came true in
// time.
func (b *Bench) until(ctx context.Context, timeout time.Duration, condition func() bool) (bool, error) {
	deadline := b.clock.Now().Add(timeout)
	ticker := b.clock.NewTicker(pollEvery)
	defer ticker.Stop()
	for !condition() {
		if b.clock.Now().After(deadline) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-ticker.C():
		}
	}
	return true, nil
}

func (b *Bench) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-b.clock.After(d):
		return nil
	}
}

// rest watches a converged fleet in which nothing may change (I6).
func (b *Bench) rest(ctx context.Context) error {
	if !b.converged || b.options.Restless {
		return nil
	}
	wanted := b.options.Limits.Settle.Duration
	return b.phase("rest", func() error {
		b.stopProbing()
		if err := b.pause(ctx, calm); err != nil {
			return err
		}
		begin := b.sampler.Mark(ctx, markSettle)
		err := b.pause(ctx, wanted)
		ctx := context.WithoutCancel(ctx)
		end := b.sampler.Mark(ctx, markSettled)
		b.settle = &invariant.Settle{
			Wanted: wanted, Lasted: end.At.Sub(begin.At), Changed: b.changedSince(begin.At),
			Writes: measure.InventoryWrites(end, begin), QueueDepth: measure.QueueDepth(end),
		}
		return err
	})
}

// changedSince lists the objects of which a new version was seen.
func (b *Bench) changedSince(at time.Time) []string {
	var out []string
	h := b.recorder.Snapshot()
	for _, k := range h.Kymas {
		if k.Last().At.After(at) {
			out = append(out, "Kyma "+k.Ref.String())
		}
	}
	for _, c := range h.Components {
		if c.Versions[len(c.Versions)-1].At.After(at) {
			out = append(out, "HelmComponent "+c.Ref.String())
		}
	}
	return out
}

// makeReference brings one Kyma to success without faults, and keeps its masked
// end state.
func (b *Bench) makeReference(ctx context.Context) error {
	ref := history.Ref{Namespace: b.options.Namespace, Name: "ky-reference"}
	b.only = func(r history.Ref) bool { return r != ref }
	b.want++
	return b.phase("reference", func() error {
		b.gen.Create(ctx, ref, b.clock.Now())
		ok, err := b.until(ctx, b.options.Timeout, func() bool { return b.recorder.Counts().Success == 1 })
		if err != nil {
			return err
		}
		if !ok {
			b.warn("the reference Kyma did not reach success")
			return nil
		}
		return b.keepReference(ctx)
	})
}

// keepReference masks the present state as that of a run without faults.
func (b *Bench) keepReference(ctx context.Context) error {
	final, err := b.list(ctx)
	if err != nil {
		return err
	}
	b.reference, err = invariant.ReferenceFrom(final)
	return err
}

// restartOperator ends the operator, by force or not, and starts it again. It
// returns when the new one is ready.
func (b *Bench) restartOperator(ctx context.Context, kind history.ActKind) error {
	act := history.Act{Kind: kind, Sent: b.clock.Now()}
	end := b.operator.Stop
	if kind == history.Kill {
		end = b.operator.Kill
	}
	if err := end(ctx); err != nil {
		return err
	}
	if err := b.operator.Start(ctx); err != nil {
		return err
	}
	act.Acked = b.clock.Now()
	b.recorder.Act(act)
	b.faults++
	b.board.Note(fmt.Sprintf("%s: back after %.1f s", kind, act.Acked.Sub(act.Sent).Seconds()))
	return nil
}

// untilIdle waits until the operator's queues have been empty for a while, and
// returns when they became so.
func (b *Bench) untilIdle(ctx context.Context, timeout time.Duration) (time.Time, bool, error) {
	const empty = 2 * time.Second
	var since time.Time
	ok, err := b.until(ctx, timeout, func() bool {
		m, err := sampler.Read(ctx, b.operator.Metrics, []string{"workqueue_"}, nil)
		now := b.clock.Now()
		depth := measure.QueueDepth(sampler.Sample{Operator: m})
		if err != nil || depth == nil || *depth > 0 {
			since = time.Time{}
			return false
		}
		if since.IsZero() {
			since = now
		}
		return now.Sub(since) >= empty
	})
	return since, ok, err
}

// check notes a condition of the scenario: value at most limit, or only reported
// without one.
func (b *Bench) check(name, unit string, value, limit *float64) {
	c := report.Check{Name: name, Unit: unit, Value: value, Limit: limit, Status: report.Reported}
	switch {
	case value == nil:
		c.Status = report.Unknown
	case limit != nil && *value > *limit:
		c.Status = report.Missed
	case limit != nil:
		c.Status = report.Met
	}
	b.checks = append(b.checks, c)
}
