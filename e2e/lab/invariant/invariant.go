// Package invariant checks that a run lost nothing and doubled nothing: I1 to
// I11 over the recorded history and the final LIST. Each is a pure function; one
// that lacks what it would have to look at is unverified, never passed.
package invariant

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	Pass       Status = "pass"
	Fail       Status = "fail"
	Unverified Status = "unverified"
)

// maxShown bounds the violations that a Result carries word by word.
const maxShown = 20

// Result is the outcome of one invariant.
type Result struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status Status `json:"status"`
	// Checked counts the objects that were looked at.
	Checked int `json:"checked"`
	// Broken counts all violations; Violations holds the first of them.
	Broken     int      `json:"broken"`
	Violations []string `json:"violations,omitempty"`
	// Note says what was not looked at, and why.
	Note string `json:"note,omitempty"`
}

// Input is everything that the checks look at. A nil part was not measured.
type Input struct {
	History  *history.History
	Final    *history.Final
	Timeline lifecycle.Timeline
	// Coalescing is whether the operator may skip states that are already past.
	Coalescing bool
	// Converged is whether every live Kyma reached success; else what is still on
	// its way is no violation.
	Converged bool
	// GCGrace is the time that the garbage collector may need.
	GCGrace time.Duration
	// Early is how far before its due moment a state may be seen: the resolution
	// of creationTimestamp plus the difference of the clocks.
	Early     time.Duration
	Settle    *Settle
	Process   *Process
	Poison    *Poison
	Reference *Reference
}

// Settle is what happened after convergence with nothing changing any more.
type Settle struct {
	Wanted, Lasted time.Duration
	// Changed are objects of which the watch saw a new version.
	Changed []string
	// Writes of all clients to the inventory API, from the API server's counters.
	Writes *float64
	// QueueDepth is the largest of the operator's queues at the end.
	QueueDepth *float64
}

// Process is what is known of the operator's process or pods.
type Process struct {
	// Starts counts the processes seen, Injected those that the lab started.
	Starts, Injected int
	// Panics are lines of the log; nil where the log could not be read.
	Panics []string
	// LogRead is whether the log could be searched.
	LogRead                           bool
	GoroutinesBefore, GoroutinesAfter *float64
	// HeapBefore and HeapAfter are live heap bytes at comparable moments: the
	// beginning and the end of the settle time, or before and after a restart.
	HeapBefore, HeapAfter *float64
}

// Poison compares others' success times with and without a poisoned object.
type Poison struct {
	ControlP99, PoisonedP99 time.Duration
}

// Reference holds the masked end state of a run without faults, by workload.
type Reference struct {
	// Faults counts those injected into the run under test.
	Faults int
	// Masked maps the key of a spec to the masked state of a Kyma with it; nil
	// where there was no run without faults.
	Masked map[string]string
}

// All runs every check, in order.
func All(in Input) []Result {
	ix := newIndex(in)
	checks := []struct {
		id, title string
		run       func(Input, *index, *findings)
	}{
		{"I1", "each live Kyma owns exactly one component per module, fields copied", checkChildren},
		{"I2", "no component outlives its owner", checkOrphans},
		{"I3", "nothing is created twice", checkCreatedOnce},
		{"I4", "states move forward along the timeline, never early", checkTimeline},
		{"I5", "a Kyma is success exactly when its components are", checkKymaStatus},
		{"I6", "the end state is reached and stays", checkSettled},
		{"I7", "every acknowledged create is there", checkAcknowledged},
		{"I8", "a poisoned object worsens nobody else", checkPoison},
		{"I9", "every delete has a cause", checkDeleteCauses},
		{"I10", "no panic, no restart, no leak", checkProcess},
		{"I11", "the end state equals that of a run without faults", checkReference},
	}
	results := make([]Result, 0, len(checks))
	for _, c := range checks {
		f := &findings{}
		c.run(in, ix, f)
		results = append(results, f.result(c.id, c.title))
	}
	return results
}

// Worst is Fail if any result failed, else Unverified if any is, else Pass.
func Worst(results []Result) Status {
	worst := Pass
	for _, r := range results {
		switch r.Status {
		case Fail:
			return Fail
		case Unverified:
			worst = Unverified
		}
	}
	return worst
}

// findings collects what one check finds.
type findings struct {
	checked    int
	broken     int
	violations []string
	unverified string
	note       string
}

func (f *findings) violation(format string, args ...any) {
	f.broken++
	if len(f.violations) < maxShown {
		f.violations = append(f.violations, fmt.Sprintf(format, args...))
	}
}

// cannot notes that the check, or a part of it, could not be made.
func (f *findings) cannot(why string) {
	if f.unverified == "" {
		f.unverified = why
	}
}

func (f *findings) result(id, title string) Result {
	r := Result{ID: id, Title: title, Status: Pass, Checked: f.checked, Broken: f.broken, Violations: f.violations, Note: f.note}
	if f.unverified != "" {
		r.Status, r.Note = Unverified, f.unverified
	}
	if f.broken > 0 {
		r.Status = Fail
	}
	return r
}

// child is the key of I3: what a component was made for.
type child struct {
	owner  types.UID
	module string
}

// index holds the history by owner.
type index struct {
	byChild map[child][]*history.Component
	deletes map[types.UID]bool // UIDs that the lab deleted itself
	wiped   map[history.Ref]bool
	partial string // why the components' record is not the whole fleet
}

func newIndex(in Input) *index {
	ix := &index{
		byChild: map[child][]*history.Component{}, deletes: map[types.UID]bool{}, wiped: map[history.Ref]bool{},
	}
	if in.History == nil {
		return ix
	}
	for _, c := range in.History.Components {
		if c.OwnerUID != "" {
			key := child{c.OwnerUID, c.Module}
			ix.byChild[key] = append(ix.byChild[key], c)
		}
	}
	for _, a := range in.History.Acts {
		switch a.Kind {
		case history.DeleteKyma, history.DeleteComponent:
			ix.deletes[a.UID] = true
		case history.WipeStatus:
			ix.wiped[a.Ref] = true
		default:
		}
	}
	watched := 0
	for _, k := range in.History.Kymas {
		if in.History.Watched[k.Ref.Namespace] {
			watched++
		}
	}
	if n := len(in.History.Kymas); watched < n {
		ix.partial = fmt.Sprintf("checked on a sample: the components of %d of %d Kymas were watched", watched, n)
	}
	return ix
}

// cause says why a component was deleted, "" for no reason known.
func (ix *index) cause(in Input, c *history.Component) string {
	if ix.deletes[c.UID] {
		return "deleted by the lab"
	}
	k := in.History.Kymas[c.OwnerUID]
	if k == nil {
		return ""
	}
	if k.Deleted() && k.DeletedRV <= c.DeletedRV {
		return "owner deleted"
	}
	made := c.Versions[0].RV
	for i, v := range k.Versions {
		if v.RV > c.DeletedRV {
			break
		}
		if v.Deleting {
			return "owner is being deleted"
		}
		current := v.RV >= made || i == len(k.Versions)-1 || k.Versions[i+1].RV > made
		if current && !slices.Contains(v.Modules, c.Module) {
			return "module removed"
		}
	}
	return ""
}

// needsWatch ends a check that reads the components' history where there is
// none. It reports whether the check can go on.
func needsWatch(in Input, ix *index, f *findings) bool {
	if in.History == nil || len(in.History.Watched) == 0 {
		f.cannot("the components were not watched")
		return false
	}
	for _, resource := range []string{"kymas", "helmcomponents"} {
		if in.History.LostEvents(resource) {
			f.cannot("the watch of " + resource + " lost events")
		}
	}
	f.note = ix.partial
	return true
}
