package invariant

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// checkCreatedOnce is I3: of all components that were ever made for a module of
// a Kyma, at most one was not deleted for a reason.
func checkCreatedOnce(in Input, ix *index, f *findings) {
	if !needsWatch(in, ix, f) {
		return
	}
	for key, made := range ix.byChild {
		f.checked++
		standing := 0
		for _, c := range made {
			if !c.Deleted() || ix.cause(in, c) == "" {
				standing++
			}
		}
		if standing > 1 {
			f.violation("module %q of Kyma %s (%s) was created %d times, with a cause for %d of them only",
				key.module, made[0].OwnerName, key.owner, len(made), len(made)-standing+1)
		}
	}
}

// checkDeleteCauses is I9.
func checkDeleteCauses(in Input, ix *index, f *findings) {
	if !needsWatch(in, ix, f) {
		return
	}
	for _, c := range in.History.Components {
		if !c.Deleted() || c.OwnerUID == "" {
			continue
		}
		f.checked++
		if ix.cause(in, c) == "" {
			f.violation("component %s was deleted, although its Kyma %s and module %q live", c.Ref, c.OwnerName, c.Module)
		}
	}
}

// checkTimeline is I4.
func checkTimeline(in Input, ix *index, f *findings) {
	if !needsWatch(in, ix, f) {
		return
	}
	for _, c := range in.History.Components {
		f.checked++
		for i, v := range c.Versions {
			if i > 0 {
				compareSteps(in, ix, c, c.Versions[i-1], v, f)
			}
			due := c.Origin(v).Add(in.Timeline.Offset(c.Module, v.State))
			if early := due.Sub(v.At); early > in.Early && lifecycle.Rank(v.State) > 0 {
				f.violation("component %s was %s %s before it was due", c.Ref, v.State, early.Round(time.Millisecond))
			}
		}
	}
}

// compareSteps compares two versions that follow each other. A new origin or a
// new generation starts a new timeline, and a status that was wiped starts at
// the beginning.
func compareSteps(in Input, ix *index, c *history.Component, was, is history.Version, f *findings) {
	if !was.Origin.Equal(is.Origin) || was.Generation != is.Generation || ix.wiped[c.Ref] {
		return
	}
	step := lifecycle.Rank(is.State) - lifecycle.Rank(was.State)
	switch {
	case step < 0:
		f.violation("component %s went back from %s to %s", c.Ref, was.State, is.State)
	case step > 1 && !in.Coalescing:
		f.violation("component %s jumped from %s to %s with coalescing off", c.Ref, was.State, is.State)
	}
}

// checkAcknowledged is I7.
func checkAcknowledged(in Input, ix *index, f *findings) {
	if in.Final == nil || in.History == nil {
		f.cannot("there is no final list")
		return
	}
	there := map[types.UID]bool{}
	for i := range in.Final.Kymas {
		there[in.Final.Kymas[i].UID] = true
	}
	for _, a := range in.History.Acts {
		if a.Kind != history.CreateKyma || a.Error != "" {
			continue
		}
		f.checked++
		if !there[a.UID] && !ix.deletes[a.UID] {
			f.violation("Kyma %s was acknowledged as %s and is gone", a.Ref, a.UID)
		}
	}
	if f.checked == 0 {
		f.cannot("the lab created nothing itself")
	}
}

// poisonTolerance is how much worse the others may become, as in loadlab.md.
const poisonTolerance = 1.10

// checkPoison is I8.
func checkPoison(in Input, _ *index, f *findings) {
	if in.Poison == nil {
		f.cannot("no poisoned object was part of this run (--scenario poison)")
		return
	}
	f.checked = 1
	p := in.Poison
	if float64(p.PoisonedP99) > poisonTolerance*float64(p.ControlP99) {
		f.violation("p99 to success rose from %s to %s beside a poisoned object", p.ControlP99.Round(time.Millisecond), p.PoisonedP99.Round(time.Millisecond))
	}
}

// How far goroutines and heap may be above where they were: a fixed part for
// what any process has, and a relative one for what grows with the fleet.
const (
	goroutineSlack  = 20
	goroutineFactor = 1.10
	heapSlack       = 8 << 20
	heapFactor      = 1.20
)

// checkProcess is I10.
func checkProcess(in Input, _ *index, f *findings) {
	p := in.Process
	if p == nil {
		f.cannot("the operator's process could not be observed")
		return
	}
	f.checked = 1
	for _, line := range p.Panics {
		f.violation("the operator's log says: %s", line)
	}
	if p.Starts > p.Injected {
		f.violation("the operator was started %d times, %d of them by the lab", p.Starts, p.Injected)
	}
	if !p.LogRead {
		f.cannot("the operator's log could not be read")
	}
	if p.GoroutinesBefore == nil || p.GoroutinesAfter == nil || p.HeapBefore == nil || p.HeapAfter == nil {
		f.cannot("the operator's goroutines and heap could not be read")
		return
	}
	if *p.GoroutinesAfter > *p.GoroutinesBefore*goroutineFactor+goroutineSlack {
		f.violation("goroutines rose from %.0f to %.0f", *p.GoroutinesBefore, *p.GoroutinesAfter)
	}
	if *p.HeapAfter > *p.HeapBefore*heapFactor+heapSlack {
		f.violation("the live heap rose from %.1f MB to %.1f MB", *p.HeapBefore/1e6, *p.HeapAfter/1e6)
	}
}
