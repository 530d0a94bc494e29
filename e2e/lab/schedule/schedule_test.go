package schedule

import (
	"reflect"
	"testing"
	"time"
)

var modules = []string{"istio", "ory"}

func TestRateIsEvenlySpaced(t *testing.T) {
	sends := Rate(5, 2, Namer("w", "u", "ky", 1))
	for i, s := range sends {
		if want := time.Duration(i) * 500 * time.Millisecond; s.After != want {
			t.Errorf("send %d after %s, want %s", i, s.After, want)
		}
	}
}

func TestNamerInterleavesTheSample(t *testing.T) {
	for fraction, want := range map[float64]int{0: 0, 0.1: 10, 0.5: 50, 1: 100} {
		watched := 0
		for _, s := range Burst(0, 100, Namer("w", "u", "ky", fraction)) {
			if s.Ref.Namespace == "w" {
				watched++
			}
		}
		if watched != want {
			t.Errorf("fraction %v: %d watched, want %d", fraction, watched, want)
		}
	}
	if got := Namer("w", "u", "ky", 1)(7).Name; got != "ky-00007" {
		t.Errorf("name %s", got)
	}
}

func TestMoments(t *testing.T) {
	if got := Moments(3, 4*time.Second); !reflect.DeepEqual(got, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}) {
		t.Errorf("got %v", got)
	}
}

func TestChurnEndsAsItBegan(t *testing.T) {
	plan := Churn(20, modules, 0.5, time.Minute, 7)
	if !reflect.DeepEqual(plan, Churn(20, modules, 0.5, time.Minute, 7)) {
		t.Error("the same seed gives another plan")
	}
	if len(plan) != 20 {
		t.Errorf("%d steps for 10 Kymas", len(plan))
	}
	open := map[int]Op{}
	for _, op := range plan {
		switch op.Kind {
		case RemoveModule, DeleteKyma:
			open[op.Kyma] = op
		default:
			begun := open[op.Kyma]
			if begun.Module != op.Module || begun.After > op.After {
				t.Errorf("%+v does not undo %+v", op, begun)
			}
			delete(open, op.Kyma)
		}
	}
	if len(open) > 0 {
		t.Errorf("left undone: %v", open)
	}
}
