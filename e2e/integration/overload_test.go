package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestOverloadedServer has the API server refuse writes, or answer them slowly,
// for a while. The operator makes fewer of them at once by itself, and as many as
// before when the server has recovered; nothing fails on the way.
func TestOverloadedServer(t *testing.T) {
	t.Parallel()
	const slots = 16
	for name, overload := range map[string]hook{
		"429": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"TooManyRequests","code":429}`)
		},
		"slow": func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			release := make(chan struct{})
			// Longer than the second from which on an answer is slow.
			time.AfterFunc(1100*time.Millisecond, func() { close(release) })
			hold(w, r, next, release)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			g := newGate(t, l.plane.RESTConfig())
			g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if isWrite(r) {
					overload(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
			p := l.startAs(g.config(), "--kube-api-qps=-1", fmt.Sprintf("--write-concurrency=%d", slots))
			names := []string{"a", "b", "c", "d", "e"}
			for _, name := range names {
				l.create(standard(name))
			}
			limit := func(is func(float64) bool) func(context.Context) string {
				return func(ctx context.Context) string {
					now, err := p.sum(ctx, "kyma_operator_write_slots", "state", "limit")
					if err != nil {
						return err.Error()
					}
					if !is(now) {
						return fmt.Sprintf("%v slots", now)
					}
					return ""
				}
			}
			eventually(t, "the operator slows down", limit(func(now float64) bool { return now <= slots/4 }))
			g.set(nil)
			// From one slot to all takes 136 good answers, which may be more than is left
			// to write for the first ones; as many again are enough.
			for _, name := range []string{"f", "g", "h", "i", "j"} {
				l.create(standard(name))
				names = append(names, name)
			}
			l.success(names...)
			l.checkOnce()
			l.checkForward(false)
			l.checkKymas()
			eventually(t, "the operator recovers", limit(func(now float64) bool { return now == slots }))
			if failed := p.metric(t, "kyma_operator_reconciles_total", "result", "error"); failed > 0 {
				t.Errorf("%v syncs failed", failed)
			}
		})
	}
}
