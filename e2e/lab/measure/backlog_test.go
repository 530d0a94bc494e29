package measure

import (
	"testing"
	"time"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

func TestUnavoidable(t *testing.T) {
	timeline := lifecycle.Timeline{Unit: time.Second}
	one := []v1alpha1.KymaComponent{{Name: "ab"}}
	tests := map[string]struct {
		sends      []time.Duration
		coalescing bool
		capacity   float64
		late, wait time.Duration
	}{
		// One write at a time and room between them: each takes its own 100 ms.
		"alone": {sends: make([]time.Duration, 1), coalescing: true, capacity: 10, late: 100 * time.Millisecond},
		// Ten creations of 100 ms each wait up to 0.9 s; so do the states that are
		// due 1 s after them, for the creations are over by then.
		"a burst": {sends: make([]time.Duration, 10), coalescing: true, capacity: 10, late: 100 * time.Millisecond, wait: 900 * time.Millisecond},
		// Creations take two seconds and go before the states, so that those which
		// are due from the second second on are a second late; of 100 waits the
		// one before the last counts, 1.8 s.
		"creations go first": {sends: make([]time.Duration, 20), capacity: 10, late: time.Second, wait: 1800 * time.Millisecond},
		// A rate below the capacity makes nothing wait.
		"a rate": {sends: []time.Duration{0, time.Minute, 2 * time.Minute}, capacity: 10, late: 100 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Unavoidable(tt.sends, one, timeline, tt.coalescing, tt.capacity)
			near := func(a, b time.Duration) bool { return (a - b).Abs() < 20*time.Millisecond }
			if !near(got.Lateness, tt.late) || !near(got.Wait, tt.wait) {
				t.Errorf("lateness %s, wait %s; want %s, %s", got.Lateness, got.Wait, tt.late, tt.wait)
			}
		})
	}
}

// With coalescing a hopeless backlog costs the states in between, not the end.
func TestUnavoidablePassesOverStates(t *testing.T) {
	timeline := lifecycle.Timeline{Unit: time.Second}
	sends := make([]time.Duration, 100)
	modules := []v1alpha1.KymaComponent{{Name: "ab"}}
	coalescing := Unavoidable(sends, modules, timeline, true, 10)
	every := Unavoidable(sends, modules, timeline, false, 10)
	if coalescing.Lateness >= every.Lateness {
		t.Errorf("lateness %s with coalescing, %s without", coalescing.Lateness, every.Lateness)
	}
}

func BenchmarkUnavoidable(b *testing.B) {
	sends := make([]time.Duration, 1000)
	for b.Loop() {
		Unavoidable(sends, v1alpha1.StandardComponents(), lifecycle.Timeline{Unit: time.Second}, true, 500)
	}
}
