package lifecycle

import (
	"testing"
	"time"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

func TestDue(t *testing.T) {
	origin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		name    string
		elapsed time.Duration
		state   v1alpha1.ComponentState
		next    time.Duration
	}{
		"at the origin":              {"istio", 0, v1alpha1.ComponentPending, time.Second},
		"before the origin":          {"istio", -time.Hour, v1alpha1.ComponentPending, time.Second},
		"just before started":        {"istio", 999 * time.Millisecond, v1alpha1.ComponentPending, time.Millisecond},
		"started to the moment":      {"istio", time.Second, v1alpha1.ComponentStarted, 5 * time.Second},
		"failing":                    {"istio", 6 * time.Second, v1alpha1.ComponentFailing, 5 * time.Second},
		"retrying":                   {"istio", 12 * time.Second, v1alpha1.ComponentRetrying, 4 * time.Second},
		"success to the moment":      {"istio", 16 * time.Second, v1alpha1.ComponentSuccess, 0},
		"an hour late":               {"istio", time.Hour, v1alpha1.ComponentSuccess, 0},
		"no name has no steps":       {"", time.Second, v1alpha1.ComponentSuccess, 0},
		"characters, not bytes":      {"ää", 2 * time.Second, v1alpha1.ComponentStarted, time.Second},
		"the longest standard takes": {"service-catalog-addons", 67 * time.Second, v1alpha1.ComponentSuccess, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			state, next := Timeline{Unit: time.Second}.Due(origin, tc.name, origin.Add(tc.elapsed))
			if state != tc.state || next != tc.next {
				t.Errorf("Due = %s, %s; want %s, %s", state, next, tc.state, tc.next)
			}
		})
	}
}

// The state that Due names is never ahead of Offset nor behind it, whatever the unit.
func TestDueAgreesWithOffset(t *testing.T) {
	origin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, unit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, time.Second} {
		timeline := Timeline{Unit: unit}
		for _, module := range v1alpha1.StandardComponents() {
			for _, state := range States() {
				at := origin.Add(timeline.Offset(module.Name, state))
				if got, _ := timeline.Due(origin, module.Name, at); got != state {
					t.Errorf("%s at the moment of %s is %s", module.Name, state, got)
				}
				if state == v1alpha1.ComponentPending {
					continue
				}
				if got, _ := timeline.Due(origin, module.Name, at.Add(-1)); Next(got) != state {
					t.Errorf("%s just before %s is %s", module.Name, state, got)
				}
			}
		}
	}
}

func TestLongestOfTheStandardModulesIs67(t *testing.T) {
	got := Timeline{Unit: time.Second}.Longest(v1alpha1.StandardComponents())
	if got != 67*time.Second {
		t.Errorf("Longest = %s, want 67s", got)
	}
}

func TestRankAndNext(t *testing.T) {
	for i, state := range States() {
		if Rank(state) != i {
			t.Errorf("Rank(%s) = %d, want %d", state, Rank(state), i)
		}
	}
	if Rank("unheard-of") != 0 {
		t.Error("an unknown state must rank as pending, or it would never move on")
	}
	if Next(v1alpha1.ComponentSuccess) != v1alpha1.ComponentSuccess {
		t.Error("success is the end")
	}
}

func TestSucceeded(t *testing.T) {
	tests := map[string]struct {
		state                v1alpha1.ComponentState
		generation, observed int64
		changed, succeeded   bool
	}{
		"new":                         {v1alpha1.ComponentPending, 1, 0, false, false},
		"changed before any status":   {v1alpha1.ComponentPending, 2, 0, true, false},
		"on its way":                  {v1alpha1.ComponentFailing, 1, 1, false, false},
		"success":                     {v1alpha1.ComponentSuccess, 1, 1, false, true},
		"success of an older spec":    {v1alpha1.ComponentSuccess, 2, 1, true, false},
		"success of the prototype":    {v1alpha1.ComponentSuccess, 1, 0, false, true},
		"success of the changed spec": {v1alpha1.ComponentSuccess, 2, 2, false, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			hc := &v1alpha1.HelmComponent{}
			hc.Status.Status, hc.Generation, hc.Status.ObservedGeneration = tc.state, tc.generation, tc.observed
			if SpecChanged(hc) != tc.changed || Succeeded(hc) != tc.succeeded {
				t.Errorf("changed %t, succeeded %t; want %t, %t", SpecChanged(hc), Succeeded(hc), tc.changed, tc.succeeded)
			}
		})
	}
}
