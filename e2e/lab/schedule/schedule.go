// Package schedule says when what is sent: pure plans, made before a run begins,
// so that a slow server cannot slow the plan down and hide its slowness.
package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
)

// Send is one Kyma to be created.
type Send struct {
	// After the start of its phase.
	After time.Duration
	Ref   history.Ref
}

// Namer gives the i-th Kyma of a run its name and namespace. Of the Kymas the
// given fraction goes, evenly interleaved, into the namespace whose components
// are watched; the rest into the other one.
func Namer(watched, unwatched, prefix string, fraction float64) func(i int) history.Ref {
	return func(i int) history.Ref {
		ns := unwatched
		if int(float64(i+1)*fraction) > int(float64(i)*fraction) {
			ns = watched
		}
		return history.Ref{Namespace: ns, Name: fmt.Sprintf("%s-%05d", prefix, i)}
	}
}

// Burst is n sends at once, beginning with the number first.
func Burst(first, n int, name func(int) history.Ref) []Send {
	out := make([]Send, 0, n)
	for i := range n {
		out = append(out, Send{Ref: name(first + i)})
	}
	return out
}

// Rate is n sends, perSecond of them each second, evenly spaced.
func Rate(n int, perSecond float64, name func(int) history.Ref) []Send {
	out := make([]Send, 0, n)
	for i := range n {
		out = append(out, Send{After: time.Duration(float64(i) / perSecond * float64(time.Second)), Ref: name(i)})
	}
	return out
}

// Moments spreads n faults evenly over a span, none at its beginning or end.
func Moments(n int, span time.Duration) []time.Duration {
	out := make([]time.Duration, 0, n)
	for i := range n {
		out = append(out, span*time.Duration(i+1)/time.Duration(n+1))
	}
	return out
}

// OpKind is what a churn step does to a Kyma.
type OpKind string

// The steps of a churn.
const (
	RemoveModule OpKind = "remove"
	AddModule    OpKind = "add"
	DeleteKyma   OpKind = "delete"
	RecreateKyma OpKind = "recreate"
)

// Op is one step of a churn.
type Op struct {
	After  time.Duration
	Kind   OpKind
	Kyma   int
	Module string
}

// Churn plans, for a share of the Kymas, either the removal and re-adding of a
// module or the deletion and re-creation of the whole, spread over the span. The
// second half of each pair follows in the second half of the span, so that every
// Kyma ends with the modules it began with. The same seed gives the same plan.
func Churn(kymas int, modules []string, share float64, span time.Duration, seed uint64) []Op {
	rng := rand.New(rand.NewPCG(seed, 0x6b796d61))
	var out []Op
	for _, i := range rng.Perm(kymas)[:int(float64(kymas)*share+0.5)] {
		at := time.Duration(rng.Int64N(int64(span / 2)))
		again := span/2 + time.Duration(rng.Int64N(int64(span/2)))
		module := modules[rng.IntN(len(modules))]
		if rng.IntN(2) == 0 {
			out = append(out, Op{at, RemoveModule, i, module}, Op{again, AddModule, i, module})
		} else {
			out = append(out, Op{at, DeleteKyma, i, ""}, Op{again, RecreateKyma, i, ""})
		}
	}
	slices.SortStableFunc(out, func(a, b Op) int { return int(a.After - b.After) })
	return out
}
