// Package throttle shares the API server's capacity for writes among all
// workers of both controllers: the most urgent write goes first, whoever wants
// it, and what is merely nice to have goes only when nothing else wants to.
//
// It keeps true: never more writes in flight than the limit, never more a
// second than the budget, and of the writes that wait the one with the earliest
// deadline is let through next. The limit follows the server: it shrinks when
// the server refuses (429) or answers slowly, and grows back when it does not.
package throttle

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/controller/deadline"
)

// Options of a Throttle.
type Options struct {
	// QPS is the budget of writes a second; negative: none.
	QPS float64
	// Burst is how many writes may be made at once from a full budget.
	Burst int
	// MaxInFlight is how many writes may be under way at once.
	MaxInFlight int
	Clock       clock.WithTicker
}

// Throttle lets writes through in the order of their deadlines.
type Throttle struct {
	clock       clock.WithTicker
	maxInFlight int
	budget      *rate.Limiter

	mu       sync.Mutex
	limit    limit
	inFlight int
	waiting  deadline.Heap[chan struct{}]
	parked   parking
	timer    clock.Timer
}

// New makes a Throttle.
func New(o Options) *Throttle {
	t := &Throttle{clock: o.Clock, maxInFlight: o.MaxInFlight, limit: newLimit(o.MaxInFlight)}
	if o.QPS >= 0 {
		t.budget = rate.NewLimiter(rate.Limit(o.QPS), o.Burst)
	}
	return t
}

// ErrBusy says that there is no capacity to spare.
var ErrBusy = errors.New("no write capacity to spare")

// Acquire waits until a write of that deadline may be made. The caller must
// call release once, when the write has ended. The only error is that of ctx.
func (t *Throttle) Acquire(ctx context.Context, due time.Time) (release func(), err error) {
	granted := make(chan struct{})
	t.mu.Lock()
	waiter := t.waiting.Push(granted, due)
	t.grant()
	t.mu.Unlock()

	select {
	case <-granted:
		return t.release, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.waiting.Remove(waiter) {
		// Granted in the same instant: hand the slot on.
		t.inFlight--
		t.grant()
	}
	return nil, ctx.Err()
}

// TryAcquire lets a write through if there is capacity to spare, which is when
// nobody waits; otherwise the error is ErrBusy.
func (t *Throttle) TryAcquire() (release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting.Len() > 0 || t.inFlight >= t.limit.slots() || !t.takeToken() {
		return nil, ErrBusy
	}
	t.inFlight++
	return t.release, nil
}

// Park remembers somebody who found no capacity to spare. When there is some,
// wake is called, for whoever is due earliest first; it must not block. Whoever
// parks again under the same id is remembered once. A wake that leads to no write
// is not passed on, so whoever parks has to look again some time by himself.
func (t *Throttle) Park(id any, due time.Time, wake func()) {
	t.mu.Lock()
	t.parked.add(id, due, wake)
	woken := t.spare()
	t.mu.Unlock()
	call(woken)
}

// Leave forgets whoever is parked under the id.
func (t *Throttle) Leave(id any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parked.remove(id)
}

// Parked tells whether somebody is parked under the id.
func (t *Throttle) Parked(id any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parked.has(id)
}

// Usage tells how many writes may be in flight now, are, and wait to be.
func (t *Throttle) Usage() (limit, inFlight, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.limit.slots(), t.inFlight, t.waiting.Len()
}

// Latency is how long the writes under way will take, by the last dozen or so; 0
// if there are none.
func (t *Throttle) Latency() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight == 0 {
		return 0
	}
	return t.limit.latency
}

// Observe tells the throttle how the server answered one write.
func (t *Throttle) Observe(code int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit.observe(t.clock.Now(), code, took)
	t.grant()
}

func (t *Throttle) release() {
	t.mu.Lock()
	t.inFlight--
	t.grant()
	woken := t.spare()
	t.mu.Unlock()
	call(woken)
}

// spare takes out whoever may be woken. Two for each write that ends are enough
// to fill all slots soon, and few enough that they do not only find each other
// in the way. Callers hold the lock.
func (t *Throttle) spare() []func() {
	if t.waiting.Len() > 0 || t.parked.len() == 0 {
		return nil
	}
	free := t.limit.slots() - t.inFlight
	if t.budget != nil {
		tokens := int(t.budget.TokensAt(t.clock.Now()))
		if tokens == 0 {
			t.wakeForToken()
		}
		free = min(free, tokens)
	}
	var woken []func()
	for range min(free, 2, t.parked.len()) {
		woken = append(woken, t.parked.next())
	}
	return woken
}

func call(woken []func()) {
	for _, wake := range woken {
		wake()
	}
}

// grant lets through whoever may go. Callers hold the lock.
func (t *Throttle) grant() {
	for t.waiting.Len() > 0 && t.inFlight < t.limit.slots() {
		if !t.takeToken() {
			t.wakeForToken()
			return
		}
		t.inFlight++
		close(t.waiting.Pop().Value)
	}
}

func (t *Throttle) takeToken() bool {
	return t.budget == nil || t.budget.AllowN(t.clock.Now(), 1)
}

// wakeForToken calls grant again when the budget has its next token.
func (t *Throttle) wakeForToken() {
	if t.timer != nil {
		return
	}
	now := t.clock.Now()
	r := t.budget.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	r.CancelAt(now)
	t.timer = t.clock.NewTimer(wait)
	go func(fired <-chan time.Time) {
		<-fired
		t.mu.Lock()
		t.timer = nil
		t.grant()
		woken := t.spare()
		t.mu.Unlock()
		call(woken)
	}(t.timer.C())
}
