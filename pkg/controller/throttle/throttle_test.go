package throttle

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newTest(o Options) (*Throttle, *clocktesting.FakeClock) {
	c := clocktesting.NewFakeClock(epoch)
	o.Clock = c
	return New(o), c
}

func acquire(t *testing.T, throttle *Throttle, due time.Time) func() {
	t.Helper()
	release, err := throttle.Acquire(t.Context(), due)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// waiting returns when n writes wait.
func waiting(t *testing.T, throttle *Throttle, n int) {
	t.Helper()
	eventually.True(t, "waiting", func() bool {
		_, _, w := throttle.Usage()
		return w == n
	})
}

func TestEarliestDeadlineGoesFirst(t *testing.T) {
	throttle, _ := newTest(Options{QPS: -1, MaxInFlight: 1})
	release := acquire(t, throttle, epoch)
	var mu sync.Mutex
	var order []int
	var writers sync.WaitGroup
	for i, due := range []int{3, 1, 2, 0} {
		writers.Go(func() {
			done := acquire(t, throttle, epoch.Add(time.Duration(due)*time.Second))
			mu.Lock()
			order = append(order, due)
			mu.Unlock()
			done()
		})
		waiting(t, throttle, i+1)
	}
	release()
	writers.Wait()
	if want := []int{0, 1, 2, 3}; !slices.Equal(order, want) {
		t.Errorf("order = %v, want %v", order, want)
	}
}

func TestNeverMoreInFlightThanTheLimit(t *testing.T) {
	throttle, _ := newTest(Options{QPS: -1, MaxInFlight: 3})
	var mu sync.Mutex
	inFlight, most := 0, 0
	var writers sync.WaitGroup
	for range 100 {
		writers.Go(func() {
			release := acquire(t, throttle, epoch)
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			mu.Unlock()
			mu.Lock()
			inFlight--
			mu.Unlock()
			release()
		})
	}
	writers.Wait()
	if most > 3 {
		t.Errorf("%d writes were in flight, want at most 3", most)
	}
	if _, used, waits := throttle.Usage(); used != 0 || waits != 0 {
		t.Errorf("%d in flight and %d waiting are left", used, waits)
	}
}

func TestBudgetIsSpentInOrderAndRefilled(t *testing.T) {
	throttle, c := newTest(Options{QPS: 10, Burst: 2, MaxInFlight: 100})
	acquire(t, throttle, epoch)
	acquire(t, throttle, epoch)
	granted := make(chan int, 2)
	for i, due := range []int{2, 1} {
		go func() {
			acquire(t, throttle, epoch.Add(time.Duration(due)*time.Second))
			granted <- due
		}()
		waiting(t, throttle, i+1)
	}
	for _, want := range []int{1, 2} {
		eventually.True(t, "waiting for the next token", c.HasWaiters)
		if len(granted) > 0 {
			t.Fatal("a write went beyond the budget")
		}
		c.Step(100 * time.Millisecond)
		if got := <-granted; got != want {
			t.Errorf("the write due at %d went first, want %d", got, want)
		}
	}
}

func TestTryAcquireTakesOnlyWhatIsToSpare(t *testing.T) {
	tests := map[string]struct {
		options Options
		use     func(*testing.T, *Throttle)
		want    error
	}{
		"a free slot":   {Options{QPS: -1, MaxInFlight: 1}, func(*testing.T, *Throttle) {}, nil},
		"no free slot":  {Options{QPS: -1, MaxInFlight: 1}, func(t *testing.T, th *Throttle) { acquire(t, th, epoch) }, ErrBusy},
		"no token left": {Options{QPS: 1, Burst: 1, MaxInFlight: 9}, func(t *testing.T, th *Throttle) { acquire(t, th, epoch) }, ErrBusy},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			throttle, _ := newTest(tc.options)
			tc.use(t, throttle)
			if _, err := throttle.TryAcquire(); !errors.Is(err, tc.want) {
				t.Errorf("TryAcquire = %v, want %v", err, tc.want)
			}
		})
	}
}

func TestTheParkedAreWokenWhenThereIsCapacityToSpare(t *testing.T) {
	throttle, _ := newTest(Options{QPS: -1, MaxInFlight: 1})
	release := acquire(t, throttle, epoch)
	var woken []string
	park := func(id string, due time.Duration) {
		throttle.Park(id, epoch.Add(due), func() { woken = append(woken, id) })
	}
	park("gone", 0)
	throttle.Leave("gone")
	throttle.Leave("never there")
	if throttle.Parked("gone") {
		t.Error("who left is still parked")
	}
	park("later", 3)
	park("first", 9)
	park("first", 1)
	park("second", 2)
	urgent := make(chan func())
	go func() { urgent <- acquire(t, throttle, epoch.Add(time.Hour)) }()
	waiting(t, throttle, 1)
	release()
	release = <-urgent
	if len(woken) > 0 {
		t.Errorf("woken = %q while somebody waits", woken)
	}
	if !throttle.Parked("first") {
		t.Error("first is not parked while somebody waits")
	}
	release()
	if throttle.Parked("first") || !throttle.Parked("second") {
		t.Error("the first must be parked no more, the second still")
	}
	if want := []string{"first"}; !slices.Equal(woken, want) {
		t.Errorf("woken = %q, want %q for one free slot", woken, want)
	}
	// Parking finds what has become free meanwhile.
	park("second", 2)
	if want := []string{"first", "second"}; !slices.Equal(woken, want) {
		t.Errorf("woken = %q, want %q", woken, want)
	}
}

func TestTheParkedWaitForTheBudgetToo(t *testing.T) {
	throttle, c := newTest(Options{QPS: 10, Burst: 1, MaxInFlight: 9})
	acquire(t, throttle, epoch)
	woken := make(chan struct{}, 1)
	throttle.Park("a", epoch, func() { woken <- struct{}{} })
	if len(woken) > 0 {
		t.Fatal("woken without a token")
	}
	eventually.True(t, "waiting for the next token", c.HasWaiters)
	c.Step(100 * time.Millisecond)
	<-woken
}

func TestWhoGivesUpLeavesNothingBehind(t *testing.T) {
	throttle, _ := newTest(Options{QPS: -1, MaxInFlight: 1})
	release := acquire(t, throttle, epoch)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := throttle.Acquire(ctx, epoch); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire = %v, want canceled", err)
	}
	release()
	if _, used, waits := throttle.Usage(); used != 0 || waits != 0 {
		t.Errorf("%d in flight and %d waiting are left", used, waits)
	}
}

func TestLimitFollowsTheServer(t *testing.T) {
	l := newLimit(16)
	now := epoch
	l.observe(now, http.StatusTooManyRequests, 0)
	if l.slots() != 8 {
		t.Errorf("slots after a refusal = %d, want 8", l.slots())
	}
	l.observe(now.Add(cutPause/2), http.StatusTooManyRequests, 0)
	if l.slots() != 8 {
		t.Errorf("slots = %d: answers to writes of before the cut must not cut again", l.slots())
	}
	l.observe(now.Add(cutPause), http.StatusOK, slowAnswer)
	if l.slots() != 4 {
		t.Errorf("slots after a slow answer = %d, want 4", l.slots())
	}
	for i := range 10 {
		l.observe(now.Add(time.Duration(i+2)*cutPause), http.StatusTooManyRequests, 0)
	}
	if l.slots() != 1 {
		t.Errorf("slots = %d, want 1 at the least", l.slots())
	}
	for range 1000 {
		l.observe(now, http.StatusOK, time.Millisecond)
	}
	if l.slots() != 16 {
		t.Errorf("slots = %d, want all 16 back", l.slots())
	}
}

func TestLatencyFollowsTheAnswers(t *testing.T) {
	throttle, _ := newTest(Options{QPS: -1, MaxInFlight: 1})
	release := acquire(t, throttle, epoch)
	if got := throttle.Latency(); got != 0 {
		t.Errorf("%s before any answer", got)
	}
	throttle.Observe(http.StatusOK, 80*time.Millisecond)
	if got := throttle.Latency(); got != 10*time.Millisecond {
		t.Errorf("%s after one answer, want an eighth of 80ms", got)
	}
	for range 50 {
		throttle.Observe(http.StatusTooManyRequests, 80*time.Millisecond)
	}
	if got := throttle.Latency().Round(time.Millisecond); got != 80*time.Millisecond {
		t.Errorf("%s after many answers, want 80ms", got)
	}
	throttle.Observe(http.StatusOK, 0)
	if got := throttle.Latency().Round(time.Millisecond); got != 70*time.Millisecond {
		t.Errorf("%s after one that took no time, want 70ms", got)
	}
	release()
	if got := throttle.Latency(); got != 0 {
		t.Errorf("%s with nothing under way", got)
	}
}

func TestTransportObservesWritesAlone(t *testing.T) {
	throttle, _ := newTest(Options{QPS: -1, MaxInFlight: 8})
	refuse := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody}, nil
	})
	for method, want := range map[string]int{http.MethodGet: 8, http.MethodPut: 4} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		throttle.limit = newLimit(8)
		resp, err := throttle.Observed(refuse).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if limit, _, _ := throttle.Usage(); limit != want {
			t.Errorf("after a refused %s the limit is %d, want %d", method, limit, want)
		}
	}
}
