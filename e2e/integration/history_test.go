package integration

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// change is one version of a Kyma or a HelmComponent, or its end.
type change struct {
	revision revision
	// at is when it was seen, never before it happened.
	at time.Time
	// made marks a creation, gone a deletion; the object is then the last version.
	made, gone bool
	kyma       *v1alpha1.Kyma
	component  *v1alpha1.HelmComponent
}

// history is everything that ever happened to a namespace's objects, in order.
type history struct {
	mu      sync.Mutex
	changes []change
	grown   chan struct{}
}

const registry = "/registry/" + v1alpha1.GroupName + "/"

// record starts recording a namespace that has no objects yet.
func record(t testing.TB, source etcd, namespace string) *history {
	t.Helper()
	h := &history{grown: make(chan struct{})}
	newest, err := source.revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := newest + 1
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		retry := time.NewTicker(50 * time.Millisecond)
		defer retry.Stop()
		for ctx.Err() == nil {
			err := source.watch(ctx, registry, next, func(e etcdEvent) {
				next = e.KV.Revision + 1
				h.add(t, namespace, e)
			})
			if errors.Is(err, errCompacted) {
				t.Error(err)
				return
			}
			select {
			case <-ctx.Done():
			case <-retry.C: // etcd is down
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return h
}

func (h *history) add(t testing.TB, namespace string, e etcdEvent) {
	resource, rest, _ := strings.Cut(strings.TrimPrefix(string(e.KV.Key), registry), "/")
	if !strings.HasPrefix(rest, namespace+"/") {
		return
	}
	c := change{revision: e.KV.Revision, at: time.Now(), made: e.KV.Version == 1, gone: e.Type == "DELETE"}
	value := e.KV.Value
	if c.gone && e.Previous != nil {
		value = e.Previous.Value
	}
	var into any
	switch resource {
	case "kymas":
		c.kyma = &v1alpha1.Kyma{}
		into = c.kyma
	case "helmcomponents":
		c.component = &v1alpha1.HelmComponent{}
		into = c.component
	default:
		return
	}
	if err := json.Unmarshal(value, into); err != nil {
		t.Errorf("read %s from etcd: %v", e.KV.Key, err)
		return
	}
	if c.component != nil && c.component.Status.Status == "" {
		// As the API server shows it.
		c.component.Status.Status = v1alpha1.ComponentPending
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, c)
	close(h.grown)
	h.grown = make(chan struct{})
}

// all returns what happened so far.
func (h *history) all() []change {
	changes, _ := h.now()
	return changes
}

func (h *history) now() ([]change, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clip(h.changes), h.grown
}

// until waits for a change for which match is true, and returns it.
func (h *history) until(t testing.TB, what string, match func(change) bool) change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := 0
	for {
		changes, grown := h.now()
		for ; seen < len(changes); seen++ {
			if match(changes[seen]) {
				return changes[seen]
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
