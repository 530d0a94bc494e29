// Package history keeps what a run of the load lab has seen and done: every
// observed version of every Kyma and HelmComponent, every act of the lab itself,
// and every gap in the observation. The checkers of package invariant read it;
// a gap or a sample turns what they cannot know into "unverified".
package history

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// Ref names an object.
type Ref struct {
	Namespace, Name string
}

func (r Ref) String() string { return r.Namespace + "/" + r.Name }

// Version is one observed version of a HelmComponent.
type Version struct {
	RV    uint64
	At    time.Time // when it was seen, on the lab's clock
	State v1alpha1.ComponentState
	// Origin is status.startTime; zero where the creation time is the origin.
	Origin     time.Time
	Generation int64
}

// Component is the life of one HelmComponent, by UID.
type Component struct {
	UID       types.UID
	Ref       Ref
	OwnerUID  types.UID
	OwnerName string
	Module    string
	Created   time.Time
	Versions  []Version
	// DeletedAt and DeletedRV are zero while the component lives.
	DeletedAt time.Time
	DeletedRV uint64
}

// Origin is T0 of the component's timeline at version v.
func (c *Component) Origin(v Version) time.Time {
	if v.Origin.IsZero() {
		return c.Created
	}
	return v.Origin
}

// Deleted tells whether the component's end was seen.
func (c *Component) Deleted() bool { return !c.DeletedAt.IsZero() }

// KymaVersion is one observed version of a Kyma.
type KymaVersion struct {
	RV                   uint64
	At                   time.Time
	Status               v1alpha1.KymaState
	Generation, Observed int64
	Waiting              int
	// Modules are the names in the spec, shared between versions of the same
	// generation.
	Modules []string
	// Deleting is set from the deletion timestamp on.
	Deleting bool
}

// Converged tells whether the version says success about its own spec.
func (v KymaVersion) Converged() bool {
	return v.Status == v1alpha1.KymaSuccess && v.Observed >= v.Generation
}

// Kyma is the life of one Kyma, by UID.
type Kyma struct {
	UID       types.UID
	Ref       Ref
	Created   time.Time
	Versions  []KymaVersion
	DeletedAt time.Time
	DeletedRV uint64
}

// Last is the newest version seen.
func (k *Kyma) Last() KymaVersion { return k.Versions[len(k.Versions)-1] }

// Deleted tells whether the Kyma's end was seen.
func (k *Kyma) Deleted() bool { return !k.DeletedAt.IsZero() }

// Gone tells whether the Kyma is deleted or on its way out.
func (k *Kyma) Gone() bool { return k.Deleted() || k.Last().Deleting }

// FirstSuccess is when the Kyma was first seen converged.
func (k *Kyma) FirstSuccess() (time.Time, bool) {
	for _, v := range k.Versions {
		if v.Converged() {
			return v.At, true
		}
	}
	return time.Time{}, false
}

// ActKind says what the lab did.
type ActKind string

// The acts of the lab: what it did to Kymas and components, and the faults it
// injected into the operator.
const (
	CreateKyma      ActKind = "create-kyma"
	UpdateKyma      ActKind = "update-kyma"
	DeleteKyma      ActKind = "delete-kyma"
	DeleteComponent ActKind = "delete-component"
	WipeStatus      ActKind = "wipe-status"
	Restart         ActKind = "restart-operator"
	Kill            ActKind = "kill-operator"
)

// Act is one thing that the lab did.
type Act struct {
	Kind ActKind
	Ref  Ref
	UID  types.UID
	RV   uint64
	// Scheduled is when the act was planned, Sent when the request left, Acked
	// when the answer came.
	Scheduled, Sent, Acked time.Time
	// Error is empty for an acknowledged act.
	Error string
}

// Gap is a time in which the watch of a resource saw nothing.
type Gap struct {
	Resource string
	From, To time.Time
	// Lost is set where events were lost: the watch could not resume where it
	// broke off and the state was listed anew.
	Lost bool
}

// History is everything that was recorded, at one moment.
type History struct {
	Kymas      map[types.UID]*Kyma
	Components map[types.UID]*Component
	Acts       []Act
	Gaps       []Gap
	// Watched are the namespaces whose components were observed; the others hold
	// Kymas that were observed without their components.
	Watched map[string]bool
}

// LostEvents tells whether the record of a resource has holes.
func (h *History) LostEvents(resource string) bool {
	for _, g := range h.Gaps {
		if g.Resource == resource && g.Lost {
			return true
		}
	}
	return false
}

// Final is the consistent LIST after a run.
type Final struct {
	At         time.Time
	Kymas      []v1alpha1.Kyma
	Components []v1alpha1.HelmComponent
}
