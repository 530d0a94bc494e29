package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// maxWrites is what one Kyma may cost: 18 creates, 72 states and its own.
const maxWrites = 106

// TestConvergedFleetIsNotWrittenTo counts with the API server's own metrics. It
// is not parallel: nobody else may write meanwhile.
func TestConvergedFleetIsNotWrittenTo(t *testing.T) {
	l := newLab(t)
	args := []string{"--kyma-resync-period=1s", "--helmcomponent-resync-period=1s"}
	before := l.requests()
	p := l.start(args...)
	l.create(standard("one"), standard("two"))
	l.success("one", "two")
	converged := l.requests()
	if writes := converged.Sub(before).Writes().Total() - 2; writes > 2*maxWrites {
		t.Errorf("%d writes for two Kymas: %v", writes, converged.Sub(before).Writes())
	}

	// Three rounds more: the one that began before success does not count.
	for controller, objects := range map[string]float64{"kyma": 2, "helmcomponent": 36} {
		l.reconciled(p, controller, p.metric(t, reconciles, "controller", controller)+3*objects)
	}
	l.quietSince(converged, "on resync")

	p.Kill()
	p = l.start(args...)
	for controller, objects := range map[string]float64{"kyma": 2, "helmcomponent": 36} {
		l.reconciled(p, controller, 2*objects)
	}
	l.quietSince(converged, "on restart")
}

const reconciles = "kyma_operator_reconciles_total"

// reconciled waits until a controller has made so many syncs.
func (l *lab) reconciled(p *operatorProcess, controller string, wanted float64) {
	l.Helper()
	l.eventually("syncs of "+controller, func(context.Context) string {
		if got := p.metric(l.TB, reconciles, "controller", controller); got < wanted { //nolint:contextcheck // It has the test's.
			return fmt.Sprintf("%v of %v", got, wanted)
		}
		return ""
	})
}

func (l *lab) requests() controlplane.Requests {
	l.Helper()
	requests, err := l.plane.Requests(l.Context(), v1alpha1.GroupName)
	if err != nil {
		l.Fatal(err)
	}
	return requests
}

func (l *lab) quietSince(earlier controlplane.Requests, when string) {
	l.Helper()
	if writes := l.requests().Sub(earlier).Writes(); writes.Total() != 0 {
		l.Errorf("writes %s: %v", when, writes)
	}
}
