package integration

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// blackout ends an operator's watches and lets it have none, until it is lifted.
type blackout struct {
	mu     sync.Mutex
	ctx    context.Context
	lift   context.CancelFunc
	refuse bool
	denied int
	gone   int
}

// begin cuts every watch. What happens now is seen by nobody.
func (b *blackout) begin(g *gate) {
	b.mu.Lock()
	b.refuse = true
	b.lift()
	b.mu.Unlock()
	g.server.CloseClientConnections()
}

func newBlackout(t testing.TB) *blackout {
	b := &blackout{}
	b.ctx, b.lift = context.WithCancel(t.Context())
	return b
}

// end lets watches through again, but the first of each kind is told that its
// resourceVersion is too old.
func (b *blackout) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = false
}

func (b *blackout) hook(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if !isWatch(r) {
		next.ServeHTTP(w, r)
		return
	}
	b.mu.Lock()
	refuse, ctx := b.refuse, b.ctx
	tooOld := !refuse && ctx.Err() != nil && b.gone < 2
	if refuse {
		b.denied++
	}
	if tooOld {
		b.gone++
	}
	b.mu.Unlock()
	switch {
	case refuse:
		http.Error(w, "blackout", http.StatusServiceUnavailable)
	case tooOld:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGone)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":%d,"message":"too old resource version"}`, http.StatusGone)
	default:
		next.ServeHTTP(w, r)
	}
}

// TestWatchesDroppedAndTooOld: while the operator is blind, modules come and go,
// a component is deleted and one is changed. It lists anew and puts all right.
func TestWatchesDroppedAndTooOld(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	b := newBlackout(t)
	g.set(b.hook)
	l.startAs(g.config(), "--retry-max-delay=2s")
	l.create(kyma("blind", "ory", "rafter", "kiali"), kyma("gone", "ory"))
	l.success("blind", "gone")

	b.begin(g)
	l.eventually("the operator looks for its watches", func(context.Context) string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return map[bool]string{false: "not yet"}[b.denied >= 2]
	})
	removed := l.component("blind", "kiali").UID
	l.update("blind", func(ky *v1alpha1.Kyma) { ky.Spec.Components = kyma("", "ory", "rafter", "tracing").Spec.Components })
	deleted := l.component("blind", "rafter")
	if err := l.components.Delete(t.Context(), deleted.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.patch(l.component("blind", "ory").Name, `{"spec":{"version":"6.6.6"}}`)
	l.create(standard("born"))
	l.noComponentsOf(l.deleteKyma("gone"))
	b.end()

	l.success("blind", "born")
	l.eventually("all is put right", func(ctx context.Context) string {
		list, err := l.components.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		uids := map[types.UID]bool{}
		for i := range list.Items {
			uids[list.Items[i].UID] = true
			if list.Items[i].Spec.Version != "" {
				return list.Items[i].Name + " is not corrected"
			}
		}
		if len(uids) != 3+18 || uids[removed] || uids[deleted.UID] {
			return fmt.Sprintf("there are %d components", len(uids))
		}
		return ""
	})
	l.success("blind", "born")
	l.checkForward(false)
	l.checkKymas()
	if b.gone != 2 {
		t.Errorf("%d watches were told that they are too old, want 2", b.gone)
	}
}

// TestAnswersAreLost cuts the connection under every third write after it was
// made: creates and states of unknown outcome.
func TestAnswersAreLost(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	var mu sync.Mutex
	writes := 0
	g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		lost := false
		if isWrite(r) {
			mu.Lock()
			writes++
			lost = writes%3 == 0
			mu.Unlock()
		}
		if lost {
			swallow(r, next)
		}
		next.ServeHTTP(w, r)
	})
	l.startAs(g.config(), "--retry-base-delay=100ms", "--retry-max-delay=1s")
	l.create(standard("lost"))
	l.success("lost")
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
}
