package render

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
)

// stubSource gives charts from a map of component to content.
type stubSource struct {
	mu     sync.Mutex
	charts map[string]string
	fixed  bool
	loads  atomic.Int64
	stamps atomic.Int64
}

func (s *stubSource) get(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.charts[name]
	return content, ok
}

func (s *stubSource) set(name, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.charts[name] = content
}

func (s *stubSource) stamp(req *Request) (stamp, bool) {
	s.stamps.Add(1)
	content, _ := s.get(req.Component)
	return sha256.Sum256([]byte(content)), s.fixed
}

func (s *stubSource) load(_ context.Context, req *Request) (chartData, error) {
	s.loads.Add(1)
	content, ok := s.get(req.Component)
	if !ok {
		return chartData{}, failure(KindNotFound, "there is no chart %s", req.Component)
	}
	return chartData{digest: sha256.Sum256([]byte(content)), archive: []byte(content)}, nil
}

// stubChild renders a chart as its own content.
type stubChild struct {
	renders atomic.Int64
	begun   chan struct{} // where set, receives at the start of a render
	gate    chan struct{} // where set, a render waits for it
	fail    func(n int64) error
}

func (s *stubChild) renderChart(_ context.Context, c chartData, _ Request) (Manifest, error) {
	n := s.renders.Add(1)
	if s.begun != nil {
		s.begun <- struct{}{}
	}
	if s.gate != nil {
		<-s.gate
	}
	if s.fail != nil {
		if err := s.fail(n); err != nil {
			return Manifest{}, err
		}
	}
	return Manifest{Digest: "sha256:" + string(c.archive), YAML: c.archive}, nil
}

type cacheFixture struct {
	*cache
	clock  *testingclock.FakeClock
	source *stubSource
	child  *stubChild
	counts *counter
}

func newFixture(opts Options, charts map[string]string) *cacheFixture {
	f := &cacheFixture{
		clock:  testingclock.NewFakeClock(time.Unix(1_000_000, 0)),
		source: &stubSource{charts: charts}, child: &stubChild{}, counts: newCounter(),
	}
	opts.Clock, opts.Metrics = f.clock, f.counts
	f.cache = newCache(opts.withDefaults(), f.source, f.child)
	return f
}

func TestCacheRendersAContentOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{}, map[string]string{"a": "same", "b": "same", "c": "other"})
	for range 3 {
		for _, req := range []Request{
			{Component: "a", ReleaseName: "r"},
			{Component: "b", ReleaseName: "r"}, // another way to the same content
			{Component: "c", ReleaseName: "r"},
			{Component: "a", ReleaseName: "r", Namespace: "elsewhere"},
			{Component: "a", ReleaseName: "r", Values: map[string]any{"x": 1, "y": 2}},
			{Component: "a", ReleaseName: "r", Values: map[string]any{"y": 2, "x": 1}},
		} {
			if _, err := f.Render(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := f.child.renders.Load(); got != 4 {
		t.Errorf("%d renders, want 4: same, other, another namespace, with values", got)
	}
	if f.counts.looked[Miss] != 5 || f.counts.looked[Hit] != 13 {
		t.Errorf("looked %v, want 5 misses and 13 hits", f.counts.looked)
	}
}

func TestCacheHasOneRenderInFlight(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{}, map[string]string{"a": "x"})
	f.child.begun, f.child.gate = make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := f.Render(t.Context(), Request{Component: "a"}); err != nil {
				t.Error(err)
			}
		})
	}
	<-f.child.begun
	close(f.child.gate)
	wg.Wait()
	if got := f.child.renders.Load(); got != 1 {
		t.Errorf("%d renders, want 1", got)
	}
}

func TestCacheRenderGoesOnWithoutItsCaller(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{}, map[string]string{"a": "x"})
	f.child.begun, f.child.gate = make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Render(ctx, Request{Component: "a"})
	if !InProgress(err) || !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want one that says the render is in progress", err)
	}
	<-f.child.begun
	close(f.child.gate)
	if _, err := f.Render(t.Context(), Request{Component: "a"}); err != nil {
		t.Fatal(err)
	}
	// A hit needs no time.
	if _, err := f.Render(ctx, Request{Component: "a"}); err != nil {
		t.Fatal(err)
	}
	if got := f.child.renders.Load(); got != 1 {
		t.Errorf("%d renders, want 1", got)
	}
}

func TestCacheNoticesAChangedChart(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{}, map[string]string{"a": "before"})
	digest := func() string {
		m, err := f.Render(t.Context(), Request{Component: "a"})
		if err != nil {
			t.Fatal(err)
		}
		return m.Digest
	}
	digest()
	f.source.set("a", "after")
	for range 100 {
		digest()
	}
	if got := f.source.stamps.Load(); got != 1 {
		t.Errorf("%d looks at the disk within the second, want the one of the load", got)
	}
	f.clock.Step(time.Second)
	if got := digest(); got != "sha256:after" {
		t.Errorf("digest %s after the change", got)
	}
	if got := f.child.renders.Load(); got != 2 {
		t.Errorf("%d renders, want 2", got)
	}
}

func TestCacheRemembersErrorsBriefly(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{ErrorTTL: 30 * time.Second}, map[string]string{"a": "x"})
	f.child.fail = func(n int64) error { return failure(KindTemplate, "fails for the %dth time", n) }
	reason := func() string {
		_, err := f.Render(t.Context(), Request{Component: "a"})
		if KindOf(err) != KindTemplate {
			t.Fatalf("error %v", err)
		}
		return Reason(err)
	}
	first := reason()
	reason()
	f.clock.Step(29 * time.Second)
	reason()
	if got := f.child.renders.Load(); got != 1 {
		t.Errorf("%d renders within the TTL, want 1", got)
	}
	f.clock.Step(2 * time.Second)
	if got := reason(); got != first {
		t.Errorf("the words changed from %q to %q", first, got)
	}
	if got := f.child.renders.Load(); got != 2 {
		t.Errorf("%d renders after the TTL, want 2", got)
	}
	f.child.fail = nil
	f.source.set("a", "repaired")
	f.clock.Step(time.Second)
	if _, err := f.Render(t.Context(), Request{Component: "a"}); err != nil {
		t.Errorf("a repaired chart has to wait: %v", err)
	}
}

func TestCacheRemembersCostlyErrorsLonger(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{ErrorTTL: 30 * time.Second}, map[string]string{"a": "x"})
	f.child.fail = func(int64) error {
		f.clock.Step(9 * time.Second)
		return failure(KindTimeout, "too slow")
	}
	for range 2 {
		_, _ = f.Render(t.Context(), Request{Component: "a"})
		f.clock.Step(89 * time.Second)
	}
	if got := f.child.renders.Load(); got != 1 {
		t.Errorf("%d renders, want 1 in ten times its cost", got)
	}
}

func TestCacheRemembersMissingCharts(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{}, map[string]string{})
	for range 5 {
		if _, err := f.Render(t.Context(), Request{Component: "a"}); KindOf(err) != KindNotFound {
			t.Fatalf("error %v", err)
		}
	}
	if got := f.source.loads.Load(); got != 1 {
		t.Errorf("%d loads, want 1", got)
	}
	f.source.set("a", "here")
	f.clock.Step(time.Second)
	if _, err := f.Render(t.Context(), Request{Component: "a"}); err != nil {
		t.Errorf("the chart has come, and yet: %v", err)
	}
}

func TestCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	charts := map[string]string{}
	for i := range 5 {
		charts[fmt.Sprint("c", i)] = fmt.Sprint(i) + strings.Repeat("x", 10_000)
	}
	f := newFixture(Options{CacheBytes: 48_000}, charts) // room for four, less their digests' doubles
	get := func(name string) {
		if _, err := f.Render(t.Context(), Request{Component: name}); err != nil {
			t.Fatal(err)
		}
	}
	f.limit = 4*21_500 + 1000
	for _, name := range []string{"c0", "c1", "c2", "c3", "c0", "c4"} {
		get(name) // c4 takes the place of c1, because c0 was used again
	}
	before := f.child.renders.Load()
	for _, name := range []string{"c0", "c2", "c3", "c4"} {
		get(name)
	}
	if got := f.child.renders.Load(); got != before {
		t.Errorf("%d renders of what should be kept", got-before)
	}
	get("c1")
	if got := f.child.renders.Load(); got != before+1 {
		t.Errorf("%d renders of what should be evicted, want 1", got-before)
	}
	if f.bytes > f.limit {
		t.Errorf("%d bytes held, the bound is %d", f.bytes, f.limit)
	}
	f.limit = 0
	get("c1")
	f.mu.Lock()
	f.evict()
	f.mu.Unlock()
	if f.bytes != 0 || len(f.requests) != 0 || len(f.contents) != 0 {
		t.Errorf("after all is evicted: %d bytes, %d requests, %d contents", f.bytes, len(f.requests), len(f.contents))
	}
}

func TestCacheDigestOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{DigestOnly: true}, map[string]string{"a": strings.Repeat("x", 100_000)})
	m, err := f.Render(t.Context(), Request{Component: "a"})
	if err != nil || m.YAML != nil || m.Digest == "" {
		t.Errorf("manifest with %d bytes of YAML, error %v", len(m.YAML), err)
	}
}

func TestCacheBoundsWhatWaits(t *testing.T) {
	t.Parallel()
	f := newFixture(Options{}, map[string]string{"a": "a", "b": "b"})
	f.loads.limit = 1
	f.child.begun, f.child.gate = make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := f.Render(t.Context(), Request{Component: "a"})
		done <- err
	}()
	<-f.child.begun
	if _, err := f.Render(t.Context(), Request{Component: "b"}); KindOf(err) != KindBusy {
		t.Errorf("error %v, want busy", err)
	}
	close(f.child.gate)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	f := newFixture(Options{}, map[string]string{"a": "x"})
	req := Request{Component: "a", Namespace: "ns", ReleaseName: "a"}
	ctx := t.Context()
	_, _ = f.Render(ctx, req)
	f.metrics = noMetrics{}
	if got := testing.AllocsPerRun(100, func() { _, _ = f.Render(ctx, req) }); got > 0 {
		t.Errorf("%v allocations per hit", got)
	}
}
