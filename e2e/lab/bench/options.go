package bench

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/threshold"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Options say what a run does.
type Options struct {
	Scenario string
	// Kymas to create; in each batch, for batches. For observe, how many to wait
	// for (0: those that come).
	Kymas   int
	Modules []v1alpha1.KymaComponent
	// Rate is sends per second, Batches the number of batches, Kills how often
	// the operator is killed, ChurnShare the share of Kymas that change.
	Rate       float64
	Batches    int
	Kills      int
	ChurnShare float64
	Seed       uint64
	// ResyncPeriod is what the operator is started with in the resync scenario.
	ResyncPeriod time.Duration
	Timeline     lifecycle.Timeline
	Limits       threshold.Limits
	// Timeout bounds the time from the first send until every Kyma is success.
	Timeout time.Duration
	// CapacityProbe is how long the write capacity is probed; 0: not at all.
	CapacityProbe time.Duration
	// ObserveFraction is the share of Kymas whose components are watched.
	ObserveFraction float64
	// Namespace of the watched Kymas; the others are in Namespace-unwatched.
	Namespace string
	// OperatorArgs are the flags of the operator under test that matter for the
	// figures: with what they mean for floor and invariants.
	OperatorArgs []string
	// ReferenceKyma makes a run with faults begin with one Kyma without.
	ReferenceKyma bool
	// Keep leaves the Kymas and namespaces behind.
	Keep bool
	// Stuck is for runs in which no Kyma can reach success: they are watched for
	// this long instead. 0 for all others.
	Stuck time.Duration
	// Restless is for an operator that is made to write at rest: I6 is not put to
	// the test.
	Restless bool
	// AtRest is how long a converged fleet is measured at rest beyond settling.
	AtRest time.Duration
}

// Ideal is the time of one Kyma alone.
func (o Options) Ideal() time.Duration { return o.Timeline.Longest(o.Modules) }

// Total is the number of Kymas that the scenario sends.
func (o Options) Total() int {
	if o.Scenario == Batches {
		return o.Kymas * o.Batches
	}
	return o.Kymas
}

// Coalescing is whether the operator's flags let it skip states.
func (o Options) Coalescing() bool {
	v, ok := o.flag("coalesce-transitions")
	return !ok || v != "false"
}

// Budget is the operator's own limit of requests: how many a second, infinite
// for no limit, and how many at once. The defaults are those of its flags.
func (o Options) Budget() (qps, burst float64) {
	qps, burst = o.number("kube-api-qps", 150), o.number("kube-api-burst", 150)
	if qps < 0 {
		return math.Inf(1), 0
	}
	return qps, burst
}

func (o Options) number(flag string, otherwise float64) float64 {
	text, ok := o.flag(flag)
	if !ok {
		return otherwise
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return otherwise
	}
	return v
}

// flag returns the last value of a flag among the operator's arguments.
func (o Options) flag(name string) (value string, ok bool) {
	for i, arg := range o.OperatorArgs {
		switch {
		case strings.HasPrefix(arg, "--"+name+"="):
			value, ok = strings.TrimPrefix(arg, "--"+name+"="), true
		case arg == "--"+name && i+1 < len(o.OperatorArgs):
			value, ok = o.OperatorArgs[i+1], true
		}
	}
	return value, ok
}

// unwatched is the namespace of the Kymas whose components are not watched.
func (o Options) unwatched() string { return o.Namespace + "-unwatched" }

// namespaces are all that the run uses.
func (o Options) namespaces() []string {
	if o.ObserveFraction >= 1 {
		return []string{o.Namespace}
	}
	return []string{o.Namespace, o.unwatched()}
}

// Names of the scenarios that a Bench runs.
const (
	Burst   = "burst"
	Rate    = "rate"
	Batches = "batches"
	Restart = "restart"
	Kill    = "kill"
	Resync  = "resync"
	Churn   = "churn"
	Poison  = "poison"
	Observe = "observe"
)

// Scenarios lists them.
func Scenarios() []string {
	return []string{Burst, Rate, Batches, Restart, Kill, Resync, Churn, Poison, Observe}
}

// injectsFaults tells whether a scenario disturbs the operator or its objects,
// so that the end state is compared with one that was not disturbed.
func (o Options) injectsFaults() bool {
	switch o.Scenario {
	case Restart, Kill, Resync, Churn:
		return true
	}
	return false
}
