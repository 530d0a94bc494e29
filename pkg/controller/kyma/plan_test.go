package kyma

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

var (
	epoch    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	timeline = lifecycle.Timeline{Unit: time.Second}
)

// kymaOf makes a Kyma pb with modules.
func kymaOf(modules ...string) *v1alpha1.Kyma {
	ky := &v1alpha1.Kyma{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "pb", UID: "kyma-uid", ResourceVersion: "1", Generation: 3,
		CreationTimestamp: metav1.NewTime(epoch),
	}}
	for _, name := range modules {
		ky.Spec.Components = append(ky.Spec.Components, v1alpha1.KymaComponent{Name: name})
	}
	return ky
}

// childOf makes the component of a module as the cache holds it.
func childOf(ky *v1alpha1.Kyma, module string, modify ...func(*v1alpha1.HelmComponent)) *v1alpha1.HelmComponent {
	hc := newComponent(ky, v1alpha1.KymaComponent{Name: module})
	hc.UID = types.UID("uid-of-" + hc.Name)
	hc.ResourceVersion = "1"
	hc.CreationTimestamp = metav1.NewTime(epoch)
	hc.Labels = nil
	for _, m := range modify {
		m(hc)
	}
	return hc
}

func succeeded(hc *v1alpha1.HelmComponent) { hc.Status.Status = v1alpha1.ComponentSuccess }

func failingWith(message string) func(*v1alpha1.HelmComponent) {
	return func(hc *v1alpha1.HelmComponent) { hc.Status.Message = message }
}

func deleting(hc *v1alpha1.HelmComponent) {
	now := metav1.NewTime(epoch)
	hc.DeletionTimestamp = &now
}

func viewOf(owned ...*v1alpha1.HelmComponent) view {
	return view{
		owned:   owned,
		written: func(string) bool { return false },
		deleted: func(*v1alpha1.HelmComponent) bool { return false },
		foreign: func(string) bool { return false },
	}
}

// summary is a plan in names, for comparison.
type summary struct{ create, correct, remove, taken, present []string }

func summarize(p plan) summary {
	var s summary
	for _, m := range p.create {
		s.create = append(s.create, m.Name)
	}
	for _, d := range p.correct {
		s.correct = append(s.correct, d.component.Name)
	}
	for _, hc := range p.remove {
		s.remove = append(s.remove, hc.Name)
	}
	for module := range p.present {
		s.present = append(s.present, module)
	}
	s.taken = p.taken
	slices.Sort(s.remove)
	slices.Sort(s.present)
	return s
}

func TestMakePlan(t *testing.T) {
	ky := kymaOf("ory", "istio", "monitoring")
	tests := map[string]struct {
		view func() view
		want summary
	}{
		"nothing is there: longest timeline first": {
			func() view { return viewOf() },
			summary{create: []string{"monitoring", "istio", "ory"}},
		},
		"all is there": {
			func() view { return viewOf(childOf(ky, "ory"), childOf(ky, "istio"), childOf(ky, "monitoring")) },
			summary{present: []string{"istio", "monitoring", "ory"}},
		},
		"created, and the cache does not show it yet": {
			func() view {
				v := viewOf(childOf(ky, "ory"), childOf(ky, "monitoring"))
				v.written = func(name string) bool { return name == "pb-istio" }
				return v
			},
			summary{present: []string{"monitoring", "ory"}},
		},
		"the spec drifted": {
			func() view {
				return viewOf(childOf(ky, "ory", func(hc *v1alpha1.HelmComponent) { hc.Spec.Namespace = "elsewhere" }), childOf(ky, "istio"), childOf(ky, "monitoring"))
			},
			summary{correct: []string{"pb-ory"}, present: []string{"istio", "monitoring"}},
		},
		"corrected, and the cache does not show it yet": {
			func() view {
				v := viewOf(childOf(ky, "ory", func(hc *v1alpha1.HelmComponent) { hc.Spec.Namespace = "elsewhere" }), childOf(ky, "istio"), childOf(ky, "monitoring"))
				v.written = func(name string) bool { return name == "pb-ory" }
				return v
			},
			summary{present: []string{"istio", "monitoring"}},
		},
		"the labels drifted": {
			func() view {
				return viewOf(childOf(ky, "ory", func(hc *v1alpha1.HelmComponent) { hc.Labels = map[string]string{} }), childOf(ky, "istio"), childOf(ky, "monitoring"))
			},
			summary{correct: []string{"pb-ory"}, present: []string{"istio", "monitoring"}},
		},
		"a module was removed, a copy made": {
			func() view {
				return viewOf(childOf(ky, "ory"), childOf(ky, "istio"), childOf(ky, "monitoring"), childOf(ky, "rafter"),
					childOf(ky, "istio", func(hc *v1alpha1.HelmComponent) { hc.Name = "copy" }))
			},
			summary{remove: []string{"copy", "pb-rafter"}, present: []string{"istio", "monitoring", "ory"}},
		},
		"deleted already": {
			func() view {
				v := viewOf(childOf(ky, "ory"), childOf(ky, "istio"), childOf(ky, "monitoring"), childOf(ky, "rafter"), childOf(ky, "kiali", deleting))
				v.deleted = func(hc *v1alpha1.HelmComponent) bool { return hc.Name == "pb-rafter" }
				return v
			},
			summary{present: []string{"istio", "monitoring", "ory"}},
		},
		"being deleted: its name is not free yet": {
			func() view {
				return viewOf(childOf(ky, "ory", deleting), childOf(ky, "istio"), childOf(ky, "monitoring"))
			},
			summary{present: []string{"istio", "monitoring"}},
		},
		"a name is taken": {
			func() view {
				v := viewOf(childOf(ky, "istio"), childOf(ky, "monitoring"))
				v.foreign = func(name string) bool { return name == "pb-ory" }
				return v
			},
			summary{taken: []string{"pb-ory"}, present: []string{"istio", "monitoring"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := summarize(makePlan(ky, tc.view(), timeline))
			for what, pair := range map[string][2][]string{
				"create": {got.create, tc.want.create}, "correct": {got.correct, tc.want.correct}, "remove": {got.remove, tc.want.remove},
				"taken": {got.taken, tc.want.taken}, "present": {got.present, tc.want.present},
			} {
				if !slices.Equal(pair[0], pair[1]) {
					t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
				}
			}
		})
	}
}

func TestNewComponentCopiesEveryFieldOfItsModule(t *testing.T) {
	module := v1alpha1.KymaComponent{Name: "istio", Namespace: "istio-system", ChartLocation: "oci://r/c", Version: "1.2.3"}
	hc := newComponent(kymaOf(), module)
	want := v1alpha1.HelmComponentSpec{ComponentName: "istio", Namespace: "istio-system", ChartLocation: "oci://r/c", Version: "1.2.3"}
	if hc.Spec != want {
		t.Errorf("spec = %+v, want %+v", hc.Spec, want)
	}
	owner := metav1.GetControllerOf(hc)
	if owner == nil || owner.UID != "kyma-uid" || owner.BlockOwnerDeletion == nil || !*owner.BlockOwnerDeletion {
		t.Errorf("owner = %+v", owner)
	}
	if got := ComponentSpec(v1alpha1.KymaComponent{Name: "ory"}).Namespace; got != v1alpha1.DefaultNamespace {
		t.Errorf("default namespace = %q", got)
	}
}

func TestStatusOf(t *testing.T) {
	conflict := errors.New("some passing error")
	terminating := refused("create helmcomponent pb-ory", &apierrors.StatusError{ErrStatus: metav1.Status{
		Reason: metav1.StatusReasonForbidden, Code: 403,
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}},
	}})
	forbidden := refused("create helmcomponent pb-ory", apierrors.NewForbidden(schema.GroupResource{Resource: "helmcomponents"}, "pb-ory", errors.New("user 10.0.0.7 may not")))
	tests := map[string]struct {
		modules    []string
		owned      func(*v1alpha1.Kyma) []*v1alpha1.HelmComponent
		problem    error
		status     v1alpha1.KymaState
		waiting    []string
		components string
		reason     string
		message    string
	}{
		"nothing yet": {
			modules: []string{"ory", "istio"}, status: v1alpha1.KymaReconciling,
			waiting: []string{"ory", "istio"}, components: "0/2", reason: reasonReconciling,
		},
		"one is success, in spec order": {
			modules: []string{"ory", "istio", "kiali"},
			owned: func(ky *v1alpha1.Kyma) []*v1alpha1.HelmComponent {
				return []*v1alpha1.HelmComponent{childOf(ky, "kiali"), childOf(ky, "istio", succeeded), childOf(ky, "ory")}
			},
			status: v1alpha1.KymaReconciling, waiting: []string{"ory", "kiali"}, components: "1/3", reason: reasonReconciling,
		},
		"all are success": {
			modules: []string{"ory"},
			owned: func(ky *v1alpha1.Kyma) []*v1alpha1.HelmComponent {
				return []*v1alpha1.HelmComponent{childOf(ky, "ory", succeeded)}
			},
			status: v1alpha1.KymaSuccess, components: "1/1", reason: reasonSuccess,
		},
		"no modules": {status: v1alpha1.KymaSuccess, components: "0/0", reason: reasonSuccess},
		"modules fail, in spec order": {
			modules: []string{"ory", "istio"},
			owned: func(ky *v1alpha1.Kyma) []*v1alpha1.HelmComponent {
				return []*v1alpha1.HelmComponent{childOf(ky, "istio", failingWith("no chart")), childOf(ky, "ory", failingWith("bad values"))}
			},
			status: v1alpha1.KymaReconciling, waiting: []string{"ory", "istio"}, components: "0/2",
			reason: reasonModuleFailing, message: "ory: bad values; istio: no chart",
		},
		"namespace terminating": {
			modules: []string{"ory"}, problem: terminating, status: v1alpha1.KymaReconciling, waiting: []string{"ory"}, components: "0/1",
			reason: reasonNamespaceTerminating, message: "the namespace is being terminated",
		},
		"refused, without the server's changing words": {
			modules: []string{"ory"}, problem: forbidden, status: v1alpha1.KymaReconciling, waiting: []string{"ory"}, components: "0/1",
			reason: reasonWriteRefused, message: "create helmcomponent pb-ory: Forbidden",
		},
		"a passing error is no news": {
			modules: []string{"ory"}, problem: conflict, status: v1alpha1.KymaReconciling, waiting: []string{"ory"}, components: "0/1", reason: reasonReconciling,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			ky := kymaOf(tc.modules...)
			var owned []*v1alpha1.HelmComponent
			if tc.owned != nil {
				owned = tc.owned(ky)
			}
			got := statusOf(ky, makePlan(ky, viewOf(owned...), timeline), tc.problem, epoch)
			if got.Status != tc.status || got.Components != tc.components || !slices.Equal(got.WaitingFor, tc.waiting) || got.ObservedGeneration != 3 {
				t.Errorf("status = %+v", got)
			}
			ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady)
			if ready.Reason != tc.reason || ready.Message != tc.message || ready.ObservedGeneration != 3 {
				t.Errorf("Ready = %+v, want reason %s and message %q", ready, tc.reason, tc.message)
			}
			if (ready.Status == metav1.ConditionTrue) != (tc.status == v1alpha1.KymaSuccess) {
				t.Errorf("Ready is %s at %s", ready.Status, tc.status)
			}
		})
	}
}

// A status computed again later must equal the first, or each sync would write.
func TestStatusOfIsStable(t *testing.T) {
	ky := kymaOf("ory", "istio")
	plan := makePlan(ky, viewOf(childOf(ky, "ory", failingWith("bad")), childOf(ky, "istio")), timeline)
	first := statusOf(ky, plan, nil, epoch)
	ky.Status = first
	again := statusOf(ky, plan, nil, epoch.Add(time.Hour))
	if !equalStatus(&first, &again) {
		t.Errorf("status = %+v, an hour later %+v", first, again)
	}
}

func TestMessageIsBounded(t *testing.T) {
	ky := kymaOf("ory")
	plan := makePlan(ky, viewOf(childOf(ky, "ory", failingWith(strings.Repeat("ä", 2000)))), timeline)
	ready := meta.FindStatusCondition(statusOf(ky, plan, nil, epoch).Conditions, v1alpha1.ConditionReady)
	if len(ready.Message) > maxMessage || !strings.HasSuffix(ready.Message, "...") {
		t.Errorf("the message has %d bytes and ends in %q", len(ready.Message), ready.Message[len(ready.Message)-4:])
	}
}
