package helmcomponent

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// policy is what decisions depend on besides the component and the time.
type policy struct {
	timeline lifecycle.Timeline
	// coalesce passes over states that are not the latest due one.
	coalesce bool
}

// rendered is what came of a component's chart; nil where nothing did yet.
type rendered struct {
	digest string
	// reason says in stable words why there is no digest.
	reason string
}

// decision is what a component's status should be now.
type decision struct {
	status v1alpha1.HelmComponentStatus
	// due is the moment since when it should be so.
	due time.Time
	// passed is the number of states that were due and are passed over.
	passed int
	// optional tells that a later state will make up for this one.
	optional bool
	// after is how long until the next state is due; 0 when none is.
	after time.Duration
	// render asks for the chart, without which the component cannot go on.
	render bool
}

// decide is the lifecycle: a pure function of the object, of what its chart
// rendered to, and of the time.
func decide(hc *v1alpha1.HelmComponent, r *rendered, now time.Time, p policy) decision {
	if lifecycle.SpecChanged(hc) {
		return anew(hc, now, "", p)
	}
	name := hc.Spec.ComponentName
	origin := lifecycle.Origin(hc)
	current := hc.Status.Status
	due, next := p.timeline.Due(origin, name, now)
	// A clock that was set back never takes a state back.
	if lifecycle.Rank(due) <= lifecycle.Rank(current) {
		if current == v1alpha1.ComponentSuccess {
			next = 0
		}
		return decision{status: hc.Status, due: now, after: next, optional: true}
	}
	if hc.Status.ManifestDigest == "" {
		switch {
		case r == nil:
			return decision{status: hc.Status, render: true}
		case r.digest == "":
			return broken(hc, r.reason, origin.Add(p.timeline.Offset(name, v1alpha1.ComponentStarted)))
		case hc.Status.Message != "":
			return anew(hc, now, r.digest, p)
		}
	}
	return advance(hc, r, due, next, p)
}

// anew starts the timeline again.
func anew(hc *v1alpha1.HelmComponent, now time.Time, digest string, p policy) decision {
	start := metav1.NewMicroTime(now)
	return decision{
		status: v1alpha1.HelmComponentStatus{
			Status:             v1alpha1.ComponentPending,
			StartTime:          &start,
			ObservedGeneration: hc.Generation,
			ManifestDigest:     digest,
		},
		due:   now,
		after: p.timeline.Offset(hc.Spec.ComponentName, v1alpha1.ComponentStarted),
	}
}

// broken keeps a component where it is and says why.
func broken(hc *v1alpha1.HelmComponent, reason string, due time.Time) decision {
	status := hc.Status
	status.ObservedGeneration = hc.Generation
	status.Message = reason
	return decision{status: status, due: due}
}

// advance moves a component to the state that is due, or to the next one on
// the way there if none may be passed over.
func advance(hc *v1alpha1.HelmComponent, r *rendered, due v1alpha1.ComponentState, next time.Duration, p policy) decision {
	state := due
	if !p.coalesce {
		state = lifecycle.Next(hc.Status.Status)
	}
	d := decision{
		status:   hc.Status,
		due:      lifecycle.Origin(hc).Add(p.timeline.Offset(hc.Spec.ComponentName, state)),
		passed:   lifecycle.Rank(state) - lifecycle.Rank(hc.Status.Status) - 1,
		optional: p.coalesce && state != v1alpha1.ComponentSuccess,
		after:    next,
	}
	if state != due {
		// The following one is due as well.
		d.after = time.Nanosecond
	}
	d.status.Status = state
	d.status.ObservedGeneration = hc.Generation
	d.status.Message = ""
	if r != nil {
		d.status.ManifestDigest = r.digest
	}
	return d
}

// equal tells whether two statuses need no write between them; the time of the
// write itself is no reason for one.
func equal(a, b *v1alpha1.HelmComponentStatus) bool {
	return a.Status == b.Status &&
		a.Message == b.Message &&
		a.ManifestDigest == b.ManifestDigest &&
		a.ObservedGeneration == b.ObservedGeneration &&
		(a.StartTime == nil) == (b.StartTime == nil) &&
		(a.StartTime == nil || a.StartTime.Time.Equal(b.StartTime.Time))
}
