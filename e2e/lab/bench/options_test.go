package bench

import (
	"math"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/capacity"
	"github.com/kyma-incubator/kymactl/e2e/lab/place"
	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

func TestWhatTheFlagsMean(t *testing.T) {
	tests := map[string]struct {
		args       []string
		coalescing bool
		qps, burst float64
	}{
		"defaults":           {nil, true, 150, 150},
		"no limit":           {[]string{"--kube-api-qps=-1"}, true, math.Inf(1), 0},
		"the last one wins":  {[]string{"--kube-api-qps=20", "--kube-api-qps", "30", "--kube-api-burst=40"}, true, 30, 40},
		"without coalescing": {[]string{"--coalesce-transitions=false"}, false, 150, 150},
		"not a number":       {[]string{"--kube-api-qps=many"}, true, 150, 150},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := Options{OperatorArgs: tt.args}
			if qps, burst := o.Budget(); o.Coalescing() != tt.coalescing || qps != tt.qps || burst != tt.burst {
				t.Errorf("coalescing %t, %v a second, %v at once", o.Coalescing(), qps, burst)
			}
		})
	}
}

func TestFloor(t *testing.T) {
	tests := map[string]struct {
		scenario string
		args     []string
		capacity float64
		kymas    int
		want     time.Duration
		reached  bool
	}{
		"a fast API server":            {Burst, []string{"--kube-api-qps=-1"}, 1000, 1000, 67 * time.Second, true},
		"a slow one":                   {Burst, []string{"--kube-api-qps=-1"}, 390, 1000, 100 * time.Second, false},
		"the operator's budget":        {Burst, []string{"--kube-api-qps=38", "--kube-api-burst=0"}, 1000, 100, 100 * time.Second, false},
		"the burst of it comes free":   {Burst, []string{"--kube-api-qps=38", "--kube-api-burst=380"}, 1000, 100, 90 * time.Second, false},
		"a rate has the time of sends": {Rate, []string{"--kube-api-qps=-1"}, 390, 1000, 127 * time.Second, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := Options{Scenario: tt.scenario, Kymas: tt.kymas, Modules: v1alpha1.StandardComponents(), OperatorArgs: tt.args, Timeline: lifecycle.Timeline{Unit: time.Second}, ObserveFraction: 1, Namespace: "ns"}
			b := New(&place.Place{}, nil, clock.RealClock{}, progress.NewBoard(nil), o)
			b.capacity = &capacity.Result{Capacity: tt.capacity}
			span := time.Duration(0)
			if tt.scenario == Rate {
				span = time.Minute
			}
			if got := b.floorReport(span).Seconds; math.Abs(got-tt.want.Seconds()) > 0.01 {
				t.Errorf("floor %v s, want %s", got, tt.want)
			}
			if why := b.outOfReach(span); (why == "") != tt.reached {
				t.Errorf("out of reach: %q", why)
			}
		})
	}
}

func TestNamespaces(t *testing.T) {
	if n := (Options{Namespace: "a", ObserveFraction: 1}).namespaces(); len(n) != 1 {
		t.Errorf("all are watched: %v", n)
	}
	if n := (Options{Namespace: "a", ObserveFraction: 0.1}).namespaces(); len(n) != 2 || n[1] != "a-unwatched" {
		t.Errorf("a sample: %v", n)
	}
	if total := (Options{Scenario: Batches, Kymas: 5, Batches: 3}).Total(); total != 15 {
		t.Errorf("three batches of five are %d", total)
	}
}
