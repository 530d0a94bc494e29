package integration

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// startFleet sends Kymas on their way and waits until they are in the middle of
// it: some components are made, some are not, some have moved.
func (l *lab) startFleet(prefix string) []string {
	l.Helper()
	const kymas = 3
	var names []string
	for i := range kymas {
		names = append(names, fmt.Sprintf("%s%d", prefix, i))
		l.create(standard(names[i]))
	}
	made, moved := 0, 0
	l.history.until(l.TB, "the Kymas are on their way", func(c change) bool {
		if hc := c.component; hc != nil && strings.HasPrefix(hc.Name, prefix) {
			if c.made {
				made++
			}
			if hc.Status.Status != v1alpha1.ComponentPending {
				moved++
			}
		}
		return made > 9 && moved > 0
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
	l := newLabOn(t, plane)
	p := l.start("--retry-base-delay=100ms", "--retry-max-delay=2s")

	var names []string
	for _, prefix := range []string{"first", "second", "third"} {
		names = append(names, l.startFleet(prefix)...)
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
	if !p.Running() {
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
