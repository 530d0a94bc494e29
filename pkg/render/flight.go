package render

import (
	"context"
	"sync"
)

// flights runs one call per key however many ask. A call belongs to nobody: it
// goes on when all who wait for it have left, so that a caller with a short
// deadline can come back for the answer.
type flights[K comparable, V any] struct {
	limit int
	mu    sync.Mutex
	calls map[K]*call[V]
}

type call[V any] struct {
	done  chan struct{}
	value V
}

func newFlights[K comparable, V any](limit int) *flights[K, V] {
	return &flights[K, V]{limit: limit, calls: map[K]*call[V]{}}
}

// do returns the value of the call for key; first tells that this caller began
// it. It fails when ctx ends first or when too many calls are under way.
func (f *flights[K, V]) do(ctx context.Context, key K, fn func(context.Context) V) (value V, first bool, err error) {
	f.mu.Lock()
	c, ok := f.calls[key]
	if !ok {
		if len(f.calls) >= f.limit {
			f.mu.Unlock()
			return value, false, failure(KindBusy, "too many charts wait for their render")
		}
		c = &call[V]{done: make(chan struct{})}
		f.calls[key] = c
	}
	f.mu.Unlock()
	if !ok {
		go func(ctx context.Context) {
			defer close(c.done)
			defer f.forget(key)
			c.value = fn(ctx)
		}(context.WithoutCancel(ctx))
	}
	select {
	case <-c.done:
		return c.value, !ok, nil
	case <-ctx.Done():
		return value, !ok, failure(KindInProgress, "rendering is under way").because(ctx.Err())
	}
}

func (f *flights[K, V]) forget(key K) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, key)
}
