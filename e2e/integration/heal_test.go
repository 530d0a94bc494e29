package integration

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// TestWipedStatusHeals: what somebody writes into a status by hand does not stay.
func TestWipedStatusHeals(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("wiped", "ory", "rafter"))
	l.success("wiped")

	for name, status := range map[string]v1alpha1.HelmComponentStatus{
		"wiped":    {},
		"put back": {Status: v1alpha1.ComponentFailing, ObservedGeneration: 1},
	} {
		hc := l.component("wiped", "ory")
		hc.Status = status
		wiped, err := l.components.UpdateStatus(t.Context(), hc, metav1.UpdateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if wiped.Status.Status == v1alpha1.ComponentSuccess {
			t.Fatalf("%s: the status is still success", name)
		}
		l.settled("wiped", "ory", func(hc *v1alpha1.HelmComponent) string {
			if hc.Status.ManifestDigest == "" {
				return "without a digest"
			}
			return ""
		})
		l.success("wiped")
	}

	for name, status := range map[string]v1alpha1.KymaStatus{
		"wiped": {},
		"wrong": {Status: v1alpha1.KymaReconciling, WaitingFor: []string{"nothing"}, ObservedGeneration: 1},
	} {
		l.eventually("the Kyma's status is "+name, func(ctx context.Context) string {
			ky, err := l.kymas.Get(ctx, "wiped", metav1.GetOptions{})
			if err == nil {
				ky.Status = status
				_, err = l.kymas.UpdateStatus(ctx, ky, metav1.UpdateOptions{})
			}
			return text(err)
		})
		l.success("wiped")
		l.reason("wiped", "Success")
	}
}
