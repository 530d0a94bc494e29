package kyma

import (
	"testing"
	"time"

	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
)

func TestComponentEvents(t *testing.T) {
	ky := kymaOf("ory", "istio")
	ory, istio := childOf(ky, "ory"), childOf(ky, "istio")
	tests := map[string]struct {
		change func(*v1alpha1.HelmComponent)
		other  *v1alpha1.HelmComponent
		now    int // on the queue at once
		later  int // after the delay
	}{
		"a step on the way":                  {func(hc *v1alpha1.HelmComponent) { hc.Status.Status = v1alpha1.ComponentFailing }, istio, 0, 0},
		"success, others to come":            {succeeded, istio, 0, 1},
		"its spec is another":                {func(hc *v1alpha1.HelmComponent) { hc.Spec.Version, hc.Generation = "9", 2 }, istio, 0, 1},
		"success of the last one":            {succeeded, childOf(ky, "istio", succeeded), 1, 1},
		"the last one but for one that goes": {succeeded, childOf(ky, "rafter", deleting), 1, 1},
		"a message":                          {failingWith("no chart"), istio, 0, 1},
		"somebody changed its spec":          {func(hc *v1alpha1.HelmComponent) { hc.Spec.Version = "9" }, istio, 0, 1},
		"it is being deleted":                {deleting, istio, 0, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			changed := ory.DeepCopy()
			tc.change(changed)
			f := newFixture(t, ky, changed, tc.other)
			f.componentEvents().OnUpdate(ory, changed)
			if f.queue.Len() != tc.now {
				t.Errorf("%d on the queue at once, want %d", f.queue.Len(), tc.now)
			}
			if tc.later > tc.now {
				// The workqueue has a ticker of its own.
				eventually.True(t, "waiting for the delay", func() bool { return f.clock.Waiters() == 2 })
			}
			f.clock.Step(coalesceDelay + time.Millisecond)
			eventually.True(t, "the Kyma on the queue", func() bool { return f.queue.Len() == tc.later })
		})
	}
}

// A Kyma that waits for capacity looks at everything when there is some: what
// only its status would tell waits as long, what there is to do does not.
func TestParkedKymasAreNotWokenForTheirStatus(t *testing.T) {
	ky := kymaOf("ory", "istio")
	ory := childOf(ky, "ory")
	tests := map[string]struct {
		change func(*v1alpha1.HelmComponent)
		other  *v1alpha1.HelmComponent
		after  time.Duration
	}{
		"success, others to come":   {succeeded, childOf(ky, "istio"), busyDelay},
		"a message":                 {failingWith("no chart"), childOf(ky, "istio"), busyDelay},
		"success of the last one":   {succeeded, childOf(ky, "istio", succeeded), 0},
		"somebody changed its spec": {func(hc *v1alpha1.HelmComponent) { hc.Spec.Version = "9" }, childOf(ky, "istio"), coalesceDelay},
		"it is being deleted":       {deleting, childOf(ky, "istio"), coalesceDelay},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			changed := ory.DeepCopy()
			tc.change(changed)
			f := newFixture(t, ky, changed, tc.other)
			for range 8 {
				_, err := f.Throttle.TryAcquire()
				must(t, err)
			}
			f.Throttle.Park(keyPB, epoch, func() { t.Error("woken without capacity to spare") })
			f.componentEvents().OnUpdate(ory, changed)
			if tc.after > 0 {
				// The workqueue has a ticker of its own.
				eventually.True(t, "waiting for the delay", func() bool { return f.clock.Waiters() == 2 })
				f.clock.Step(tc.after - time.Millisecond)
				if f.queue.Len() != 0 {
					t.Fatalf("the Kyma came to the queue before %s", tc.after)
				}
				eventually.True(t, "waiting on", func() bool { return f.clock.Waiters() == 2 })
				f.clock.Step(time.Millisecond)
			}
			eventually.True(t, "the Kyma on the queue", func() bool { return f.queue.Len() == 1 })
		})
	}
}

func TestOwnWritesBringNoNews(t *testing.T) {
	ky := kymaOf("ory")
	f := newFixture(t, ky)
	f.status.Wrote(keyPB.ObjectName, "2")
	own := ky.DeepCopy()
	own.ResourceVersion = "2"
	f.kymaEvents().OnUpdate(ky, own)
	child := childOf(ky, "ory")
	f.children.writes.Wrote(cache.MetaObjectToName(child), child.ResourceVersion)
	f.componentEvents().OnAdd(child, false)
	if f.queue.Len() != 0 {
		t.Error("an own write came back to the queue")
	}
	foreign := ky.DeepCopy()
	foreign.ResourceVersion = "3"
	f.kymaEvents().OnUpdate(own, foreign)
	if f.queue.Len() != 1 {
		t.Error("somebody else's change did not come to the queue")
	}
}

func TestDeletionsWithoutAFinalStateAreSeen(t *testing.T) {
	f := newFixture(t, nil)
	f.kymaEvents().OnDelete(cache.DeletedObject[*v1alpha1.Kyma]{
		FinalStateUnknown: &cache.DeletedFinalStateUnknown{Key: "ns/pb"},
	})
	if key, _ := f.queue.Get(); key != keyPB {
		t.Errorf("key = %v, want %v", key, keyPB)
	}
	f.componentEvents().OnDelete(cache.DeletedObject[*v1alpha1.HelmComponent]{
		FinalStateUnknown: &cache.DeletedFinalStateUnknown{Key: "ns/pb-ory"},
	})
}

func TestDeadlines(t *testing.T) {
	ky := kymaOf("ory", "monitoring")
	tests := map[string]struct {
		children []*v1alpha1.HelmComponent
		want     time.Duration
	}{
		"the longest is missing":  {nil, -31 * time.Second},
		"a short one is missing":  {[]*v1alpha1.HelmComponent{childOf(ky, "monitoring")}, -10 * time.Second},
		"on its way":              {[]*v1alpha1.HelmComponent{childOf(ky, "monitoring"), childOf(ky, "ory")}, patience},
		"all are success":         {[]*v1alpha1.HelmComponent{childOf(ky, "monitoring", succeeded), childOf(ky, "ory", succeeded)}, 31 * time.Second},
		"something to be removed": {[]*v1alpha1.HelmComponent{childOf(ky, "monitoring"), childOf(ky, "ory"), childOf(ky, "rafter")}, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, ky, tc.children...)
			if got := f.deadline(keyPB).Sub(epoch); got != tc.want {
				t.Errorf("deadline = %s, want %s", got, tc.want)
			}
		})
	}
}

// A Kyma that waits for a name learns at once when it is free.
func TestFreedNamesWakeWhoeverWaits(t *testing.T) {
	foreign := &v1alpha1.HelmComponent{}
	foreign.Namespace, foreign.Name = "ns", "pb-ory"
	f := newFixture(t, kymaOf("ory"), foreign)
	if _, err := f.Controller.sync(t.Context(), keyPB); err == nil {
		t.Fatal("no error while the name is taken")
	}
	f.componentEvents().OnDelete(cache.DeletedObject[*v1alpha1.HelmComponent]{OptionalObj: foreign})
	if f.queue.Len() != 1 {
		t.Error("the Kyma that waits for the name was not woken")
	}
}
