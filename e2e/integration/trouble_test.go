package integration

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// TestNameTakenByAForeignObject: the Kyma says so, others go on, and it recovers
// when the object goes.
func TestNameTakenByAForeignObject(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	foreign := &v1alpha1.HelmComponent{
		ObjectMeta: metav1.ObjectMeta{Name: names.Child("taken", "ory")},
		Spec:       v1alpha1.HelmComponentSpec{ComponentName: "kiali"},
	}
	foreign, err := l.components.Create(t.Context(), foreign, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := l.start()
	l.create(kyma("taken", "ory", "rafter"))
	ready := l.reason("taken", "NameTaken")
	if ready.Status != metav1.ConditionFalse || !strings.Contains(ready.Message, foreign.Name) {
		t.Errorf("the condition is %+v", ready)
	}
	l.create(kyma("free", "ory", "rafter"))
	l.success("free")
	l.settled("taken", "rafter", nil)
	l.checkRetries(p)

	if err := l.components.Delete(t.Context(), foreign.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.success("taken")
	l.checkOnce()
	l.checkKymas()
}

// checkRetries fails if errors come back faster than back-off allows: a handful
// by now, where a hot loop would have made thousands.
func (l *lab) checkRetries(p *operatorProcess) {
	l.Helper()
	if errors := p.metric(l.TB, reconciles, "result", "error"); errors == 0 || errors > 40 {
		l.Errorf("%v syncs ended in an error", errors)
	}
}

// TestTerminatingNamespace has no controller manager, so that the namespace
// stays as it is for as long as the test wants.
func TestTerminatingNamespace(t *testing.T) {
	plane := controlplane.ForTest(t)
	doomed, other := newLabOn(t, plane), newLabOn(t, plane)
	if err := plane.StopComponent(t.Context(), controlplane.ControllerManager); err != nil {
		t.Fatal(err)
	}
	doomed.create(kyma("doomed", "ory"))
	if err := doomed.kube.CoreV1().Namespaces().Delete(t.Context(), doomed.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	namespace, err := doomed.kube.CoreV1().Namespaces().Get(t.Context(), doomed.namespace, metav1.GetOptions{})
	if err != nil || namespace.Status.Phase != corev1.NamespaceTerminating {
		t.Fatalf("the namespace is %v: %v", namespace.Status.Phase, err)
	}
	p := other.start("--namespace=")
	doomed.reason("doomed", "NamespaceTerminating")
	other.create(standard("fine"))
	other.success("fine")
	other.checkOnce()
	other.checkForward(false)
	other.checkRetries(p)
	doomed.checkKymas()
}
