package integration

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// TestKilledAfterTheNthCreate kills the operator when exactly n creates have
// gone through, for every n: once with all answers delivered, and once with the
// last answer lost.
func TestKilledAfterTheNthCreate(t *testing.T) {
	t.Parallel()
	for name, answered := range map[string]bool{"answered": true, "answer lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.create(standard("killed"))
			for n := 1; n <= 18; n++ {
				l.killAfterCreate(n, answered)
			}
			l.start()
			l.success("killed")
			l.checkOnce()
			l.checkForward(false)
			l.checkKymas()
		})
	}
}

// killAfterCreate runs an operator that makes one component, the nth of all, and
// is killed then. Each has a gate of its own: what a killed operator has sent may
// reach the gate after its death and is not taken for the next one's.
func (l *lab) killAfterCreate(n int, answered bool) {
	l.Helper()
	var creates atomic.Int32
	g := newGate(l.TB, l.plane.RESTConfig())
	g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch {
		case !isCreate(r):
			next.ServeHTTP(w, r)
		case creates.Add(1) > 1:
			<-r.Context().Done() // until the operator is dead
		case answered:
			next.ServeHTTP(w, r)
		default:
			swallow(r, next)
		}
	})
	p := l.spawn(g.config(), "--write-concurrency=1")
	count := 0
	l.history.until(l.TB, "the next component is made", func(c change) bool {
		if c.component != nil && c.made {
			count++
		}
		return count == n
	})
	p.Kill()
	if got := l.made(); got != n {
		l.Fatalf("%d components were made, want %d", got, n)
	}
}

// made counts the components that were ever made.
func (l *lab) made() int {
	count := 0
	for _, c := range l.history.all() {
		if c.component != nil && c.made {
			count++
		}
	}
	return count
}

// TestKilledInEachState kills the operator as soon as a state is stored; the
// next one goes on from there.
func TestKilledInEachState(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.create(kyma("states", "ory", "kiali", "rafter"))
	for _, state := range lifecycle.States() {
		p := l.start("--coalesce-transitions=false")
		l.history.until(t, "a component is "+string(state), func(c change) bool {
			return c.component != nil && c.component.Status.Status == state
		})
		p.Kill()
	}
	l.start("--coalesce-transitions=false")
	l.success("states")
	l.checkOnce()
	l.checkForward(true)
	l.checkKymas()
}

// TestKilledBeforeTheLastWord: every component is success, and the operator dies
// before it can say so of the Kyma.
func TestKilledBeforeTheLastWord(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isStatusWrite(r) && isOfKyma(r) {
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	})
	p := l.startAs(g.config())
	l.create(kyma("word", "ory"))
	l.history.until(t, "the component is success", func(c change) bool {
		return c.component != nil && c.component.Status.Status == v1alpha1.ComponentSuccess
	})
	p.Kill()
	l.start()
	l.success("word")
	l.checkOnce()
	l.checkKymas()
}
