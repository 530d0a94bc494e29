package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/generator"
	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/measure"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/e2e/lab/schedule"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// play runs the scenario, from the first send to the rest at the end.
func (b *Bench) play(ctx context.Context) error {
	scenarios := map[string]func(context.Context) error{
		Burst: b.burst, Rate: b.rate, Batches: b.batches, Restart: b.restart, Kill: b.kill,
		Resync: b.resync, Churn: b.churn, Poison: b.poisoned, Observe: b.onlooker,
	}
	run, ok := scenarios[b.options.Scenario]
	if !ok {
		return fmt.Errorf("scenario %q is none of %s", b.options.Scenario, strings.Join(Scenarios(), ", "))
	}
	switch b.options.Scenario {
	case Restart, Kill:
		if b.operator == nil {
			return fmt.Errorf("scenario %s needs an operator that the lab can stop and start", b.options.Scenario)
		}
	}
	if b.options.ReferenceKyma {
		if err := b.makeReference(ctx); err != nil {
			return err
		}
	}
	b.sampler.Mark(ctx, markBegin)
	err := run(ctx)
	if b.sampler.Get(markEnd).At.IsZero() {
		b.sampler.Mark(context.WithoutCancel(ctx), markEnd)
	}
	return errors.Join(err, b.rest(ctx))
}

// end marks the end of the load, before anything else is done to the fleet.
func (b *Bench) end(ctx context.Context) { b.sampler.Mark(ctx, markEnd) }

func (b *Bench) burst(ctx context.Context) error {
	if err := b.send(ctx, schedule.Burst(0, b.options.Kymas, b.name), burstInFlight); err != nil {
		return err
	}
	if b.options.Stuck > 0 {
		return b.phase("watch", func() error { return b.pause(ctx, b.options.Stuck) })
	}
	if err := b.converge(ctx, b.want); err != nil || b.options.AtRest == 0 {
		return err
	}
	b.end(ctx)
	return b.atRest(ctx)
}

// atRest measures what a converged fleet costs.
func (b *Bench) atRest(ctx context.Context) error {
	return b.phase("at rest", func() error {
		b.stopProbing()
		before := b.sampler.Mark(ctx, "rest-begin")
		if err := b.pause(ctx, b.options.AtRest); err != nil {
			return err
		}
		after := b.sampler.Mark(ctx, "rest-end")
		b.restFigures(after, before)
		return nil
	})
}

func (b *Bench) restFigures(after, before sampler.Sample) {
	writes, _ := measure.OperatorWrites(after, before)
	b.check("writes at rest", "", writes, nil)
	b.check("reconciles at rest", "", sum(measure.Reconciles(after, before, "kyma"), measure.Reconciles(after, before, "helmcomponent")), nil)
	b.check("operator's CPU at rest", "s", measure.OperatorCPU(after, before), nil)
}

func sum(values ...*float64) *float64 {
	var total float64
	for _, v := range values {
		if v == nil {
			return nil
		}
		total += *v
	}
	return &total
}

func (b *Bench) rate(ctx context.Context) error {
	if err := b.send(ctx, schedule.Rate(b.options.Kymas, b.options.Rate, b.name), rateInFlight); err != nil {
		return err
	}
	return b.converge(ctx, b.want)
}

// batches sends each batch when the one before is success.
func (b *Bench) batches(ctx context.Context) error {
	for i := range b.options.Batches {
		if err := b.send(ctx, schedule.Burst(i*b.options.Kymas, b.options.Kymas, b.name), burstInFlight); err != nil {
			return err
		}
		begun := b.clock.Now()
		if err := b.converge(ctx, b.want-(b.options.Batches-1-i)*b.options.Kymas); err != nil || !b.converged {
			return err
		}
		b.check(fmt.Sprintf("batch %d, send to success", i+1), "s", new(b.clock.Since(begun).Seconds()), nil)
	}
	return nil
}

// restart stops and starts the operator over a converged fleet: that must cost
// no write.
func (b *Bench) restart(ctx context.Context) error {
	if err := b.burst(ctx); err != nil || !b.converged {
		return err
	}
	b.end(ctx)
	if err := errors.Join(b.pause(ctx, calm), b.keepReference(ctx)); err != nil {
		return err
	}
	return b.phase("restart", func() error {
		b.stopProbing()
		before := b.sampler.Mark(ctx, "restart-begin")
		stopped := b.clock.Now()
		if err := b.restartOperator(ctx, history.Restart); err != nil {
			return err
		}
		ready := b.clock.Now()
		idle, ok, err := b.untilIdle(ctx, b.options.Timeout)
		if err != nil {
			return err
		}
		after := b.sampler.Mark(ctx, "restart-end")
		b.check("ready after a restart", "s", new(ready.Sub(stopped).Seconds()), nil)
		if ok {
			b.check("idle after a restart", "s", new(idle.Sub(stopped).Seconds()), nil)
		}
		writes, _ := measure.OperatorWrites(after, before)
		if b.place.API == nil {
			writes = after.Operator.Sum("rest_client_requests_total", sampler.Labels{"method": "POST|PUT|PATCH|DELETE"})
		}
		b.check("writes after a restart", "", writes, new(0.0))
		b.check("peak memory after a restart", "MB", b.peakMB(after), nil)
		return nil
	})
}

func (b *Bench) peakMB(s sampler.Sample) *float64 {
	if p, ok := s.Procs[sampler.Operator]; ok {
		return new(float64(p.PeakRSS) / 1e6)
	}
	return nil
}

// kill ends the operator by force, again and again, while the fleet is under
// way.
func (b *Bench) kill(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	killCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error
	wg.Go(func() {
		begun := b.clock.Now()
		for _, at := range schedule.Moments(b.options.Kills, b.options.Ideal()) {
			if b.pause(killCtx, at-b.clock.Since(begun)) != nil {
				return
			}
			// Not to be cut off between the end of one process and the start of
			// the next.
			if failed = b.restartOperator(context.WithoutCancel(ctx), history.Kill); failed != nil {
				return
			}
		}
	})
	if err := b.send(ctx, schedule.Burst(0, b.options.Kymas, b.name), burstInFlight); err != nil {
		return err
	}
	if err := b.converge(ctx, b.want); err != nil {
		return err
	}
	cancel()
	wg.Wait()
	return failed
}

// resync lets the time-based reconciliation pass over a converged fleet twice.
func (b *Bench) resync(ctx context.Context) error {
	if err := b.burst(ctx); err != nil || !b.converged {
		return err
	}
	b.end(ctx)
	if err := errors.Join(b.pause(ctx, calm), b.keepReference(ctx)); err != nil {
		return err
	}
	b.faults++
	return b.phase("resync", func() error {
		b.stopProbing()
		before := b.sampler.Mark(ctx, "resync-begin")
		if err := b.pause(ctx, 2*b.options.ResyncPeriod); err != nil {
			return err
		}
		after := b.sampler.Mark(ctx, "resync-end")
		writes, _ := measure.OperatorWrites(after, before)
		b.check("writes in two resyncs", "", writes, new(0.0))
		var deepest *float64
		for _, s := range b.sampler.Samples() {
			if d := measure.QueueDepth(s); d != nil && !s.At.Before(before.At) && (deepest == nil || *d > *deepest) {
				deepest = d
			}
		}
		b.check("deepest queue in two resyncs", "", deepest, nil)
		reconciled := sum(measure.Reconciles(after, before, "kyma"), measure.Reconciles(after, before, "helmcomponent"))
		b.check("reconciles in two resyncs", "", reconciled, nil)
		b.check("operator's CPU in two resyncs", "s", measure.OperatorCPU(after, before), nil)
		if fleet := b.recorder.Counts(); reconciled != nil && *reconciled < float64(fleet.Components+fleet.Kymas) {
			b.warn("the resync did not reach every object: is the operator's resync period short enough?")
		}
		return nil
	})
}

// churn changes a share of the fleet while it is under way. Every Kyma ends with
// the modules it began with.
func (b *Bench) churn(ctx context.Context) error {
	begun := b.clock.Now()
	if err := b.send(ctx, schedule.Burst(0, b.options.Kymas, b.name), burstInFlight); err != nil {
		return err
	}
	names := make([]string, 0, len(b.options.Modules))
	for _, m := range b.options.Modules {
		names = append(names, m.Name)
	}
	plan := schedule.Churn(b.options.Kymas, names, b.options.ChurnShare, b.options.Ideal(), b.options.Seed)
	changed := map[history.Ref]bool{}
	err := b.phase("churn", func() error {
		for _, op := range plan {
			if err := b.pause(ctx, op.After-b.clock.Since(begun)); err != nil {
				return err
			}
			changed[b.name(op.Kyma)] = true
			if err := b.apply(ctx, op); err != nil {
				b.warn(err.Error())
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.faults = len(plan)
	// The times of what was changed on the way say nothing.
	undisturbed := b.only
	b.only = func(ref history.Ref) bool { return !changed[ref] && (undisturbed == nil || undisturbed(ref)) }
	if err := b.converge(ctx, b.want); err != nil || !b.converged {
		return err
	}
	b.end(ctx)
	return b.phase("garbage", func() error { return b.untilCollected(ctx) })
}

// untilCollected waits until the components of deleted Kymas are gone, or the
// garbage collector has had its time.
func (b *Bench) untilCollected(ctx context.Context) error {
	_, err := b.until(ctx, b.options.Limits.GCGrace.Duration, func() bool {
		h := b.recorder.Snapshot()
		for _, c := range h.Components {
			if owner := h.Kymas[c.OwnerUID]; !c.Deleted() && owner != nil && owner.Deleted() {
				return false
			}
		}
		return true
	})
	return err
}

func (b *Bench) apply(ctx context.Context, op schedule.Op) error {
	ref := b.name(op.Kyma)
	switch op.Kind {
	case schedule.RemoveModule:
		rest := slices.DeleteFunc(slices.Clone(b.options.Modules), func(m v1alpha1.KymaComponent) bool { return m.Name == op.Module })
		return b.gen.SetModules(ctx, ref, rest)
	case schedule.AddModule:
		return b.gen.SetModules(ctx, ref, b.options.Modules)
	case schedule.DeleteKyma:
		return b.gen.Delete(ctx, ref)
	default:
		b.gen.Create(ctx, ref, b.clock.Now())
		return nil
	}
}

// poisoned makes a burst, and then the same again beside a Kyma that cannot
// succeed, its chart not being there, and one of 2 MB, which the API server must
// refuse.
func (b *Bench) poisoned(ctx context.Context) error {
	control := schedule.Burst(0, b.options.Kymas, b.name)
	if err := errors.Join(b.send(ctx, control, burstInFlight), b.converge(ctx, b.options.Kymas)); err != nil || !b.converged {
		return err
	}
	ref := func(name string) history.Ref {
		return history.Ref{Namespace: b.options.Namespace, Name: generator.PoisonPrefix + name}
	}
	b.gen.CreateWith(ctx, ref("chart"), b.clock.Now(), generator.BadChart())
	if b.gen.Refused(ctx, ref("large"), generator.TwoMegabytes()) {
		b.board.Note("the API server refuses a spec of 2 MB")
	} else {
		b.warn("the API server takes a spec of 2 MB")
	}
	b.want = 2 * b.options.Kymas
	beside := schedule.Burst(b.options.Kymas, b.options.Kymas, b.name)
	if err := b.send(ctx, beside, burstInFlight); err != nil {
		return err
	}
	err := b.phase("converge", func() error {
		ok, err := b.until(ctx, b.options.Timeout, func() bool { return b.recorder.Counts().Success >= b.want })
		b.converged, b.timedOut = ok, !ok && err == nil
		return err
	})
	if err != nil || !b.converged {
		return err
	}
	among := func(sends []schedule.Send) time.Duration {
		refs := map[history.Ref]bool{}
		for _, s := range sends {
			refs[s.Ref] = true
		}
		times, _, _ := measure.Kymas(b.recorder.Snapshot(), measure.FromSend, func(r history.Ref) bool { return refs[r] })
		d := stats.NewDurations()
		for _, t := range times {
			d.Record(t.Took())
		}
		return d.Quantile(0.99)
	}
	b.poison = &invariant.Poison{ControlP99: among(control), PoisonedP99: among(beside)}
	b.only = func(r history.Ref) bool { return !strings.HasPrefix(r.Name, generator.PoisonPrefix) }
	return nil
}

// onlooker waits for Kymas that somebody else creates. It ends when as many as
// were asked for are success, or, without a number, when those that came are.
func (b *Bench) onlooker(ctx context.Context) error {
	const quiet = 5 * time.Second
	return b.phase("observe", func() error {
		ok, err := b.until(ctx, b.options.Timeout, func() bool {
			c := b.recorder.Counts()
			if b.options.Kymas > 0 {
				return c.Success >= b.options.Kymas
			}
			return c.Kymas > 0 && c.Success == c.Kymas && b.clock.Since(c.LastChange) > quiet
		})
		b.converged, b.timedOut = ok, !ok && err == nil
		b.want = b.recorder.Counts().Kymas
		return err
	})
}
