package history

import (
	"maps"
	"slices"
	"sync"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// ComponentSeen is one watch event of a HelmComponent.
type ComponentSeen struct {
	UID        types.UID
	Ref        Ref
	OwnerUID   types.UID
	OwnerName  string
	Module     string
	Created    time.Time
	Deleted    bool
	RV         uint64
	Generation int64
	State      v1alpha1.ComponentState
	Origin     time.Time
}

// KymaSeen is one watch event of a Kyma.
type KymaSeen struct {
	UID                  types.UID
	Ref                  Ref
	Created              time.Time
	Deleted, Deleting    bool
	RV                   uint64
	Generation, Observed int64
	Status               v1alpha1.KymaState
	Waiting              int
	Modules              []string
}

// Counts is the state of the fleet as last seen.
type Counts struct {
	// Kymas that live, and those of them that are converged.
	Kymas, Success int
	// Components that live, by state.
	Components int
	States     map[v1alpha1.ComponentState]int
	// LastChange is when the last event arrived.
	LastChange time.Time
	// Writes counts the versions seen of both kinds.
	Writes int
}

// Recorder builds a History from events. It is safe for concurrent use.
type Recorder struct {
	mu     sync.Mutex
	h      History
	counts Counts
}

// NewRecorder returns an empty recorder for components of the given namespaces.
func NewRecorder(watched ...string) *Recorder {
	r := &Recorder{h: History{
		Kymas:      map[types.UID]*Kyma{},
		Components: map[types.UID]*Component{},
		Watched:    map[string]bool{},
	}}
	for _, ns := range watched {
		r.h.Watched[ns] = true
	}
	r.counts.States = map[v1alpha1.ComponentState]int{}
	return r
}

// Component records an event. Events that the recorder has seen already, as
// after a resumed watch, are dropped by their resourceVersion.
func (r *Recorder) Component(e ComponentSeen, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.h.Components[e.UID]
	if c == nil {
		c = &Component{
			UID: e.UID, Ref: intern(e.Ref), OwnerUID: internUID(e.OwnerUID), OwnerName: internString(e.OwnerName),
			Module: internString(e.Module), Created: e.Created,
		}
		r.h.Components[e.UID] = c
	}
	n := len(c.Versions)
	if c.Deleted() || (n > 0 && !e.Deleted && c.Versions[n-1].RV >= e.RV) {
		return
	}
	r.counts.LastChange = at
	if n > 0 {
		r.count(c.Versions[n-1].State, -1)
	}
	if e.Deleted {
		c.DeletedAt, c.DeletedRV = at, e.RV
		return
	}
	r.counts.Writes++
	r.count(e.State, 1)
	c.Versions = append(c.Versions, Version{RV: e.RV, At: at, State: internState(e.State), Origin: e.Origin, Generation: e.Generation})
}

func (r *Recorder) count(state v1alpha1.ComponentState, by int) {
	r.counts.Components += by
	r.counts.States[state] += by
}

// Kyma records an event.
func (r *Recorder) Kyma(e KymaSeen, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.h.Kymas[e.UID]
	if k == nil {
		k = &Kyma{UID: e.UID, Ref: intern(e.Ref), Created: e.Created}
		r.h.Kymas[e.UID] = k
	}
	n := len(k.Versions)
	if k.Deleted() || (n > 0 && !e.Deleted && k.Versions[n-1].RV >= e.RV) {
		return
	}
	r.counts.LastChange = at
	was := n > 0 && k.Last().Converged()
	if n == 0 && !e.Deleted {
		r.counts.Kymas++
	}
	if e.Deleted {
		k.DeletedAt, k.DeletedRV = at, e.RV
		if n > 0 {
			r.counts.Kymas--
			r.countSuccess(was, false)
		}
		return
	}
	v := KymaVersion{
		RV: e.RV, At: at, Status: e.Status, Generation: e.Generation, Observed: e.Observed,
		Waiting: e.Waiting, Modules: e.Modules, Deleting: e.Deleting,
	}
	if n > 0 && slices.Equal(k.Last().Modules, v.Modules) {
		v.Modules = k.Last().Modules
	}
	r.counts.Writes++
	k.Versions = append(k.Versions, v)
	r.countSuccess(was, v.Converged())
}

func (r *Recorder) countSuccess(was, is bool) {
	switch {
	case is && !was:
		r.counts.Success++
	case was && !is:
		r.counts.Success--
	}
}

// Relisted ends the objects of a resource that a list no longer holds: they were
// deleted while the watch was broken. present holds the UIDs of the list.
func (r *Recorder) Relisted(resource string, namespace string, present map[types.UID]bool, rv uint64, at time.Time) {
	var goneKymas, goneComponents []types.UID
	r.mu.Lock()
	switch resource {
	case "kymas":
		for uid, k := range r.h.Kymas {
			if !k.Deleted() && !present[uid] && k.Ref.Namespace == namespace {
				goneKymas = append(goneKymas, uid)
			}
		}
	default:
		for uid, c := range r.h.Components {
			if !c.Deleted() && !present[uid] && c.Ref.Namespace == namespace {
				goneComponents = append(goneComponents, uid)
			}
		}
	}
	r.mu.Unlock()
	for _, uid := range goneKymas {
		r.Kyma(KymaSeen{UID: uid, Deleted: true, RV: rv}, at)
	}
	for _, uid := range goneComponents {
		r.Component(ComponentSeen{UID: uid, Deleted: true, RV: rv}, at)
	}
}

// Act records what the lab did.
func (r *Recorder) Act(a Act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Acts = append(r.h.Acts, a)
}

// Gap records a break of a watch.
func (r *Recorder) Gap(g Gap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Gaps = append(r.h.Gaps, g)
}

// Counts returns the state of the fleet as last seen.
func (r *Recorder) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts
	c.States = maps.Clone(r.counts.States)
	return c
}

// Snapshot returns what was recorded so far. The lives in it are copies; their
// versions are shared with the recorder, which only ever appends.
func (r *Recorder) Snapshot() *History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &History{
		Kymas:      make(map[types.UID]*Kyma, len(r.h.Kymas)),
		Components: make(map[types.UID]*Component, len(r.h.Components)),
		Acts:       slices.Clone(r.h.Acts),
		Gaps:       slices.Clone(r.h.Gaps),
		Watched:    maps.Clone(r.h.Watched),
	}
	for uid, k := range r.h.Kymas {
		if len(k.Versions) > 0 {
			c := *k
			h.Kymas[uid] = &c
		}
	}
	for uid, k := range r.h.Components {
		if len(k.Versions) > 0 {
			c := *k
			h.Components[uid] = &c
		}
	}
	return h
}

func internString(s string) string      { return unique.Make(s).Value() }
func internUID(uid types.UID) types.UID { return unique.Make(uid).Value() }
func intern(r Ref) Ref                  { return Ref{Namespace: internString(r.Namespace), Name: r.Name} }
func internState(s v1alpha1.ComponentState) v1alpha1.ComponentState {
	return unique.Make(s).Value()
}
