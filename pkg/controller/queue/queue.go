// Package queue is the one worker loop of the operator: an explicit, typed
// workqueue that hands out the most urgent key first, with its own pool of
// workers and its own rate limiter for retries.
//
// It keeps true: a key is worked on by one worker at a time, no key that was
// added is lost, and Run returns only when every sync in flight has ended.
package queue

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// Retry bounds how fast failed keys come back. A key waits for the larger of
// its own exponential back-off and its turn in the bucket that all keys share.
type Retry struct {
	// BaseDelay is the wait after a key's first failure; it doubles with each.
	BaseDelay time.Duration
	// MaxDelay bounds the wait of one key.
	MaxDelay time.Duration
	// QPS is how many retries a second the queue makes in all.
	QPS float64
	// Burst is how many retries it makes at once.
	Burst int
}

// Config makes a queue. All fields but Deadline are needed.
type Config[K comparable] struct {
	// Name labels the queue's metrics.
	Name    string
	Workers int
	Retry   Retry
	Clock   clock.WithTicker
	// Metrics receives the workqueue metrics.
	Metrics workqueue.MetricsProvider
	// Deadline says how urgent a key is; nil hands keys out in the order they
	// came. It is called under the queue's lock: it must be quick, and must not
	// touch the queue.
	Deadline func(K) time.Time
	// Observe is called after each sync with its duration and outcome.
	Observe func(time.Duration, error)
	// LogKey names the object in log lines.
	LogKey string
}

// Sync brings one object to where it should be. It returns how long the key may
// sleep (0: until it is added again), or an error, which is retried with
// back-off. Waiting is a result, not an error.
type Sync[K comparable] func(context.Context, K) (after time.Duration, err error)

// Queue is a typed workqueue with its workers.
type Queue[K comparable] struct {
	workqueue.TypedRateLimitingInterface[K]
	config Config[K]
}

// New wires a queue; it starts nothing but the workqueue's own timer.
func New[K comparable](config Config[K]) *Queue[K] {
	limiter := workqueue.NewTypedMaxOfRateLimiter(
		workqueue.NewTypedItemExponentialFailureRateLimiter[K](config.Retry.BaseDelay, config.Retry.MaxDelay),
		&workqueue.TypedBucketRateLimiter[K]{Limiter: rate.NewLimiter(rate.Limit(config.Retry.QPS), config.Retry.Burst)},
	)
	keys := workqueue.DefaultQueue[K]()
	if config.Deadline != nil {
		keys = newStorage(config.Deadline)
	}
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[K]{
		Name: config.Name, Clock: config.Clock, MetricsProvider: config.Metrics,
		Queue: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[K]{
			Name: config.Name, Clock: config.Clock, MetricsProvider: config.Metrics, Queue: keys,
		}),
	})
	return &Queue[K]{
		TypedRateLimitingInterface: workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[K]{
			Name: config.Name, Clock: config.Clock, MetricsProvider: config.Metrics, DelayingQueue: delaying,
		}),
		config: config,
	}
}

// Run works the queue until ctx ends. Syncs that are in flight then are given
// a context that lives until they return, so a write is never cut in half; the
// caller bounds them with its own shutdown deadline, passed in work.
func (q *Queue[K]) Run(ctx, work context.Context, syncKey Sync[K]) {
	var workers sync.WaitGroup
	for range q.config.Workers {
		workers.Go(func() {
			for q.next(work, syncKey) {
			}
		})
	}
	<-ctx.Done()
	q.ShutDown()
	workers.Wait()
}

// next works on one key; it returns false once the queue is shut down.
func (q *Queue[K]) next(ctx context.Context, syncKey Sync[K]) bool {
	key, quit := q.Get()
	if quit {
		return false
	}
	defer q.Done(key)
	if q.ShuttingDown() {
		// What waits in the queue is found again by the next process; only
		// what is in flight has to end.
		return true
	}
	logger := klog.LoggerWithValues(klog.FromContext(ctx), q.config.LogKey, key)
	start := q.config.Clock.Now()
	after, err := q.call(klog.NewContext(ctx, logger), key, syncKey)
	if q.config.Observe != nil {
		q.config.Observe(q.config.Clock.Since(start), err)
	}
	switch {
	case err != nil:
		logger.Error(err, "Sync failed, will be retried", "failures", q.NumRequeues(key)+1)
		q.AddRateLimited(key)
	case after > 0:
		q.AddAfter(key, after)
	default:
		q.Forget(key)
	}
	return true
}

// call turns a panic of one object's sync into that object's error.
func (q *Queue[K]) call(ctx context.Context, key K, syncKey Sync[K]) (after time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return syncKey(ctx, key)
}
