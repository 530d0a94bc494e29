package render

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// cache is a Renderer that renders a content once.
//
// It has two levels. Outcomes are keyed by content: the chart's digest, the
// values, the namespace, the release name and the capabilities. In front of them
// stand the requests that led there, so that a hit is one look-up in a map and
// hashes no chart. A request is believed for Options.Recheck; then one caller
// takes the chart's stamp, and when that has changed the chart is loaded anew.
type cache struct {
	source   source
	next     chartRenderer
	clock    clock.PassiveClock
	metrics  Metrics
	limit    int64
	recheck  time.Duration
	errorTTL time.Duration
	digest   bool
	caps     string

	loads   *flights[requestKey, *outcome]
	renders *flights[contentKey, *outcome]
	tick    atomic.Uint64

	mu       sync.RWMutex
	requests map[requestKey]*request
	contents map[contentKey]*outcome
	bytes    int64
}

// requestKey is a Request that can be compared.
type requestKey struct {
	component, location, version, namespace, release string
	values                                           [sha256.Size]byte // zero for none
}

type contentKey [sha256.Size]byte

// request remembers which outcome a request led to.
type request struct {
	outcome *outcome
	fixed   bool  // the chart never changes
	stamp   stamp // of the chart when it was loaded
	checked atomic.Int64
	stale   atomic.Bool // the chart has changed
}

// outcome is the end of one render. It does not change, but for its use and its
// requests, which the cache's lock guards.
type outcome struct {
	key      contentKey
	manifest Manifest
	err      error
	until    time.Time // when an error is forgotten
	used     atomic.Uint64
	size     int64
	requests []requestKey
}

const (
	// maxWaiting bounds the renders that wait for a process.
	maxWaiting = 1000
	// What a request and an outcome take besides their strings and bytes.
	requestOverhead = 400
	outcomeOverhead = 400
)

func newCache(opts Options, src source, next chartRenderer) *cache {
	return &cache{
		source: src, next: next, clock: opts.Clock, metrics: opts.Metrics,
		limit: opts.CacheBytes, recheck: opts.Recheck, errorTTL: opts.ErrorTTL, digest: opts.DigestOnly,
		caps:     opts.KubeVersion,
		loads:    newFlights[requestKey, *outcome](maxWaiting),
		renders:  newFlights[contentKey, *outcome](maxWaiting),
		requests: map[requestKey]*request{},
		contents: map[contentKey]*outcome{},
	}
}

// Render answers from memory where it can, even when ctx has ended. Otherwise it
// waits for the one render of the content. When ctx ends before, the error is
// one that InProgress recognizes and the render goes on.
func (c *cache) Render(ctx context.Context, req Request) (Manifest, error) {
	key, err := keyOf(&req)
	if err != nil {
		return Manifest{}, err
	}
	if o := c.hit(&key, req); o != nil {
		c.metrics.Looked(Hit)
		return o.manifest, o.err
	}
	o, err := c.wait(ctx, key, req)
	if err != nil {
		return Manifest{}, err
	}
	return o.manifest, o.err
}

// wait is apart from Render, because its closure would put every request on the
// heap.
func (c *cache) wait(ctx context.Context, key requestKey, req Request) (*outcome, error) {
	o, first, err := c.loads.do(ctx, key, func(ctx context.Context) *outcome { return c.fill(ctx, key, req) })
	if first {
		c.metrics.Looked(Miss)
	} else if err == nil {
		c.metrics.Looked(Shared)
	}
	return o, err
}

func keyOf(req *Request) (requestKey, error) {
	key := requestKey{
		component: req.Component, location: req.ChartLocation, version: req.Version,
		namespace: req.Namespace, release: orDefault(req.ReleaseName, req.Component),
	}
	if len(req.Values) > 0 {
		raw, err := json.Marshal(req.Values) // maps come sorted
		if err != nil {
			return key, failure(KindInvalid, "the values cannot be encoded").because(err)
		}
		key.values = sha256.Sum256(raw)
	}
	return key, nil
}

// hit returns the remembered outcome of a request, if it still stands.
func (c *cache) hit(key *requestKey, req Request) *outcome {
	c.mu.RLock()
	r := c.requests[*key]
	c.mu.RUnlock()
	if r == nil || r.stale.Load() {
		return nil
	}
	if o := r.outcome; !r.fixed || o.err != nil {
		now := c.clock.Now()
		if o.err != nil && !now.Before(o.until) {
			return nil
		}
		if !r.fixed && !c.unchanged(r, req, now) {
			return nil
		}
	}
	r.outcome.used.Store(c.tick.Add(1))
	return r.outcome
}

// unchanged lets one caller in every interval look at the disk.
func (c *cache) unchanged(r *request, req Request, now time.Time) bool {
	last := r.checked.Load()
	if now.UnixNano()-last < int64(c.recheck) || !r.checked.CompareAndSwap(last, now.UnixNano()) {
		return true
	}
	return c.look(r, req)
}

// look is apart from unchanged, because it puts the request on the heap.
func (c *cache) look(r *request, req Request) bool {
	s, _ := c.source.stamp(&req)
	if s != r.stamp {
		r.stale.Store(true)
	}
	return s == r.stamp
}

// fill finds the outcome of a request, and renders when there is none.
func (c *cache) fill(ctx context.Context, key requestKey, req Request) *outcome {
	if o := c.hit(&key, req); o != nil {
		return o // somebody else was faster
	}
	r := &request{}
	r.checked.Store(c.clock.Now().UnixNano())
	r.stamp, r.fixed = c.source.stamp(&req) // before the load, so that no change is lost
	start := c.clock.Now()
	chart, err := c.source.load(ctx, &req)
	if err != nil {
		o := &outcome{key: c.keyWithoutChart(key), err: err}
		return c.keep(key, r, o, c.clock.Since(start))
	}
	content := c.contentKey(chart, key)
	if o := c.known(content); o != nil {
		return c.keep(key, r, o, 0)
	}
	o, _, err := c.renders.do(ctx, content, func(ctx context.Context) *outcome {
		if o := c.known(content); o != nil {
			return o // somebody else was faster
		}
		start := c.clock.Now()
		o := &outcome{key: content}
		o.manifest, o.err = c.next.renderChart(ctx, chart, req)
		if c.digest {
			o.manifest.YAML = nil
		}
		return c.add(o, c.clock.Since(start))
	})
	if err != nil {
		return &outcome{err: err} // not the chart's fault, and not remembered
	}
	return c.keep(key, r, o, 0)
}

func (c *cache) contentKey(chart chartData, key requestKey) contentKey {
	h := sha256.New()
	h.Write(chart.digest[:])
	h.Write(key.values[:])
	for _, part := range []string{key.release, key.namespace, c.caps} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	return contentKey(h.Sum(nil))
}

// keyWithoutChart is the key of a request whose chart cannot be loaded.
func (c *cache) keyWithoutChart(key requestKey) contentKey {
	h := sha256.New()
	for _, part := range []string{key.component, key.location, key.version, key.release, key.namespace} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	h.Write(key.values[:])
	return contentKey(h.Sum(nil))
}

// known returns the standing outcome of a content.
func (c *cache) known(key contentKey) *outcome {
	c.mu.RLock()
	defer c.mu.RUnlock()
	o := c.contents[key]
	if o == nil || (o.err != nil && !c.clock.Now().Before(o.until)) {
		return nil
	}
	return o
}
