// Package bench makes one run: it puts generator, observer, sampler and operator
// together on one place, plays a scenario, and hands over the complete report,
// also when it was interrupted.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/capacity"
	"github.com/kyma-incubator/kymactl/e2e/lab/generator"
	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/observer"
	"github.com/kyma-incubator/kymactl/e2e/lab/place"
	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/e2e/lab/schedule"
)

// Operator is the operator under test, a process or a Deployment.
type Operator interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Kill(ctx context.Context) error
	// Restore puts back what Start changed, once the run is over.
	Restore(ctx context.Context) error
	Metrics(ctx context.Context) (io.ReadCloser, error)
	// PID on this machine; 0 for none.
	PID() int
	// Starts counts the processes that ran, and those that the lab started.
	Starts(ctx context.Context) (all, injected int)
	// Faults are crashes that the log tells of; an error says that the log could
	// not be read.
	Faults(ctx context.Context) ([]string, error)
	Describe(ctx context.Context) (version string, args []string)
	InCluster() bool
}

// Names of the marks.
const (
	markBegin   = "begin"
	markEnd     = "end"
	markSettle  = "settle"
	markSettled = "settled"
)

// lagEvery is the period of the watch probe; finishTimeout bounds what is done
// after an interrupt.
const (
	lagEvery      = time.Second
	finishTimeout = 2 * time.Minute
	pollEvery     = 100 * time.Millisecond
)

// Bench is one run.
type Bench struct {
	place    *place.Place
	operator Operator // nil: not under the lab's control
	options  Options
	clock    clock.WithTicker
	board    *progress.Board

	recorder *history.Recorder
	gen      *generator.Generator
	sampler  *sampler.Sampler
	lag      *observer.Lag
	name     func(int) history.Ref

	started   time.Time
	phases    []report.Phase
	capacity  *capacity.Result
	checks    []report.Check
	reference map[string]string
	faults    int
	settle    *invariant.Settle
	poison    *invariant.Poison
	// outcome
	converged, timedOut bool
	want                int
	stopProbe           func()
	// foreign are namespaces that were there before: they stay, and what is in
	// them but the run's own.
	foreign  map[string]bool
	probed   sync.WaitGroup
	mu       sync.Mutex // guards warnings, which the watch probe adds to as well
	warnings []string
	// only tells which Kymas count for the times; nil: all.
	only func(history.Ref) bool
}

// New returns a bench for one run. operator is nil where the lab can neither
// control nor read it.
func New(p *place.Place, operator Operator, c clock.WithTicker, board *progress.Board, o Options) *Bench {
	recorder := history.NewRecorder(o.Namespace)
	b := &Bench{
		place: p, operator: operator, options: o, clock: c, board: board,
		recorder: recorder, gen: generator.New(p.Client, c, recorder, o.Modules), lag: observer.NewLag(),
		name:      schedule.Namer(o.Namespace, o.unwatched(), "ky", o.ObserveFraction),
		stopProbe: func() {}, foreign: map[string]bool{},
	}
	config := sampler.Config{
		Clock: c, API: p.API, Etcd: p.Etcd, PIDs: b.pids, Fleet: recorder.Counts,
		Sent:  func() (int, int) { return b.gen.Acked(), b.gen.Writes() + b.lag.Writes() },
		Every: sampleEvery(o), EveryAPI: 10 * time.Second, OnSample: b.show,
	}
	if operator != nil {
		config.Operator = operator.Metrics
	}
	b.sampler = sampler.New(config)
	return b
}

// sampleEvery is fine enough for a short timeline and rare enough to cost a
// large fleet little: the operator counts its objects at every scrape.
func sampleEvery(o Options) time.Duration {
	switch {
	case o.Ideal() < 20*time.Second:
		return 500 * time.Millisecond
	case o.Total() > 200:
		return 2 * time.Second
	}
	return time.Second
}

func (b *Bench) pids() map[string]int {
	out := map[string]int{sampler.Lab: sampler.Self()}
	maps.Copy(out, b.place.PIDs())
	if b.operator != nil {
		if pid := b.operator.PID(); pid != 0 {
			out[sampler.Operator] = pid
		}
	}
	return out
}

// Run plays the scenario and returns the report. An error means that the set-up
// failed: there is nothing to report then. Everything that the run made is
// removed again, also after an interrupt.
func (b *Bench) Run(ctx context.Context) (r *report.Report, err error) {
	b.started = b.clock.Now()
	b.want = b.options.Total()
	b.board.Update(func(s *progress.Status) {
		*s = progress.Status{
			Scenario: b.options.Scenario, Experiment: s.Experiment, Since: b.started, Kymas: b.want, IdealSecs: b.options.Ideal().Seconds(),
		}
	})
	defer func() { err = errors.Join(err, b.cleanUp(ctx)) }()
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if err := b.observe(ctx, runCtx); err != nil {
		return nil, err
	}
	if err := b.play(ctx); err != nil && ctx.Err() == nil {
		return nil, err
	}
	b.stopProbing()
	return b.finish(ctx)
}

// prepare makes the namespaces, probes the capacity and starts the operator.
func (b *Bench) prepare(ctx context.Context) error {
	for _, ns := range b.options.namespaces() {
		ours, err := b.place.MakeNamespace(ctx, ns)
		if err != nil {
			return err
		}
		if !ours {
			b.foreign[ns] = true
		}
	}
	if b.options.CapacityProbe > 0 {
		err := b.phase("capacity probe", func() error {
			probe := capacity.Probe{Config: b.place.Config, Client: b.place.Client, Clock: b.clock, Metrics: b.place.API, Namespace: b.options.Namespace}
			var err error
			b.capacity, err = probe.Run(ctx, b.options.CapacityProbe)
			return err
		})
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// Without the right to make a CRD there is no probe, and no floor but
			// the ideal; the run is worth making all the same.
			b.warn("the write capacity could not be probed: " + err.Error())
		}
	}
	b.board.Update(func(s *progress.Status) { s.FloorSecs = b.floor().Seconds() })
	if b.operator == nil {
		return nil
	}
	return b.phase("operator start", func() error { return b.operator.Start(ctx) })
}

// observe starts watches, samples and the watch probe.
func (b *Bench) observe(ctx, runCtx context.Context) error {
	watcher := observer.New(b.place.Client, b.clock, b.recorder, b.lag)
	if err := watcher.Start(runCtx, b.options.namespaces(), []string{b.options.Namespace}); err != nil {
		return err
	}
	probeCtx, cancel := context.WithCancel(runCtx)
	b.stopProbe = cancel
	b.probed.Go(func() {
		if err := b.lag.Probe(probeCtx, b.place.Client, b.clock, b.options.Namespace, lagEvery); err != nil {
			b.warn("the lag of the watch could not be measured: " + err.Error())
		}
	})
	go b.sampler.Run(runCtx)
	// The probe object has its own short life; the load begins when it is there.
	select {
	case <-ctx.Done():
	case <-b.clock.After(lagEvery):
	}
	return nil
}

// stopProbing ends the watch probe: from then on the lab writes nothing.
func (b *Bench) stopProbing() {
	b.stopProbe()
	b.probed.Wait()
}

// cleanUp stops the operator and removes what the run made.
func (b *Bench) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
	defer cancel()
	b.stopProbing()
	var errs []error
	if b.operator != nil && !b.options.Keep {
		errs = append(errs, b.operator.Stop(ctx), b.operator.Restore(ctx))
	}
	// The embedded control plane goes as a whole, unless it is kept.
	if b.options.Keep || b.place.Name == place.Embedded {
		return errors.Join(errs...)
	}
	b.setPhase("clean-up")
	if len(b.foreign) > 0 {
		errs = append(errs, b.gen.DeleteAll(ctx), b.lag.Remove(ctx, b.place.Client, b.options.Namespace))
	}
	for _, ns := range b.options.namespaces() {
		if !b.foreign[ns] {
			errs = append(errs, b.place.RemoveNamespace(ctx, ns, 5*time.Minute))
		}
	}
	return errors.Join(errs...)
}

func (b *Bench) setPhase(name string) {
	now := b.clock.Now()
	b.board.Update(func(s *progress.Status) { s.Phase, s.PhaseSince = name, now })
}

// phase runs a part of the run and notes when it began and ended.
func (b *Bench) phase(name string, run func() error) error {
	b.setPhase(name)
	start := b.clock.Since(b.started).Seconds()
	err := run()
	end := b.clock.Since(b.started).Seconds()
	b.phases = append(b.phases, report.Phase{Name: name, Start: start, End: end})
	b.board.Note(fmt.Sprintf("%-16s %6.1f s", name, end-start))
	return err
}

func (b *Bench) warn(text string) {
	b.mu.Lock()
	b.warnings = append(b.warnings, text)
	b.mu.Unlock()
	b.board.Note("warning: " + text)
}
