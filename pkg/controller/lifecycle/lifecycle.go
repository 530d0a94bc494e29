// Package lifecycle says which state of a HelmComponent is due when. Everything
// here is a pure function of the component's origin, its name and the time
// passed in, so lateness never adds up and a restart changes nothing.
package lifecycle

import (
	"time"
	"unicode/utf8"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// states are all states in the order of the timeline.
var states = [...]v1alpha1.ComponentState{
	v1alpha1.ComponentPending,
	v1alpha1.ComponentStarted,
	v1alpha1.ComponentFailing,
	v1alpha1.ComponentRetrying,
	v1alpha1.ComponentSuccess,
}

// States returns all states in the order of the timeline.
func States() []v1alpha1.ComponentState { return states[:] }

// Rank is the place of a state on the timeline, from 0 (pending) to 4 (success).
// An unknown state ranks as pending.
func Rank(state v1alpha1.ComponentState) int {
	for i, s := range states {
		if s == state {
			return i
		}
	}
	return 0
}

// Next returns the state that follows; success follows itself.
func Next(state v1alpha1.ComponentState) v1alpha1.ComponentState {
	return states[min(Rank(state)+1, len(states)-1)]
}

// Timeline computes due moments in units of its Unit, which must be positive.
//
// With N the number of characters of the component's name and T0 its origin:
// started is due at T0+1, failing at T0+1+N, retrying at T0+1+2N and success at
// T0+1+3N units.
type Timeline struct {
	Unit time.Duration
}

// Offset is the time from the origin to the moment when state is due.
func (t Timeline) Offset(name string, state v1alpha1.ComponentState) time.Duration {
	rank := Rank(state)
	if rank == 0 {
		return 0
	}
	return time.Duration(1+(rank-1)*utf8.RuneCountInString(name)) * t.Unit
}

// Duration is the time from the origin to success: 1+3N units.
func (t Timeline) Duration(name string) time.Duration {
	return t.Offset(name, v1alpha1.ComponentSuccess)
}

// Longest is the longest Duration among the modules of a Kyma, the ideal time
// to bring it to success; 0 for none.
func (t Timeline) Longest(modules []v1alpha1.KymaComponent) time.Duration {
	var longest time.Duration
	for i := range modules {
		longest = max(longest, t.Duration(modules[i].Name))
	}
	return longest
}

// Due returns the state that is due at now, and how long it stays so: 0 once
// that is success. The wait is never longer than the state's own length, so
// that an origin in the future (a clock that was set back) cannot put a
// component to sleep for longer than one step.
func (t Timeline) Due(origin time.Time, name string, now time.Time) (v1alpha1.ComponentState, time.Duration) {
	elapsed := max(now.Sub(origin), 0)
	due := v1alpha1.ComponentPending
	for _, state := range states[1:] {
		at := t.Offset(name, state)
		if elapsed < at {
			return due, at - elapsed
		}
		due = state
	}
	return due, 0
}

// Origin is T0 of a component: its status.startTime, else its creation.
func Origin(hc *v1alpha1.HelmComponent) time.Time {
	if hc.Status.StartTime != nil {
		return hc.Status.StartTime.Time
	}
	return hc.CreationTimestamp.Time
}

// SpecChanged tells whether the spec is another than the status is about, so
// that the timeline has to start anew.
func SpecChanged(hc *v1alpha1.HelmComponent) bool {
	observed := hc.Status.ObservedGeneration
	return observed != hc.Generation && (observed != 0 || hc.Generation > 1)
}

// Succeeded tells whether a component is success with the spec that it has.
func Succeeded(hc *v1alpha1.HelmComponent) bool {
	return hc.Status.Status == v1alpha1.ComponentSuccess && !SpecChanged(hc)
}
