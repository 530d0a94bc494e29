package integration

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestEventsTellOfKymasOnly: one event when a Kyma is done, one when something
// is wrong, none about components.
func TestEventsTellOfKymasOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.chart("broken", `{{ fail "out of order" }}`)
	l.start()
	l.create(kyma("done", "ory", "rafter"), kyma("stuck", "broken"))
	l.success("done")
	l.reason("stuck", "ModuleFailing")

	want := map[string]string{"done": corev1.EventTypeNormal + " Success", "stuck": corev1.EventTypeWarning + " ModuleFailing"}
	l.eventually("the events are there", func(ctx context.Context) string {
		list, err := l.kube.EventsV1().Events(l.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		got := map[string]string{}
		for _, event := range list.Items {
			if event.Regarding.Kind != "Kyma" || got[event.Regarding.Name] != "" || event.ReportingController == "" {
				t.Fatalf("there is an event too many: %+v", event)
			}
			got[event.Regarding.Name] = event.Type + " " + event.Reason
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("they are %v", got)
		}
		return ""
	})
}
