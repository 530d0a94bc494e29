package helmcomponent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/queue"
	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/fake"
	"github.com/kyma-incubator/kymactl/pkg/render"
)

var keyIstio = Key{cache.ObjectName{Namespace: "ns", Name: "pb-istio"}}

type fixture struct {
	*Controller
	t        *testing.T
	clock    *clocktesting.FakeClock
	charts   *charts
	statuses []v1alpha1.HelmComponentStatus
	putError error
	late     map[string]time.Duration
}

func (f *fixture) StatusWrite(string, string, int)             {}
func (f *fixture) Reconciled(string, time.Duration, error)     {}
func (f *fixture) Late(state string, late time.Duration)       { f.late[state] = late }
func (f *fixture) store(hc *v1alpha1.HelmComponent)            { must(f.t, f.Components.GetStore().Add(hc)) }
func (f *fixture) last() (status v1alpha1.HelmComponentStatus) { return f.statuses[len(f.statuses)-1] }

// charts is a renderer whose renders end when the test says so.
type charts struct {
	mu      sync.Mutex
	renders int
	err     error
	hold    chan struct{}
}

func (c *charts) Render(context.Context, render.Request) (render.Manifest, error) {
	c.mu.Lock()
	c.renders++
	hold, err := c.hold, c.err
	c.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return render.Manifest{Digest: digest}, err
}

func newFixture(t *testing.T, hcs ...*v1alpha1.HelmComponent) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: clocktesting.NewFakeClock(epoch), charts: &charts{}, late: map[string]time.Duration{}}
	components, err := informers.NewHelmComponents(fake.NewClientset(), informers.Options{})
	must(t, err)
	f.Controller, err = New(Dependencies{
		Components: components, Renderer: f.charts, Clock: f.clock, Metrics: f,
		Throttle: throttle.New(throttle.Options{QPS: -1, MaxInFlight: 1, Clock: f.clock}),
		PutStatus: func(_ context.Context, body commit.Body[v1alpha1.HelmComponentStatus]) (string, error) {
			if f.putError != nil {
				return "", f.putError
			}
			f.statuses = append(f.statuses, body.Status)
			return "100", nil
		},
		Current: func(context.Context, cache.ObjectName) (metav1.Object, error) { return nil, f.putError },
	}, Options{
		Workers: 1, Retry: queue.Retry{BaseDelay: time.Second, MaxDelay: time.Minute, QPS: 10, Burst: 10},
		Timeline: lifecycle.Timeline{Unit: time.Second}, Coalesce: true,
	})
	must(t, err)
	for _, hc := range hcs {
		f.store(hc)
	}
	t.Cleanup(f.queue.ShutDown)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) sync(want time.Duration) {
	f.t.Helper()
	after, err := f.Controller.sync(f.t.Context(), f.t.Context(), keyIstio)
	if err != nil || after != want {
		f.t.Fatalf("sync = %s, %v; want %s", after, err, want)
	}
}

// The whole walk, with the object in the cache following each write.
func TestSyncWalksThroughTheLifecycle(t *testing.T) {
	f := newFixture(t, component())
	f.sync(time.Second)
	if len(f.statuses) != 0 {
		t.Fatal("pending, which the API server fills in, was written")
	}
	waits := map[v1alpha1.ComponentState]time.Duration{
		v1alpha1.ComponentStarted: 5 * time.Second, v1alpha1.ComponentFailing: 5 * time.Second,
		v1alpha1.ComponentRetrying: 5 * time.Second, v1alpha1.ComponentSuccess: 0,
	}
	step := time.Second
	for _, state := range lifecycle.States()[1:] {
		f.clock.Step(step)
		f.sync(waits[state])
		status := f.last()
		if status.Status != state || status.ManifestDigest != digest || status.ObservedGeneration != 1 || status.LastReconciliation == nil {
			t.Fatalf("status = %+v, want %s", status, state)
		}
		if f.late[string(state)] != 0 {
			t.Errorf("%s is late by %s", state, f.late[string(state)])
		}
		f.store(component(func(hc *v1alpha1.HelmComponent) { hc.Status, hc.ResourceVersion = status, "100" }))
		step = waits[state]
	}
	f.sync(0)
	if len(f.statuses) != 4 || f.charts.renders != 1 {
		t.Errorf("%d writes and %d renders, want 4 and 1", len(f.statuses), f.charts.renders)
	}
}

func TestSyncWaitsForTheCacheToShowItsOwnWrite(t *testing.T) {
	f := newFixture(t, component())
	f.clock.Step(time.Second)
	f.sync(5 * time.Second)
	f.sync(staleDelay)
	if len(f.statuses) != 1 {
		t.Errorf("%d writes from one state, want 1", len(f.statuses))
	}
}

func TestSyncTellsOfABrokenChartOnce(t *testing.T) {
	f := newFixture(t, component())
	f.charts.err = errors.New("broken")
	f.clock.Step(time.Second)
	for range 3 {
		if _, err := f.Controller.sync(t.Context(), t.Context(), keyIstio); err == nil {
			t.Fatal("a broken chart is no error")
		}
		status := f.last()
		if status.Message == "" || status.Status != v1alpha1.ComponentPending {
			t.Fatalf("status = %+v", status)
		}
		f.store(component(func(hc *v1alpha1.HelmComponent) { hc.Status, hc.ResourceVersion = status, "100" }))
		f.clock.Step(time.Minute)
	}
	if len(f.statuses) != 1 {
		t.Errorf("%d writes of one message, want 1", len(f.statuses))
	}
	f.charts.err = nil
	f.sync(time.Second)
	if status := f.last(); status.Message != "" || !status.StartTime.Time.Equal(f.clock.Now()) || status.ManifestDigest != digest {
		t.Errorf("status = %+v, want a new timeline", status)
	}
}

// A chart that takes its time leaves the worker free, and wakes the component.
func TestSyncDoesNotWaitForASlowChart(t *testing.T) {
	f := newFixture(t, component())
	f.charts.hold = make(chan struct{})
	f.clock.Step(time.Second)
	left := make(chan struct{})
	go func() {
		defer close(left)
		f.sync(0)
	}()
	// The workqueue has a ticker of its own.
	eventually.True(t, "the worker waiting for a bounded time", func() bool { return f.clock.Waiters() == 2 })
	f.clock.Step(renderPatience)
	<-left
	if len(f.statuses) != 0 {
		t.Fatal("something was written without the chart")
	}
	close(f.charts.hold)
	key, _ := f.queue.Get()
	if key != keyIstio {
		t.Fatalf("woken = %v", key)
	}
	f.sync(5*time.Second - renderPatience)
	if f.last().Status != v1alpha1.ComponentStarted || f.charts.renders != 1 {
		t.Errorf("status = %+v after %d renders", f.last(), f.charts.renders)
	}
}

func TestSyncOnABusyServer(t *testing.T) {
	f := newFixture(t, component(in(v1alpha1.ComponentStarted)))
	release, err := f.Throttle.TryAcquire()
	must(t, err)
	f.clock.Step(6 * time.Second)
	f.sync(10 * time.Second) // when success is due, whatever else is before
	f.clock.Step(4 * time.Second)
	f.sync(6 * time.Second)
	if len(f.statuses) != 0 || f.queue.Len() != 0 {
		t.Error("an intermediate state was written on a busy server")
	}
	release()
	if f.queue.Len() != 1 {
		t.Error("the component was not woken when there was capacity to spare")
	}
	f.sync(time.Second) // when retrying is due
	if f.last().Status != v1alpha1.ComponentFailing {
		t.Errorf("status = %+v", f.last())
	}
}

// The next state of a name this long is too far ahead to put the one before off
// until then.
func TestSyncOnABusyServerLosesPatience(t *testing.T) {
	f := newFixture(t, component(in(v1alpha1.ComponentPending), func(hc *v1alpha1.HelmComponent) {
		hc.Spec.ComponentName = strings.Repeat("x", 63)
		hc.Status.ManifestDigest = digest
	}))
	release, err := f.Throttle.TryAcquire()
	must(t, err)
	f.clock.Step(11 * time.Second) // started is due since 10 s
	f.sync(patience - 10*time.Second)
	f.clock.Step(patience - 10*time.Second)
	var sync sync.WaitGroup
	sync.Go(func() { f.sync(3 * time.Second) })
	eventually.True(t, "waiting for its turn", func() bool {
		_, _, waiting := f.Throttle.Usage()
		return waiting == 1
	})
	release()
	sync.Wait()
	if f.last().Status != v1alpha1.ComponentStarted {
		t.Errorf("status = %+v", f.last())
	}
}

func TestParkedComponentsThatAreGoneLeave(t *testing.T) {
	f := newFixture(t)
	_, err := f.Throttle.TryAcquire()
	must(t, err)
	f.Throttle.Park(keyIstio, epoch, func() {})
	f.sync(0)
	if f.Throttle.Parked(keyIstio) {
		t.Error("a component that is gone is still parked")
	}
}

// A success that is written again (AlwaysWrite) has no final state ahead.
func TestSuccessIsNotUrgent(t *testing.T) {
	f := newFixture(t)
	f.clock.Step(time.Hour)
	deadline := f.clock.Now().Add(patience)
	if got := f.untilUrgent(component(in(v1alpha1.ComponentSuccess)), deadline); got != patience {
		t.Errorf("urgent in %s, want %s", got, patience)
	}
}

func TestSyncAfterAConflictLooksAgain(t *testing.T) {
	f := newFixture(t, component())
	f.clock.Step(time.Second)
	f.putError = apierrors.NewConflict(schema.GroupResource{}, "pb-istio", errors.New("changed"))
	f.sync(staleDelay)
}

func TestSyncLeavesAlone(t *testing.T) {
	now := metav1.NewTime(epoch)
	tests := map[string][]*v1alpha1.HelmComponent{
		"gone":          nil,
		"being deleted": {component(func(hc *v1alpha1.HelmComponent) { hc.DeletionTimestamp = &now })},
		"success":       {component(in(v1alpha1.ComponentSuccess))},
	}
	for name, hcs := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, hcs...)
			f.clock.Step(time.Hour)
			f.sync(0)
			if len(f.statuses) != 0 {
				t.Errorf("statuses = %+v", f.statuses)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	tests := map[string]struct {
		hc   *v1alpha1.HelmComponent
		at   time.Duration
		want time.Duration
	}{
		"an intermediate state is patient":    {component(), time.Second, time.Second + patience},
		"the final one by when it was due":    {component(in(v1alpha1.ComponentRetrying)), 20 * time.Second, 16 * time.Second},
		"a new timeline at once":              {component(generation(2)), 20 * time.Second, 20 * time.Second},
		"nothing due sorts behind what is so": {component(in(v1alpha1.ComponentRetrying)), 12 * time.Second, 12*time.Second + patience},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tc.hc)
			f.clock.Step(tc.at)
			if got := f.deadline(keyIstio).Sub(epoch); got != tc.want {
				t.Errorf("deadline = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	f := newFixture(t)
	f.events().OnAdd(component(in(v1alpha1.ComponentSuccess)), true)
	own := component(func(hc *v1alpha1.HelmComponent) { hc.ResourceVersion = "7" })
	f.status.Wrote(keyIstio.ObjectName, "7")
	f.events().OnUpdate(component(), own)
	if f.queue.Len() != 0 {
		t.Error("what is settled or the own write came to the queue")
	}
	f.events().OnAdd(component(), false)
	f.events().OnUpdate(component(), component(in(v1alpha1.ComponentFailing)))
	f.events().OnDelete(cache.DeletedObject[*v1alpha1.HelmComponent]{FinalStateUnknown: &cache.DeletedFinalStateUnknown{Key: "ns/gone"}})
	var keys []string
	for f.queue.Len() > 0 {
		key, _ := f.queue.Get()
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	if want := []string{"ns/gone", "ns/pb-istio"}; !slices.Equal(keys, want) {
		t.Errorf("keys = %q, want %q", keys, want)
	}
}
