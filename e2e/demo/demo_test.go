package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	inventory "github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

const samplePath = "../../manifests/samples/kyma.yaml"

func sample(t *testing.T) *inventory.Kyma {
	t.Helper()
	kyma, err := loadSample(samplePath)
	if err != nil {
		t.Fatal(err)
	}
	return kyma
}

func TestSampleHasTheStandardComponents(t *testing.T) {
	if got, want := sample(t).Spec.Components, inventory.StandardComponents(); !slices.Equal(got, want) {
		t.Errorf("the sample has %v,\nthe standard is %v", got, want)
	}
}

func TestIdeal(t *testing.T) {
	if got := ideal(sample(t), time.Second); got != 67*time.Second {
		t.Errorf("the ideal of the sample is %s", got)
	}
	if got := ideal(&inventory.Kyma{}, time.Second); got != time.Second {
		t.Errorf("the ideal without modules is %s", got)
	}
}

func TestNames(t *testing.T) {
	if got := names("kyma", 1); !slices.Equal(got, []string{"kyma"}) {
		t.Error(got)
	}
	if got := names("kyma", 3); !slices.Equal(got, []string{"kyma0001", "kyma0002", "kyma0003"}) {
		t.Error(got)
	}
}

func TestLifecycleUnit(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want time.Duration
		bad  bool
	}{
		"default":    {want: time.Second},
		"one word":   {args: []string{"-v=1", "--lifecycle-unit=10ms"}, want: 10 * time.Millisecond},
		"two words":  {args: []string{"--lifecycle-unit", "2s"}, want: 2 * time.Second},
		"no value":   {args: []string{"--lifecycle-unit"}, want: time.Second},
		"not a time": {args: []string{"--lifecycle-unit=soon"}, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := lifecycleUnit(test.args)
			if got != test.want || (err != nil) != test.bad {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// event is what a watch may say at a moment.
type event struct {
	kyma      string
	waiting   []string
	status    inventory.KymaState
	seen      int64
	component string
	state     inventory.ComponentState
}

func (e event) apply(t *tracker) {
	if e.component != "" {
		t.sawComponent(&inventory.HelmComponent{
			ObjectMeta: metav1.ObjectMeta{Name: e.component, Labels: map[string]string{inventory.LabelKyma: e.kyma}},
			Status:     inventory.HelmComponentStatus{Status: e.state},
		})
		return
	}
	t.sawKyma(&inventory.Kyma{
		ObjectMeta: metav1.ObjectMeta{Name: e.kyma, Generation: 1},
		Status:     inventory.KymaStatus{Status: e.status, WaitingFor: e.waiting, ObservedGeneration: e.seen},
	})
}

func twoModules() *inventory.Kyma {
	kyma := &inventory.Kyma{ObjectMeta: metav1.ObjectMeta{Name: "kyma"}}
	kyma.Spec.Components = []inventory.KymaComponent{{Name: "a"}, {Name: "abc"}}
	return kyma
}

func TestTracker(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	tr := newTracker(clock, names("kyma", 2), twoModules(), time.Second)
	tr.sending("kyma0001")
	clock.Step(time.Second)
	tr.sending("kyma0002")
	for _, e := range []event{
		{kyma: "kyma0001"},
		{kyma: "kyma0002"},
		{kyma: "stranger", status: inventory.KymaSuccess, seen: 1},
		{kyma: "kyma0002", status: inventory.KymaSuccess, seen: 0}, // about an older spec
		{kyma: "kyma0001", component: "kyma0001-a", state: inventory.ComponentStarted},
		{kyma: "kyma0001", component: "kyma0001-a", state: inventory.ComponentSuccess},
		{kyma: "kyma0001", status: inventory.KymaReconciling, waiting: []string{"abc"}, seen: 1},
		{kyma: "kyma0002", status: inventory.KymaReconciling, waiting: []string{"a", "abc"}, seen: 1},
	} {
		e.apply(tr)
	}
	r := tr.report()
	if r.created != 2 || r.success != 0 || r.components != 1 || !r.etaKnown || r.eta != 9*time.Second {
		t.Errorf("under way: %+v", r)
	}
	if first := r.rows[0]; first.success != 1 || first.states[inventory.ComponentSuccess] != 1 || first.elapsed != time.Second {
		t.Errorf("first Kyma under way: %+v", first)
	}
	clock.Step(19 * time.Second)
	if r := tr.report(); r.eta != 60*time.Second {
		t.Errorf("ETA after the ideal, with 1 of 4 components in 20 s: %s", r.eta)
	}
	event{kyma: "kyma0001", status: inventory.KymaSuccess, seen: 1}.apply(tr)
	event{kyma: "kyma0001", status: inventory.KymaSuccess, seen: 1}.apply(tr) // a resync changes nothing
	select {
	case <-tr.done:
		t.Fatal("done with one of two")
	default:
	}
	clock.Step(time.Second)
	event{kyma: "kyma0002", status: inventory.KymaSuccess, seen: 1}.apply(tr)
	<-tr.done
	r = tr.report()
	if r.rows[0].elapsed != 20*time.Second || r.rows[1].elapsed != 20*time.Second || !r.rows[1].finished {
		t.Errorf("at the end: %+v", r.rows)
	}
}

func TestTableIsBounded(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	tr := newTracker(clock, names("kyma", 1000), twoModules(), time.Second)
	if got := tr.watched().Len(); got != maxRows {
		t.Errorf("%d Kymas' components are watched", got)
	}
	text := table(tr.report())
	if lines := strings.Count(text, "\n"); lines != 1+maxRows+2 {
		t.Errorf("%d lines:\n%s", lines, text)
	}
	if !strings.Contains(text, "… and 980 more") {
		t.Errorf("no word on the rest:\n%s", text)
	}
}

func TestSummary(t *testing.T) {
	r := report{modules: 18, ideal: 67 * time.Second, elapsed: 70 * time.Second, success: 4}
	for i := range 4 {
		r.rows = append(r.rows, row{name: fmt.Sprint(i), finished: true, elapsed: time.Duration(67+i) * time.Second})
	}
	text := summary(r, controlplane.Requests{
		{Resource: "kymas", Verb: "POST", Code: "201"}:                4,
		{Resource: "helmcomponents", Verb: "POST", Code: "201"}:       72,
		{Resource: "helmcomponents/status", Verb: "PUT", Code: "200"}: 288,
		{Resource: "helmcomponents", Verb: "LIST", Code: "200"}:       1000,
	}, usage{})
	for _, want := range []string{
		"4 of 4 Kymas with 18 modules", "67.0s (1.00×) at best", "68.0s (1.01×) median", "70.0s (1.04×) p99",
		"70.0s (1.04×) at worst", "ideal is 67.0s", "own count: 90.0.", "(the demo's own)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "LIST") {
		t.Errorf("reads are counted:\n%s", text)
	}
}
