package helmcomponent

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/render"
)

// Request is what to render for a component. It depends on the spec alone, so
// that all Kymas share one render of a chart.
func Request(spec v1alpha1.HelmComponentSpec) render.Request {
	return render.Request{
		Component: spec.ComponentName, ChartLocation: spec.ChartLocation, Version: spec.Version,
		Namespace: spec.Namespace, ReleaseName: spec.ComponentName,
	}
}

// rendering keeps renders off the workers: each runs in a goroutine of its own,
// one for all components that want the same chart, and a worker waits for it no
// longer than patience. Whoever could not wait is woken when it has ended, and
// then finds the outcome kept for it.
type rendering struct {
	renderer render.Renderer
	clock    clock.WithTicker
	patience time.Duration
	wake     func(Key)

	mu       sync.Mutex
	running  map[v1alpha1.HelmComponentSpec]*job
	outcomes map[Key]outcome
	jobs     sync.WaitGroup
}

type job struct {
	done    chan struct{}
	result  rendered
	waiting map[Key]struct{}
}

type outcome struct {
	spec   v1alpha1.HelmComponentSpec
	result rendered
}

func newRendering(r render.Renderer, c clock.WithTicker, patience time.Duration, wake func(Key)) *rendering {
	return &rendering{
		renderer: r, clock: c, patience: patience, wake: wake,
		running: map[v1alpha1.HelmComponentSpec]*job{}, outcomes: map[Key]outcome{},
	}
}

// get returns what a component's chart renders to, or nil when that takes
// longer; the component's key is added to the queue again when it is known.
// stop ends the render.
func (r *rendering) get(stop context.Context, key Key, hc *v1alpha1.HelmComponent) *rendered {
	j, kept := r.join(stop, key, hc.Spec)
	if kept != nil {
		return kept
	}
	timer := r.clock.NewTimer(r.patience)
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timer.C():
		if r.waitsFor(j, key) {
			return nil
		}
	}
	return &j.result
}

// join finds what is kept for the key, or the render that runs for the chart,
// or starts one.
func (r *rendering) join(stop context.Context, key Key, wanted v1alpha1.HelmComponentSpec) (*job, *rendered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept, ok := r.outcomes[key]; ok {
		delete(r.outcomes, key)
		if kept.spec == wanted {
			return nil, &kept.result
		}
	}
	j, ok := r.running[wanted]
	if !ok {
		j = &job{done: make(chan struct{}), waiting: map[Key]struct{}{}}
		r.running[wanted] = j
		r.jobs.Go(func() { r.run(stop, wanted, j) })
	}
	return j, nil
}

// waitsFor leaves the key with a job; false if the job has ended meanwhile.
func (r *rendering) waitsFor(j *job, key Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-j.done:
		return false
	default:
		j.waiting[key] = struct{}{}
		return true
	}
}

func (r *rendering) run(ctx context.Context, spec v1alpha1.HelmComponentSpec, j *job) {
	manifest, err := r.renderer.Render(ctx, Request(spec))
	switch {
	case err == nil:
		j.result = rendered{digest: manifest.Digest}
	case !render.InProgress(err):
		// One that was given up in a shutdown says nothing about the chart.
		j.result = rendered{reason: render.Reason(err)}
	}
	r.mu.Lock()
	delete(r.running, spec)
	for key := range j.waiting {
		r.outcomes[key] = outcome{spec, j.result}
	}
	close(j.done)
	r.mu.Unlock()
	for key := range j.waiting {
		r.wake(key)
	}
}

// forget drops what is kept for a component that is gone.
func (r *rendering) forget(key Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.outcomes, key)
}

// wait returns when no render runs any more.
func (r *rendering) wait() { r.jobs.Wait() }
