package helmcomponent

import (
	"testing"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// All components that want one chart wait for one render, and each is woken.
func TestOneRenderForAllThatWait(t *testing.T) {
	f := newFixture(t)
	f.charts.hold = make(chan struct{})
	woken := make(chan Key, 10)
	r := newRendering(f.charts, clock.RealClock{}, 0, func(key Key) { woken <- key })
	for i := range 10 {
		key := Key{cache.ObjectName{Namespace: "ns", Name: string(rune('a' + i))}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if got := r.get(t.Context(), key, component()); got != nil {
				t.Errorf("got %+v before the render ended", got)
			}
		}()
		<-done
	}
	close(f.charts.hold)
	for range 10 {
		key := <-woken
		if got := r.get(t.Context(), key, component()); got == nil || got.digest != digest {
			t.Errorf("outcome kept for %s = %+v", key, got)
		}
	}
	if f.charts.renders != 1 {
		t.Errorf("%d renders, want 1", f.charts.renders)
	}
	if len(r.outcomes) != 0 || len(r.running) != 0 {
		t.Errorf("%d outcomes and %d renders are left", len(r.outcomes), len(r.running))
	}
}

// An outcome that was kept for one chart is not used for another.
func TestOutcomeOfAnotherChartIsDropped(t *testing.T) {
	f := newFixture(t)
	r := newRendering(f.charts, f.clock, 0, func(Key) {})
	r.outcomes[keyIstio] = outcome{v1alpha1.HelmComponentSpec{ComponentName: "istio", Version: "old"}, rendered{digest: "old"}}
	_, kept := r.join(t.Context(), keyIstio, component().Spec)
	r.wait()
	if kept != nil {
		t.Errorf("kept = %+v", kept)
	}
	r.outcomes[keyIstio] = outcome{}
	r.forget(keyIstio)
	if len(r.outcomes) != 0 {
		t.Error("the outcome of a component that is gone is kept")
	}
}
