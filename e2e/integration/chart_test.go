package integration

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// TestBrokenChartIsRepaired: the component says what is wrong with its chart and
// begins anew when that is repaired on disk.
func TestBrokenChartIsRepaired(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.chart("broken", `{{ fail "out of order" }}`)
	p := l.start()
	l.create(kyma("mixed", "ory", "broken", "rafter"), kyma("fine", "ory", "rafter"))
	l.success("fine")
	ready := l.reason("mixed", "ModuleFailing")
	if ready.Status != metav1.ConditionFalse || !strings.Contains(ready.Message, "broken: ") || !strings.Contains(ready.Message, "out of order") {
		t.Errorf("the condition is %+v", ready)
	}
	l.history.until(t, "the Kyma waits for the broken module alone", func(c change) bool {
		return c.kyma != nil && slices.Equal(c.kyma.Status.WaitingFor, []string{"broken"}) && c.kyma.Status.Components == "2/3"
	})
	hc := l.component("mixed", "broken")
	if hc.Status.Status != v1alpha1.ComponentPending || !strings.Contains(hc.Status.Message, "out of order") || hc.Status.ManifestDigest != "" {
		t.Errorf("the component's status is %+v", hc.Status)
	}
	l.checkRetries(p)

	l.chart("broken", "")
	l.success("mixed")
	hc = l.component("mixed", "broken")
	if hc.Status.StartTime == nil || hc.Status.Message != "" || hc.Status.ManifestDigest == "" {
		t.Errorf("the repaired component's status is %+v", hc.Status)
	}
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
}

func TestMissingChart(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("missing", "nowhere", "ory"))
	l.reason("missing", "ModuleFailing")
	l.chart("nowhere", "")
	l.success("missing")
	l.checkForward(false)
}

// TestSlowChartHoldsUpNobody: a chart that would render for hours takes its time
// while others' components go on.
func TestSlowChartHoldsUpNobody(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.chart("slow", `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`)
	// With one worker, waiting for the chart would hold up everything.
	l.start("--helmcomponent-workers=1")
	l.create(kyma("slow", "slow", "ory"))
	l.history.until(t, "the slow chart's component is made", func(c change) bool {
		return c.component != nil && c.component.Spec.ComponentName == "slow"
	})
	l.create(kyma("quick", "ory", "istio"))
	l.success("quick")
	if hc := l.component("slow", "slow"); hc.Status.Message != "" {
		t.Errorf("the slow chart has ended already: %s", hc.Status.Message)
	}
	l.reason("slow", "ModuleFailing")
	l.checkOnce()
}
