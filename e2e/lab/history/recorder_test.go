package history

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

var at = time.Unix(1000, 0)

func seen(uid types.UID, rv uint64, state v1alpha1.ComponentState) ComponentSeen {
	return ComponentSeen{UID: uid, Ref: Ref{"ns", string(uid)}, OwnerUID: "k", Module: "istio", RV: rv, State: state}
}

func TestRecorderCounts(t *testing.T) {
	r := NewRecorder("ns")
	r.Kyma(KymaSeen{UID: "k", Ref: Ref{"ns", "k"}, RV: 1, Generation: 1, Modules: []string{"istio"}}, at)
	r.Component(seen("a", 2, "pending"), at)
	r.Component(seen("a", 3, "success"), at)
	r.Component(seen("a", 3, "success"), at) // a resumed watch repeats itself
	r.Component(seen("b", 4, "pending"), at)
	r.Kyma(KymaSeen{UID: "k", RV: 5, Generation: 1, Observed: 1, Status: v1alpha1.KymaSuccess, Modules: []string{"istio"}}, at.Add(time.Second))
	c := r.Counts()
	if c.Kymas != 1 || c.Success != 1 || c.Components != 2 || c.States["success"] != 1 || c.States["pending"] != 1 || c.Writes != 5 {
		t.Errorf("counts: %+v", c)
	}
	// A new generation is not success until it was observed.
	r.Kyma(KymaSeen{UID: "k", RV: 6, Generation: 2, Observed: 1, Status: v1alpha1.KymaSuccess}, at)
	r.Component(ComponentSeen{UID: "b", RV: 7, Deleted: true}, at)
	if c := r.Counts(); c.Success != 0 || c.Components != 1 || c.States["pending"] != 0 {
		t.Errorf("counts: %+v", c)
	}
	r.Kyma(KymaSeen{UID: "k", RV: 8, Deleted: true}, at)
	r.Kyma(KymaSeen{UID: "k", RV: 9, Status: v1alpha1.KymaSuccess}, at) // what is deleted stays so
	if c := r.Counts(); c.Kymas != 0 || c.Success != 0 {
		t.Errorf("counts: %+v", c)
	}
	h := r.Snapshot()
	if first, ok := h.Kymas["k"].FirstSuccess(); !ok || !first.Equal(at.Add(time.Second)) || !h.Kymas["k"].Gone() {
		t.Errorf("first success at %v, %t", first, ok)
	}
	if b := h.Components["b"]; !b.Deleted() || b.DeletedRV != 7 || !h.Watched["ns"] {
		t.Errorf("component: %+v", b)
	}
}

func TestRelistedEndsWhatIsGone(t *testing.T) {
	r := NewRecorder("ns")
	r.Component(seen("a", 2, "pending"), at)
	r.Component(seen("b", 3, "pending"), at)
	r.Kyma(KymaSeen{UID: "k", Ref: Ref{"ns", "k"}, RV: 1}, at)
	r.Relisted("helmcomponents", "ns", map[types.UID]bool{"a": true}, 10, at)
	r.Relisted("kymas", "elsewhere", nil, 10, at)
	h := r.Snapshot()
	if h.Components["a"].Deleted() || !h.Components["b"].Deleted() || h.Components["b"].DeletedRV != 10 || h.Kymas["k"].Deleted() {
		t.Errorf("components: %+v %+v", h.Components["a"], h.Components["b"])
	}
}

func TestSnapshotIsACopy(t *testing.T) {
	r := NewRecorder("ns")
	r.Component(seen("a", 2, "pending"), at)
	r.Act(Act{Kind: Kill})
	r.Gap(Gap{Resource: "kymas", Lost: true})
	h := r.Snapshot()
	r.Component(seen("a", 3, "started"), at)
	r.Act(Act{Kind: Kill})
	if len(h.Components["a"].Versions) != 1 || len(h.Acts) != 1 {
		t.Error("the snapshot changed afterwards")
	}
	if !h.LostEvents("kymas") || h.LostEvents("helmcomponents") {
		t.Error("gaps")
	}
	c := h.Components["a"]
	if c.Created = at; !c.Origin(Version{}).Equal(at) || !c.Origin(Version{Origin: at.Add(1)}).Equal(at.Add(1)) {
		t.Error("origin")
	}
}
