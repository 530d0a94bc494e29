package integration

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

func numbered(n int) []string {
	modules := make([]string, n)
	for i := range modules {
		modules[i] = fmt.Sprintf("m%d", i)
	}
	return modules
}

// TestBadKymasAreRefused: what the schema refuses never reaches the operator.
func TestBadKymasAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	huge := kyma("huge", "ory")
	huge.Spec.Components[0].ChartLocation = strings.Repeat("x", 2<<20)
	deep := kyma("deep", "ory")
	deep.Spec.Components[0].Namespace = strings.Repeat("n", 64)
	for name, ky := range map[string]*v1alpha1.Kyma{
		"the same module twice":         kyma("twice", "ory", "istio", "ory"),
		"a module in capitals":          kyma("capitals", "Ory"),
		"a module with a dot":           kyma("dot", "a.b"),
		"a module with a slash":         kyma("slash", "../ory"),
		"a module with a trailing dash": kyma("dash", "ory-"),
		"a module without a name":       kyma("unnamed", ""),
		"a name of 64 characters":       kyma("long", strings.Repeat("m", 64)),
		"257 modules":                   kyma("many", numbered(257)...),
		"10,000 modules":                kyma("masses", numbered(10000)...),
		"a spec of 2 MB":                huge,
		"a namespace too long":          deep,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.kymas.Create(t.Context(), ky, metav1.CreateOptions{})
			if !apierrors.IsInvalid(err) && !apierrors.IsRequestEntityTooLargeError(err) {
				t.Errorf("the API server says %v", err)
			}
		})
	}
	l.create(kyma("full", numbered(256)...))
}

func TestUnknownStatesAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.create(kyma("states", "ory"))
	ky, err := l.kymas.Get(t.Context(), "states", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ky.Status.Status = "half-way"
	if _, err := l.kymas.UpdateStatus(t.Context(), ky, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("of a Kyma the API server says %v", err)
	}
	hc, err := l.components.Create(t.Context(), &v1alpha1.HelmComponent{ObjectMeta: metav1.ObjectMeta{Name: "states"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if hc.Status.Status != v1alpha1.ComponentPending || hc.Spec.Namespace != v1alpha1.DefaultNamespace {
		t.Errorf("a new component has the status %q and the namespace %q", hc.Status.Status, hc.Spec.Namespace)
	}
	hc.Status.Status = "exploded"
	if _, err := l.components.UpdateStatus(t.Context(), hc, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("of a component the API server says %v", err)
	}
}
