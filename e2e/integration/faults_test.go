package integration

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// fleet is how many Kymas are on their way when the control plane breaks.
const fleet = 4

// startFleet sends Kymas on a way that is long enough for a fault in its middle,
// and waits until they are well on it.
func (l *lab) startFleet(prefix string) []string {
	l.Helper()
	var names []string
	for i := range fleet {
		names = append(names, fmt.Sprintf("%s%d", prefix, i))
		l.create(standard(names[i]))
	}
	states := map[v1alpha1.ComponentState]int{}
	l.history.until(l.TB, "the Kymas are on their way", func(c change) bool {
		if c.component != nil {
			states[c.component.Status.Status]++
		}
		return states[v1alpha1.ComponentPending] > 9*fleet && states[v1alpha1.ComponentStarted] > 0
	})
	return names
}

func (l *lab) checkFleet(names []string) {
	l.Helper()
	l.success(names...)
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
}

// TestControlPlaneBreaks restarts the API server three times and stops, kills
// and compacts etcd, each time with a fleet in mid-flight.
func TestControlPlaneBreaks(t *testing.T) {
	plane := controlplane.ForTest(t)
	// Watches that ended with the API server are resumed from what it knows now.
	l := newLabOn(t, plane)
	p := l.start("--retry-base-delay=100ms", "--retry-max-delay=2s")

	names := l.startFleet("server")
	for range 3 {
		if err := plane.RestartComponent(t.Context(), controlplane.APIServer); err != nil {
			t.Fatal(err)
		}
	}
	l.checkFleet(names)

	names = l.startFleet("pause")
	etcd := plane.PID(controlplane.Etcd)
	if err := syscall.Kill(etcd, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.waitUntilWritesHang()
	if err := syscall.Kill(etcd, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l.checkFleet(names)

	names = l.startFleet("etcd")
	if err := plane.RestartComponent(t.Context(), controlplane.Etcd); err != nil {
		t.Fatal(err)
	}
	l.checkFleet(names)

	names = l.startFleet("compact")
	if err := plane.StopComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	if err := etcdOf(plane).compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := plane.StartComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	l.checkFleet(names)
	if !p.running() {
		t.Error("the operator has ended")
	}
}

// waitUntilWritesHang returns when writes have taken more than three seconds to
// no end: the operator's are of unknown outcome by then.
func (l *lab) waitUntilWritesHang() {
	l.Helper()
	for try := range 3 {
		ctx, cancel := context.WithTimeout(l.Context(), time.Second)
		_, err := l.kymas.Create(ctx, kyma("probe", "ory"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			// A dry run asks etcd for nothing.
			_, err = l.kymas.Get(ctx, fmt.Sprintf("nobody-%d", try), metav1.GetOptions{})
		}
		cancel()
		if ctx.Err() == nil {
			l.Fatalf("etcd is stopped, and the API server answers %v", err)
		}
	}
}
