package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func testConfig(c clock.WithTicker) Config[string] {
	return Config[string]{
		Name: "test", Workers: 1, Clock: c, LogKey: "key",
		Retry: Retry{BaseDelay: time.Second, MaxDelay: 4 * time.Second, QPS: 1000, Burst: 1000},
	}
}

// start runs a queue until the test ends and reports each key that is worked on.
func start(t *testing.T, q *Queue[string], sync Sync[string]) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(ctx, t.Context(), sync)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// tickers is how many tickers of its own a workqueue keeps on its clock.
const tickers = 1

// waitForWaiters returns when n timers and tickers wait on the fake clock.
func waitForWaiters(t *testing.T, c *clocktesting.FakeClock, n int) {
	t.Helper()
	eventually.True(t, "waiting on the clock", func() bool { return c.Waiters() == n })
}

func TestKeysComeByDeadline(t *testing.T) {
	config := testConfig(clock.RealClock{})
	deadlines := map[string]time.Duration{"soon": 1, "later": 2, "last": 3}
	config.Deadline = func(key string) time.Time { return epoch.Add(deadlines[key]) }
	q := New(config)
	for _, key := range []string{"last", "soon", "later", "soon"} {
		q.Add(key)
	}
	var got []string
	for q.Len() > 0 {
		key, _ := q.Get()
		got = append(got, key)
		q.Done(key)
	}
	if want := []string{"soon", "later", "last"}; !slices.Equal(got, want) {
		t.Errorf("order = %q, want %q", got, want)
	}
}

func TestAddingAgainMovesAKeyToItsNewDeadline(t *testing.T) {
	config := testConfig(clock.RealClock{})
	deadlines := map[string]time.Duration{"a": 1, "b": 2}
	config.Deadline = func(key string) time.Time { return epoch.Add(deadlines[key]) }
	q := New(config)
	q.Add("a")
	q.Add("b")
	deadlines["b"] = 0
	q.Add("b")
	if key, _ := q.Get(); key != "b" {
		t.Errorf("first = %q, want b, which became more urgent", key)
	}
}

// A key whose deadline lies far ahead still comes before keys that are added
// for ever, because theirs move on with the time and its own does not.
func TestNothingStarves(t *testing.T) {
	config := testConfig(clock.RealClock{})
	now := epoch
	patient := epoch.Add(time.Minute)
	config.Deadline = func(key string) time.Time {
		if key == "patient" {
			return patient
		}
		return now
	}
	q := New(config)
	q.Add("patient")
	for i := 0; ; i++ {
		q.Add("urgent")
		key, _ := q.Get()
		q.Done(key)
		if key == "patient" {
			break
		}
		now = now.Add(time.Second)
		if i > 60 {
			t.Fatal("the patient key starves")
		}
	}
}

func TestSyncResults(t *testing.T) {
	c := clocktesting.NewFakeClock(epoch)
	q := New(testConfig(c))
	synced := make(chan time.Time)
	results := []struct {
		after time.Duration
		err   error
	}{
		{after: 10 * time.Second}, // waits
		{err: errors.New("first failure")},
		{err: errors.New("second failure")},
		{},
	}
	next := 0
	start(t, q, func(context.Context, string) (time.Duration, error) {
		synced <- c.Now()
		r := results[next]
		next++
		return r.after, r.err
	})
	q.Add("key")
	at := <-synced
	for _, wait := range []time.Duration{10 * time.Second, time.Second, 2 * time.Second} {
		waitForWaiters(t, c, tickers+1)
		c.Step(wait - time.Millisecond)
		select {
		case <-synced:
			t.Fatalf("the key came back before %s", wait)
		default:
		}
		waitForWaiters(t, c, tickers+1)
		c.Step(time.Millisecond)
		now := <-synced
		if now.Sub(at) != wait {
			t.Errorf("the key came back after %s, want %s", now.Sub(at), wait)
		}
		at = now
	}
}

func TestSuccessForgetsFailures(t *testing.T) {
	q := New(testConfig(clocktesting.NewFakeClock(epoch)))
	q.AddRateLimited("key")
	synced := make(chan struct{})
	start(t, q, func(context.Context, string) (time.Duration, error) {
		defer close(synced)
		return 0, nil
	})
	q.Add("key")
	<-synced
	eventually.True(t, "the failure forgotten", func() bool { return q.NumRequeues("key") == 0 })
}

func TestPanicIsTheErrorOfItsObject(t *testing.T) {
	c := clocktesting.NewFakeClock(epoch)
	config := testConfig(c)
	failed := make(chan error, 1)
	config.Observe = func(_ time.Duration, err error) { failed <- err }
	q := New(config)
	start(t, q, func(context.Context, string) (time.Duration, error) { panic("poisoned") })
	q.Add("key")
	if err := <-failed; err == nil {
		t.Error("a panic was taken as success")
	}
}

// Run ends only when the sync in flight has, and its context lives until then.
func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	q := New(testConfig(clock.RealClock{}))
	begun, finish := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	var inFlight error
	ended.Go(func() {
		q.Run(ctx, t.Context(), func(ctx context.Context, key string) (time.Duration, error) {
			if key == "waiting" {
				t.Error("a key was begun after the stop")
				return 0, nil
			}
			close(begun)
			<-finish
			inFlight = ctx.Err()
			return 0, nil
		})
	})
	q.Add("key")
	<-begun
	q.Add("waiting")
	stop()
	eventually.True(t, "shutting down", q.ShuttingDown)
	close(finish)
	ended.Wait()
	if inFlight != nil {
		t.Errorf("the sync in flight was cut: %v", inFlight)
	}
}

func TestResyncSpreadsKeysOverThePeriod(t *testing.T) {
	c := clocktesting.NewFakeClock(epoch)
	ctx, stop := context.WithCancel(t.Context())
	added := make(chan int, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		Resync(ctx, c, 10*time.Second, func() []int {
			keys := make([]int, 20)
			for i := range keys {
				keys[i] = i
			}
			return keys
		}, func(key int) { added <- key })
	}()
	for round := range 2 {
		for i := range 20 {
			if i%2 == 0 {
				waitForWaiters(t, c, 1)
				c.Step(time.Second)
			}
			if key := <-added; key != i {
				t.Fatalf("round %d: key %d came in place %d", round, key, i)
			}
		}
		if len(added) > 0 {
			t.Fatal("a key came twice in one period")
		}
	}
	stop()
	<-done
}

func TestShare(t *testing.T) {
	tests := map[string]struct {
		elapsed time.Duration
		want    int
	}{
		"nothing at the start": {0, 0},
		"half way":             {5 * time.Second, 38_000},
		"all at the end":       {10 * time.Second, 76_000},
		"all when late":        {time.Hour, 76_000},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := share(tc.elapsed, 10*time.Second, 76_000); got != tc.want {
				t.Errorf("share = %d, want %d", got, tc.want)
			}
		})
	}
}
