package integration

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const leaseName = "kyma-operator.inventory.kyma-project.io"

// replica is one of several operators, behind a gate of its own so that its
// writes can be told from the others'.
type replica struct {
	*operatorProcess
	gate *gate
}

func (l *lab) replica(args ...string) *replica {
	l.Helper()
	g := newGate(l.TB, l.plane.RESTConfig())
	args = append([]string{"--leader-elect", "--leader-elect-namespace=" + l.namespace, "--coalesce-transitions=false"}, args...)
	return &replica{l.startAs(g.config(), args...), g}
}

// holder is who holds the Lease, "" for nobody.
func (l *lab) holder(ctx context.Context) string {
	lease, err := l.kube.CoordinationV1().Leases(l.namespace).Get(ctx, leaseName, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// leads waits until a replica leads.
func (l *lab) leads(r *replica) {
	l.Helper()
	l.eventually("the replica leads", func(context.Context) string {
		if !strings.Contains(r.Log.String(), "msg=Working") {
			return "it stands by"
		}
		return ""
	})
}

// pair starts a leader and a standby.
func (l *lab) pair(args ...string) (leader, standby *replica) {
	l.Helper()
	leader = l.replica(args...)
	l.leads(leader)
	standby = l.replica(args...)
	return leader, standby
}

// checkTakeover waits for the standby's lead, and fails if it took longer.
func (l *lab) checkTakeover(r *replica, since time.Time, within time.Duration) {
	l.Helper()
	l.leads(r)
	took := time.Since(since)
	l.Logf("takeover after %s", took.Round(time.Millisecond))
	if took > within {
		l.Errorf("the takeover took %s, want %s at most", took, within)
	}
}

func (l *lab) checkHandedOver(names ...string) {
	l.Helper()
	l.success(names...)
	l.checkOnce()
	l.checkForward(true)
	l.checkKymas()
}

// TestLeaderIsKilled: with the default lease, the standby leads within 15 s of
// a kill -9, and does what the leader left undone.
func TestLeaderIsKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	leader, standby := l.pair()
	l.create(standard("orphaned"))
	l.history.until(t, "the leader works", func(c change) bool { return c.component != nil })
	if writes := standby.gate.written(); len(writes) > 0 {
		t.Errorf("the standby wrote: %v", writes)
	}
	if answer := standby.ready(t.Context()); answer != "" {
		t.Errorf("the standby's readyz answers %s", answer)
	}
	leader.Kill()
	l.checkTakeover(standby, time.Now(), 15*time.Second)
	l.create(standard("after"))
	l.checkHandedOver("orphaned", "after")
}

// TestLeaderStops: a leader that is told to stop finishes, gives the Lease back
// and exits with 0; the other leads within 2 s, time and again.
func TestLeaderStops(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	leader, standby := l.pair()
	var kymas []string
	for round := range 5 {
		kymas = append(kymas, fmt.Sprintf("handed-%d", round))
		l.create(kyma(kymas[round], "ory", "rafter", "kiali", "tracing", "istio"))
		l.history.until(t, "the leader works", func(c change) bool {
			return c.component != nil && strings.HasPrefix(c.component.Name, kymas[round])
		})
		stopped := time.Now()
		leader.signal(syscall.SIGTERM)
		if code := leader.exit(t); code != 0 {
			t.Errorf("the leader exits with %d, want 0", code)
		}
		l.checkTakeover(standby, stopped, 2*time.Second)
		leader, standby = standby, l.replica()
	}
	l.checkHandedOver(kymas...)
}

// TestPausedLeader sleeps past its lease. When it wakes, another leads, and not
// one write of it may leave, though its queues are full.
func TestPausedLeader(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	leader, standby := l.pair("--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms",
		// Two of its own writes a second: it has work left for as long as it takes.
		"--kube-api-qps=20", "--kube-api-burst=1")
	l.create(standard("paused"), standard("waiting"))
	l.history.until(t, "the leader works", func(c change) bool { return c.component != nil && c.component.Status.Status == "started" })
	first := l.holder(t.Context())
	leader.signal(syscall.SIGSTOP)
	l.checkTakeover(standby, time.Now(), 8*time.Second)
	if now := l.holder(t.Context()); now == first || now == "" {
		t.Errorf("the lease is held by %q, before by %q", now, first)
	}
	before := len(leader.gate.written())
	leader.signal(syscall.SIGCONT)
	if code := leader.exit(t); code == 0 {
		t.Error("a leader that lost its lease exits with 0")
	}
	if late := leader.gate.written()[before:]; len(late) > 0 {
		t.Errorf("the old leader wrote after it was replaced: %v", late)
	}
	if !standby.Running() {
		t.Error("the new leader has ended")
	}
	l.checkHandedOver("paused", "waiting")
}
