package queue

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// resyncTick is how often a resync hands out its next share of keys.
const resyncTick = time.Second

// Resync adds every key once in each period, evenly spread over it: an
// informer's own resync would put all of a fleet on the queue in one instant.
// It returns when ctx ends; a period of 0 turns it off.
func Resync[K any](ctx context.Context, c clock.WithTicker, period time.Duration, keys func() []K, add func(K)) {
	if period <= 0 {
		return
	}
	ticker := c.NewTicker(min(resyncTick, period))
	defer ticker.Stop()
	begin := c.Now()
	var round []K
	done := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		if round == nil {
			round = keys()
		}
		elapsed := c.Since(begin)
		for due := share(elapsed, period, len(round)); done < due; done++ {
			add(round[done])
		}
		if elapsed >= period {
			begin, round, done = c.Now(), nil, 0
		}
	}
}

// Keys returns the keys of everything in a store.
func Keys[K any](store cache.Store, key func(cache.ObjectName) K) []K {
	names := store.ListKeys()
	keys := make([]K, 0, len(names))
	for _, name := range names {
		if parsed, err := cache.ParseObjectName(name); err == nil {
			keys = append(keys, key(parsed))
		}
	}
	return keys
}

// share is how many of n keys are due after elapsed of the period.
func share(elapsed, period time.Duration, n int) int {
	if elapsed >= period {
		return n
	}
	return int(float64(n) * float64(elapsed) / float64(period))
}
