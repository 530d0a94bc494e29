// Package measure turns a recorded history and the samples of a run into the
// figures of a report. All of it is pure.
package measure

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Basis says what a Kyma's time counts from.
type Basis int

const (
	// FromSend counts from the moment the request left: a burst sends as fast as
	// the API server takes it.
	FromSend Basis = iota
	// FromSchedule counts from the moment the request was due, so that a late
	// send counts against the result.
	FromSchedule
	// FromCreation counts from creationTimestamp (1 s resolution), where the lab
	// only observes.
	FromCreation
)

// KymaTime is how long one Kyma took.
type KymaTime struct {
	Ref           history.Ref
	UID           types.UID
	Sent, Success time.Time
}

// Took is from the send to success.
func (k KymaTime) Took() time.Duration { return k.Success.Sub(k.Sent) }

// Kymas returns the times of all Kymas that reached success, in order of their
// sends, and the moments of the first and the last send of all. only filters by
// reference; nil takes all.
func Kymas(h *history.History, basis Basis, only func(history.Ref) bool) (times []KymaTime, first, last time.Time) {
	note := func(uid types.UID, ref history.Ref, sent time.Time) {
		if only != nil && !only(ref) {
			return
		}
		if first.IsZero() || sent.Before(first) {
			first = sent
		}
		if sent.After(last) {
			last = sent
		}
		k := h.Kymas[uid]
		if k == nil {
			return
		}
		if at, ok := k.FirstSuccess(); ok {
			times = append(times, KymaTime{Ref: ref, UID: uid, Sent: sent, Success: at})
		}
	}
	if basis == FromCreation {
		for uid, k := range h.Kymas {
			note(uid, k.Ref, k.Created)
		}
	} else {
		for _, a := range h.Acts {
			if a.Kind != history.CreateKyma || a.Error != "" {
				continue
			}
			sent := a.Sent
			if basis == FromSchedule {
				sent = a.Scheduled
			}
			note(a.UID, a.Ref, sent)
		}
	}
	slices.SortFunc(times, func(a, b KymaTime) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.Ref.Name, b.Ref.Name))
	})
	return times, first, last
}

// Latency computes all latencies. ideal is the time of one Kyma alone.
func Latency(h *history.History, times []KymaTime, timeline lifecycle.Timeline, ideal time.Duration) report.Latency {
	kyma, stretch := stats.NewDurations(), stats.NewDurations()
	for _, k := range times {
		kyma.Record(k.Took())
		// A ratio is recorded as that many seconds.
		stretch.Record(time.Duration(float64(k.Took()) / float64(ideal) * float64(time.Second)))
	}
	late, perState, perModule := stats.NewDurations(), map[string]*stats.Durations{}, map[string]*stats.Durations{}
	for _, c := range h.Components {
		recordTransitions(c, timeline, func(state v1alpha1.ComponentState, lateness time.Duration) {
			late.Record(lateness)
			into(perState, string(state)).Record(lateness)
		})
		if first := c.Versions[0]; lifecycle.Rank(first.State) == 0 {
			if i := slices.IndexFunc(c.Versions, func(v history.Version) bool { return v.State == v1alpha1.ComponentSuccess }); i >= 0 {
				into(perModule, c.Module).Record(c.Versions[i].At.Sub(first.At))
			}
		}
	}
	return report.Latency{
		Kyma: kyma.Summary(), Stretch: stretch.Summary(), Lateness: late.Summary(),
		PerComponent: summaries(perModule), PerTransition: summaries(perState),
		StretchCurve: curve(stretch), LatenessCurve: curve(late),
	}
}

// recordTransitions calls record for each state that a component was seen to
// reach. What was there at the first sight is not a transition.
func recordTransitions(c *history.Component, timeline lifecycle.Timeline, record func(v1alpha1.ComponentState, time.Duration)) {
	for i := 1; i < len(c.Versions); i++ {
		was, is := c.Versions[i-1], c.Versions[i]
		if lifecycle.Rank(is.State) <= lifecycle.Rank(was.State) {
			continue
		}
		due := c.Origin(is).Add(timeline.Offset(c.Module, is.State))
		record(is.State, is.At.Sub(due))
	}
}

func into(m map[string]*stats.Durations, key string) *stats.Durations {
	if m[key] == nil {
		m[key] = stats.NewDurations()
	}
	return m[key]
}

func summaries(m map[string]*stats.Durations) map[string]*stats.Summary {
	out := make(map[string]*stats.Summary, len(m))
	for key, d := range m {
		out[key] = d.Summary()
	}
	return out
}

// curve returns the quantiles 0, 0.01 … 1 in seconds.
func curve(d *stats.Durations) []float64 {
	if d.Count() == 0 {
		return nil
	}
	out := make([]float64, 0, 101)
	for i := range 101 {
		out = append(out, d.Quantile(float64(i)/100).Seconds())
	}
	return out
}

// shownWorst is how many of the slowest Kymas a report names.
const shownWorst = 20

// Worst returns the slowest Kymas, each with the module that came last.
func Worst(h *history.History, times []KymaTime, first time.Time, ideal time.Duration) []report.WorstKyma {
	last := map[types.UID]*history.Component{}
	end := func(c *history.Component) time.Time { return c.Versions[len(c.Versions)-1].At }
	for _, c := range h.Components {
		if l := last[c.OwnerUID]; l == nil || end(c).After(end(l)) {
			last[c.OwnerUID] = c
		}
	}
	slowest := slices.Clone(times)
	slices.SortStableFunc(slowest, func(a, b KymaTime) int { return cmp.Compare(b.Took(), a.Took()) })
	out := make([]report.WorstKyma, 0, shownWorst)
	for _, k := range slowest[:min(shownWorst, len(slowest))] {
		w := report.WorstKyma{
			Name: k.Ref.String(), Seconds: k.Took().Seconds(), Stretch: float64(k.Took()) / float64(ideal), Sent: k.Sent.Sub(first).Seconds(),
		}
		if c := last[k.UID]; c != nil {
			w.Slowest = c.Module
		}
		out = append(out, w)
	}
	return out
}

// Floor is the least time that a run can take: that of one Kyma, or the writes
// that it needs at the capacity that was measured.
func Floor(ideal time.Duration, writes float64, capacity *float64) time.Duration {
	if capacity == nil || *capacity <= 0 {
		return ideal
	}
	return max(ideal, time.Duration(writes / *capacity * float64(time.Second)))
}

// WritesNeeded is the least number of writes that bring Kymas to success: its
// own creation, per module the creation and the states (one with coalescing, the
// four after pending without), and two of the Kyma's status.
func WritesNeeded(kymas, modules int, coalescing bool) float64 {
	states := len(lifecycle.States()) - 1
	if coalescing {
		states = 1
	}
	return float64(kymas * (1 + modules*(1+states) + 2))
}
