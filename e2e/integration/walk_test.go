package integration

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// TestStandardModulesWalkThroughEveryState is the whole lifecycle: 18 modules,
// each state seen, none early, and the Kyma's status right at every moment.
func TestStandardModulesWalkThroughEveryState(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start("--coalesce-transitions=false")
	l.create(standard("walk"))
	l.success("walk")

	l.checkOnce()
	l.checkForward(true)
	l.checkKymas()
	states := map[types.UID]map[v1alpha1.ComponentState]bool{}
	for _, c := range l.history.all() {
		if c.component != nil {
			if states[c.component.UID] == nil {
				states[c.component.UID] = map[v1alpha1.ComponentState]bool{}
			}
			states[c.component.UID][c.component.Status.Status] = true
		}
	}
	if len(states) != 18 {
		t.Errorf("%d components were seen, want 18", len(states))
	}
	for uid, seen := range states {
		if len(seen) != len(lifecycle.States()) {
			t.Errorf("component %s was seen in %v only", uid, seen)
		}
	}
}
