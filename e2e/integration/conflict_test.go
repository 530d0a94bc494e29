package integration

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestConflictsWithASecondWriter has somebody else change each object right
// before each of the operator's first writes to it, so that each ends in a 409.
func TestConflictsWithASecondWriter(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	const spoiled = 3
	var mu sync.Mutex
	tries := map[string]int{}
	g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isStatusWrite(r) {
			mu.Lock()
			tries[r.URL.Path]++
			n := tries[r.URL.Path]
			mu.Unlock()
			if n <= spoiled {
				l.annotate(r.Context(), r.URL.Path, n)
			}
		}
		next.ServeHTTP(w, r)
	})
	p := l.startAs(g.config())
	modules := []string{"ory", "kiali", "rafter"}
	l.create(kyma("conflicts", modules...))
	l.success("conflicts")
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
	for kind, objects := range map[string]int{"HelmComponent": len(modules), "Kyma": 1} {
		if got := p.metric(t, "kyma_operator_status_writes_total", "kind", kind, "result", "conflict"); got < float64(spoiled*objects) {
			t.Errorf("%v conflicts on %ss were counted, want %d", got, kind, spoiled*objects)
		}
	}
}

// annotate changes the object that a status is written to.
func (l *lab) annotate(ctx context.Context, statusPath string, n int) {
	object := strings.TrimSuffix(statusPath, "/status")
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"second-writer":"%d"}}}`, n)
	var err error
	if path.Base(path.Dir(object)) == "kymas" {
		_, err = l.kymas.Patch(ctx, path.Base(object), types.MergePatchType, patch, metav1.PatchOptions{})
	} else {
		_, err = l.components.Patch(ctx, path.Base(object), types.MergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		l.Errorf("write second: %v", err)
	}
}

// TestFiftyWriters: 50 clients change everything all the time.
func TestFiftyWriters(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(kyma("crowd", "ory", "kiali", "rafter", "tracing"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	// Thirty changes of each object a second: on a busy machine a cache is never
	// up to date with that.
	limiter := rate.NewLimiter(150, 1)
	var writers sync.WaitGroup
	for writer := range 50 {
		writers.Go(func() {
			for n := 0; limiter.Wait(ctx) == nil; n++ {
				l.scribble(ctx, writer, n)
			}
		})
	}
	l.success("crowd")
	stop()
	writers.Wait()
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
}

// scribble changes an annotation and a label of the Kyma or of a component.
func (l *lab) scribble(ctx context.Context, writer, n int) {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"writer-%d":"%d"}}}`, writer, n)
	if writer%5 == 0 {
		_, _ = l.kymas.Patch(ctx, "crowd", types.MergePatchType, patch, metav1.PatchOptions{})
		return
	}
	list, err := l.components.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil || len(list.Items) == 0 {
		return
	}
	hc := &list.Items[writer%len(list.Items)]
	_, _ = l.components.Patch(ctx, hc.Name, types.MergePatchType, patch, metav1.PatchOptions{})
}
