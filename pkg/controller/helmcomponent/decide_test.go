package helmcomponent

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const digest = "sha256:d"

// component makes an istio (N = 5: started at 1 s, failing at 6, retrying at
// 11, success at 16) that was created at epoch.
func component(modify ...func(*v1alpha1.HelmComponent)) *v1alpha1.HelmComponent {
	hc := &v1alpha1.HelmComponent{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "pb-istio", UID: "uid", ResourceVersion: "1", Generation: 1,
			CreationTimestamp: metav1.NewTime(epoch),
		},
		Spec:   v1alpha1.HelmComponentSpec{ComponentName: "istio", Namespace: "istio-system"},
		Status: v1alpha1.HelmComponentStatus{Status: v1alpha1.ComponentPending},
	}
	for _, m := range modify {
		m(hc)
	}
	return hc
}

// in puts a component whose chart was rendered into a state.
func in(state v1alpha1.ComponentState) func(*v1alpha1.HelmComponent) {
	return func(hc *v1alpha1.HelmComponent) {
		hc.Status = v1alpha1.HelmComponentStatus{Status: state, ManifestDigest: digest, ObservedGeneration: 1}
	}
}

func generation(n int64) func(*v1alpha1.HelmComponent) {
	return func(hc *v1alpha1.HelmComponent) { hc.Generation = n }
}

func message(s string) func(*v1alpha1.HelmComponent) {
	return func(hc *v1alpha1.HelmComponent) { hc.Status.Message = s }
}

func startedAt(d time.Duration) func(*v1alpha1.HelmComponent) {
	return func(hc *v1alpha1.HelmComponent) {
		start := metav1.NewMicroTime(epoch.Add(d))
		hc.Status.StartTime = &start
	}
}

func TestDecide(t *testing.T) {
	ok, bad := &rendered{digest: digest}, &rendered{reason: "no such chart"}
	tests := map[string]struct {
		hc      *v1alpha1.HelmComponent
		at      time.Duration
		chart   *rendered
		inOrder bool
		want    decision
	}{
		"pending, nothing due": {
			hc: component(), at: 400 * time.Millisecond,
			want: decision{status: component().Status, due: epoch.Add(400 * time.Millisecond), after: 600 * time.Millisecond, optional: true},
		},
		"started is due, the chart unknown": {
			hc: component(), at: time.Second,
			want: decision{status: component().Status, render: true},
		},
		"started is due, the chart rendered": {
			hc: component(), at: time.Second, chart: ok,
			want: decision{status: component(in(v1alpha1.ComponentStarted)).Status, due: epoch.Add(time.Second), after: 5 * time.Second, optional: true},
		},
		"started is due, the chart broken": {
			hc: component(), at: time.Second, chart: bad,
			want: decision{status: v1alpha1.HelmComponentStatus{Status: v1alpha1.ComponentPending, ObservedGeneration: 1, Message: "no such chart"}, due: epoch.Add(time.Second)},
		},
		"still broken": {
			hc: component(message("no such chart")), at: time.Minute, chart: bad,
			want: decision{status: v1alpha1.HelmComponentStatus{Status: v1alpha1.ComponentPending, ObservedGeneration: 1, Message: "no such chart"}, due: epoch.Add(time.Second)},
		},
		"the chart renders at last": {
			hc: component(message("no such chart")), at: time.Minute, chart: ok,
			want: decision{status: component(in(v1alpha1.ComponentPending), startedAt(time.Minute)).Status, due: epoch.Add(time.Minute), after: time.Second},
		},
		"on time": {
			hc: component(in(v1alpha1.ComponentStarted)), at: 6 * time.Second,
			want: decision{status: component(in(v1alpha1.ComponentFailing)).Status, due: epoch.Add(6 * time.Second), after: 5 * time.Second, optional: true},
		},
		"late by two states, coalesced": {
			hc: component(in(v1alpha1.ComponentStarted)), at: 20 * time.Second,
			want: decision{status: component(in(v1alpha1.ComponentSuccess)).Status, due: epoch.Add(16 * time.Second), passed: 2},
		},
		"late by two states, in order": {
			hc: component(in(v1alpha1.ComponentStarted)), at: 20 * time.Second, inOrder: true,
			want: decision{status: component(in(v1alpha1.ComponentFailing)).Status, due: epoch.Add(6 * time.Second), after: time.Nanosecond},
		},
		"success": {
			hc: component(in(v1alpha1.ComponentSuccess)), at: time.Hour,
			want: decision{status: component(in(v1alpha1.ComponentSuccess)).Status, due: epoch.Add(time.Hour), optional: true},
		},
		"the clock was set back": {
			hc: component(in(v1alpha1.ComponentRetrying)), at: -time.Hour,
			want: decision{status: component(in(v1alpha1.ComponentRetrying)).Status, due: epoch.Add(-time.Hour), after: time.Second, optional: true},
		},
		"the spec changed": {
			hc: component(in(v1alpha1.ComponentSuccess), generation(2)), at: time.Minute,
			want: decision{
				status: component(generation(2), startedAt(time.Minute), func(hc *v1alpha1.HelmComponent) { hc.Status.ObservedGeneration = 2 }).Status,
				due:    epoch.Add(time.Minute), after: time.Second,
			},
		},
		"the spec changed before the first write": {
			hc: component(generation(2)), at: time.Second,
			want: decision{
				status: component(startedAt(time.Second), func(hc *v1alpha1.HelmComponent) { hc.Status.ObservedGeneration = 2 }).Status,
				due:    epoch.Add(time.Second), after: time.Second,
			},
		},
		"a status wiped by hand heals at once": {
			hc: component(), at: time.Hour, chart: ok,
			want: decision{status: component(in(v1alpha1.ComponentSuccess)).Status, due: epoch.Add(16 * time.Second), passed: 3},
		},
		"a state of the prototype without a digest": {
			hc: component(func(hc *v1alpha1.HelmComponent) { hc.Status.Status = v1alpha1.ComponentFailing }), at: 11 * time.Second, chart: ok,
			want: decision{status: component(in(v1alpha1.ComponentRetrying)).Status, due: epoch.Add(11 * time.Second), after: 5 * time.Second, optional: true},
		},
		"an own timeline": {
			hc: component(in(v1alpha1.ComponentPending), startedAt(time.Minute)), at: time.Minute + 6*time.Second,
			want: decision{status: component(in(v1alpha1.ComponentFailing), startedAt(time.Minute)).Status, due: epoch.Add(time.Minute + 6*time.Second), after: 5 * time.Second, passed: 1, optional: true},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := *tc.hc.DeepCopy()
			p := policy{timeline: lifecycle.Timeline{Unit: time.Second}, coalesce: !tc.inOrder}
			got := decide(tc.hc, tc.chart, epoch.Add(tc.at), p)
			if !equal(&got.status, &tc.want.status) {
				t.Errorf("status = %+v, want %+v", got.status, tc.want.status)
			}
			got.status, tc.want.status = v1alpha1.HelmComponentStatus{}, v1alpha1.HelmComponentStatus{}
			if got != tc.want {
				t.Errorf("decision = %+v, want %+v", got, tc.want)
			}
			if !equal(&before.Status, &tc.hc.Status) {
				t.Error("the object in the cache was changed")
			}
		})
	}
}

func TestEqualIgnoresTheTimeOfTheWriteAlone(t *testing.T) {
	now := metav1.Now()
	base := component(in(v1alpha1.ComponentStarted), startedAt(0)).Status
	same := base
	same.LastReconciliation = &now
	if !equal(&base, &same) {
		t.Error("the time of the write makes a difference")
	}
	for name, modify := range map[string]func(*v1alpha1.HelmComponentStatus){
		"status":     func(s *v1alpha1.HelmComponentStatus) { s.Status = v1alpha1.ComponentFailing },
		"message":    func(s *v1alpha1.HelmComponentStatus) { s.Message = "m" },
		"digest":     func(s *v1alpha1.HelmComponentStatus) { s.ManifestDigest = "other" },
		"generation": func(s *v1alpha1.HelmComponentStatus) { s.ObservedGeneration++ },
		"no start":   func(s *v1alpha1.HelmComponentStatus) { s.StartTime = nil },
		"start": func(s *v1alpha1.HelmComponentStatus) {
			later := metav1.NewMicroTime(epoch.Add(time.Second))
			s.StartTime = &later
		},
	} {
		other := base
		modify(&other)
		if equal(&base, &other) || equal(&other, &base) {
			t.Errorf("a change of %s makes no difference", name)
		}
	}
}
