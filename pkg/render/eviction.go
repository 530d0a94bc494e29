package render

import (
	"errors"
	"slices"
	"time"
)

// keep remembers that a request led to an outcome, and the outcome if it is new.
func (c *cache) keep(key requestKey, r *request, o *outcome, took time.Duration) *outcome {
	o = c.add(o, took)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.contents[o.key] != o {
		return o // too large, not to be remembered, or gone again already
	}
	c.forget(key)
	r.outcome = o
	c.requests[key] = r
	o.requests = append(o.requests, key)
	c.grow(o, key.size())
	c.evict()
	return o
}

// add remembers an outcome. Of two errors of one kind over one content the first
// keeps its words, because a chart could make them new each time.
func (c *cache) add(o *outcome, took time.Duration) *outcome {
	if InProgress(o.err) || KindOf(o.err) == KindBusy {
		return o
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.contents[o.key]
	if old == o {
		return o
	}
	if o.err != nil {
		o.until = c.clock.Now().Add(max(c.errorTTL, 10*took))
	}
	if old != nil {
		if o.err != nil && KindOf(old.err) == KindOf(o.err) {
			o.err = old.err
		}
		c.remove(old)
	}
	o.used.Store(c.tick.Add(1))
	c.contents[o.key] = o
	c.grow(o, int64(len(o.manifest.YAML)+len(o.manifest.Digest))+outcomeOverhead+errorSize(o.err))
	c.evict()
	return o
}

func errorSize(err error) int64 {
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Err != nil {
			return int64(len(e.Message) + len(e.Err.Error()))
		}
		return int64(len(e.Message))
	}
	return 0
}

func (k *requestKey) size() int64 {
	// The strings are in the map's key and in the outcome's list; both share
	// their bytes.
	return int64(len(k.component)+len(k.location)+len(k.version)+len(k.namespace)+len(k.release)) + requestOverhead
}

func (c *cache) grow(o *outcome, bytes int64) {
	o.size += bytes
	c.bytes += bytes
}

// evict drops the outcomes used longest ago until the rest fits. It looks at
// every one, which is nothing beside the render that made it necessary.
func (c *cache) evict() {
	for c.bytes > c.limit && len(c.contents) > 0 {
		var oldest *outcome
		for _, o := range c.contents {
			if oldest == nil || o.used.Load() < oldest.used.Load() {
				oldest = o
			}
		}
		c.remove(oldest)
	}
}

// remove drops an outcome and the requests that led to it.
func (c *cache) remove(o *outcome) {
	for _, key := range o.requests {
		delete(c.requests, key)
	}
	o.requests = nil
	delete(c.contents, o.key)
	c.bytes -= o.size
	o.size = 0
}

// forget drops a request.
func (c *cache) forget(key requestKey) {
	r := c.requests[key]
	if r == nil {
		return
	}
	delete(c.requests, key)
	o := r.outcome
	o.requests = slices.DeleteFunc(o.requests, func(k requestKey) bool { return k == key })
	c.grow(o, -key.size())
}
