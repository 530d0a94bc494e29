package integration

import (
	"strings"
	"testing"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// TestNamesThatCouldCollide: a + b-c and a-b + c are different components.
func TestNamesThatCouldCollide(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, module := range []string{"b-c", "c", "b"} {
		l.chart(module, "")
	}
	l.start()
	l.create(kyma("a", "b-c", "b"), kyma("a-b", "c"), kyma("a.b", "c"), kyma("a-b.c", "b"))
	l.success("a", "a-b", "a.b", "a-b.c")
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
}

func TestLongestNames(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	module := strings.Repeat("m", 63)
	l.chart(module, "")
	l.start("--lifecycle-unit=5ms")
	long := strings.Repeat("k", 253)
	other := strings.Repeat("k", 252) + "y"
	l.create(kyma(long, module, "ory"), kyma(other, module, "ory"))
	l.success(long, other)
	l.checkOnce()
	for _, name := range []string{long, other} {
		hc := l.component(name, module)
		if len(hc.Name) > 253 || len(hc.Labels[v1alpha1.LabelKyma]) > 63 || hc.Labels[v1alpha1.LabelModule] != module {
			t.Errorf("component %s has the labels %v", hc.Name, hc.Labels)
		}
	}
}
