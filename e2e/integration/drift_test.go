package integration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// patch changes a component by hand.
func (l *lab) patch(name, patch string) *v1alpha1.HelmComponent {
	l.Helper()
	hc, err := l.components.Patch(l.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		l.Fatal(err)
	}
	return hc
}

// settled waits until a component is success about its present spec and calls
// extra, if it is given, for what else there must be.
func (l *lab) settled(kyma, module string, extra func(*v1alpha1.HelmComponent) string) *v1alpha1.HelmComponent {
	l.Helper()
	var hc *v1alpha1.HelmComponent
	l.eventually("module "+module+" of Kyma "+kyma+" is success", func(ctx context.Context) string {
		var err error
		hc, err = l.components.Get(ctx, names.Child(kyma, module), metav1.GetOptions{})
		switch {
		case err != nil:
			return err.Error()
		case hc.Status.Status != v1alpha1.ComponentSuccess || hc.Generation > 1 && hc.Status.ObservedGeneration != hc.Generation:
			return fmt.Sprintf("generation %d, status %+v", hc.Generation, hc.Status)
		case extra != nil:
			return extra(hc)
		}
		return ""
	})
	return hc
}

func TestChangedSpecIsCorrectedAndStartsAnew(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start("--coalesce-transitions=false")
	l.create(kyma("drift", "istio", "ory"))
	l.success("drift")
	name := l.component("drift", "istio").Name
	l.patch(name, `{"metadata":{"annotations":{"theirs":"kept"},"finalizers":["example.com/theirs"]}}`)
	before := l.patch(name, `{"spec":{"version":"6.6.6","namespace":"elsewhere"}}`)

	after := l.settled("drift", "istio", func(hc *v1alpha1.HelmComponent) string {
		if hc.Spec.Version != "" || hc.Spec.Namespace != v1alpha1.DefaultNamespace {
			return fmt.Sprintf("spec is %+v", hc.Spec)
		}
		return ""
	})
	l.success("drift")
	if after.Status.StartTime == nil || !after.Status.StartTime.After(lifecycle.Origin(before)) {
		t.Errorf("the timeline starts at %v, as before", after.Status.StartTime)
	}
	if after.UID != before.UID || after.Annotations["theirs"] != "kept" || !slices.Contains(after.Finalizers, "example.com/theirs") {
		t.Errorf("the correction took what is not the operator's: %+v", after.ObjectMeta)
	}
	l.checkOnce()
	l.checkForward(true)
	l.checkKymas()
	l.patch(name, `{"metadata":{"finalizers":null}}`)
}

// TestChangedModuleIsNotSuccessBeforeItsTime holds the write that begins a
// changed component's timeline: its old success is none of the new spec's.
func TestChangedModuleIsNotSuccessBeforeItsTime(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	p := l.startAs(g.config())
	l.create(kyma("changed", "ory", "rafter"))
	l.success("changed")
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isStatusWrite(r) && !isOfKyma(r) {
			once.Do(func() { close(held) })
			hold(w, r, next, release)
			return
		}
		next.ServeHTTP(w, r)
	})
	l.update("changed", func(ky *v1alpha1.Kyma) { ky.Spec.Components[0].Version = "2.0.0" })
	<-held
	// The correction leads back to the Kyma after a moment: see that sync end.
	l.reconciled(p, "kyma", p.metric(t, reconciles, "controller", "kyma")+1)
	close(release)
	l.history.until(t, "the component begins anew", func(c change) bool {
		return c.component != nil && c.component.Status.StartTime != nil
	})
	l.settled("changed", "ory", nil)
	l.success("changed")
	l.checkForward(false)
	anew := false
	for _, c := range l.history.all() {
		switch {
		case c.component != nil && c.component.Status.StartTime != nil:
			anew = anew || c.component.Status.Status == v1alpha1.ComponentSuccess
		case c.kyma != nil && c.kyma.Status.ObservedGeneration == 2 && c.kyma.Status.Status == v1alpha1.KymaSuccess && !anew:
			t.Errorf("the Kyma is success about a spec that its component knows nothing of, at revision %d", c.revision)
		}
	}
}

func TestRemovedLabelsComeBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("labels", "ory"))
	l.success("labels")
	want := l.component("labels", "ory")
	if len(want.Labels) == 0 {
		t.Fatal("the component has no labels")
	}
	l.patch(want.Name, `{"metadata":{"labels":null}}`)
	got := l.settled("labels", "ory", func(hc *v1alpha1.HelmComponent) string {
		if len(hc.Labels) != len(want.Labels) {
			return fmt.Sprintf("labels are %v", hc.Labels)
		}
		return ""
	})
	if got.Generation != want.Generation || got.Status.StartTime != nil {
		t.Error("labels are no part of the spec, but the timeline starts anew")
	}
}

func TestModuleIsRemovedAndAddedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("modules", "ory", "rafter"))
	l.success("modules")
	first := l.component("modules", "rafter")

	l.update("modules", func(ky *v1alpha1.Kyma) { ky.Spec.Components = ky.Spec.Components[:1] })
	l.eventually("the component is gone", func(ctx context.Context) string {
		_, err := l.components.Get(ctx, first.Name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return "it is still there: " + text(err)
		}
		return ""
	})
	l.success("modules")

	l.update("modules", func(ky *v1alpha1.Kyma) { ky.Spec.Components = kyma("", "ory", "rafter").Spec.Components })
	l.success("modules")
	if second := l.component("modules", "rafter"); second.UID == first.UID {
		t.Error("the component is the old one")
	}
	l.checkForward(false)
	l.checkKymas()
}

// TestModuleIsRemovedAndAddedWhileItsComponentLingers has a finalizer hold the
// removed component, so that its name is free only later.
func TestModuleIsRemovedAndAddedWhileItsComponentLingers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("linger", "ory", "rafter"))
	l.success("linger")
	first := l.component("linger", "rafter")
	l.patch(first.Name, `{"metadata":{"finalizers":["example.com/theirs"]}}`)
	l.update("linger", func(ky *v1alpha1.Kyma) { ky.Spec.Components = ky.Spec.Components[:1] })
	l.history.until(t, "the component is being deleted", func(c change) bool {
		return c.component != nil && c.component.UID == first.UID && c.component.DeletionTimestamp != nil
	})
	l.update("linger", func(ky *v1alpha1.Kyma) { ky.Spec.Components = kyma("", "ory", "rafter").Spec.Components })
	l.history.until(t, "the Kyma waits for it", func(c change) bool {
		return c.kyma != nil && slices.Contains(c.kyma.Status.WaitingFor, "rafter") && c.kyma.Status.ObservedGeneration == 3
	})
	l.patch(first.Name, `{"metadata":{"finalizers":null}}`)
	l.success("linger")
	if second := l.component("linger", "rafter"); second.UID == first.UID {
		t.Error("the component is the old one")
	}
}

func TestComponentDeletedByHandIsMadeAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("deleted", "ory", "rafter"))
	l.success("deleted")
	first := l.component("deleted", "ory")
	if err := l.components.Delete(l.Context(), first.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.history.until(t, "the component is made again", func(c change) bool {
		return c.component != nil && c.made && c.component.Name == first.Name && c.component.UID != first.UID
	})
	l.settled("deleted", "ory", nil)
	l.success("deleted")
	l.checkForward(false)
	l.checkKymas()
}
