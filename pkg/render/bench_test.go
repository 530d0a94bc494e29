package render

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// standard are the requests of a Kyma with the 18 standard modules.
func standard() []Request {
	var out []Request
	for _, c := range v1alpha1.StandardComponents() {
		out = append(out, Request{Component: c.Name, Namespace: namespaceOf(c), ReleaseName: c.Name})
	}
	return out
}

func mustRender(b *testing.B, r Renderer, req Request) Manifest {
	m, err := r.Render(b.Context(), req)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkCold renders each built-in chart without a cache: a process is
// started, and the chart loaded, rendered and sorted in it.
func BenchmarkCold(b *testing.B) {
	r := mustNew(b, Options{})
	for _, req := range standard() {
		b.Run(req.Component, func(b *testing.B) {
			for b.Loop() {
				mustRender(b, r, req)
			}
		})
	}
}

// BenchmarkColdAll renders the 18 charts for the first time, all asked for at
// once, as an operator does after its start.
func BenchmarkColdAll(b *testing.B) {
	for b.Loop() {
		r := mustNew(b, Options{Cache: true})
		var wg sync.WaitGroup
		for _, req := range standard() {
			wg.Go(func() {
				if _, err := r.Render(b.Context(), req); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// BenchmarkEngine is BenchmarkCold without the process: what helm itself costs.
func BenchmarkEngine(b *testing.B) {
	src := newSources(Options{}.withDefaults(), nil)
	for _, req := range standard() {
		b.Run(req.Component, func(b *testing.B) {
			c, err := src.load(b.Context(), &req)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				u := &unpacker{limits: Limits{}.withDefaults()}
				files, err := u.files(c.files)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := renderFiles(files, &wireRequest{Limits: u.limits, Release: req.ReleaseName, Namespace: req.Namespace}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHit asks for a chart that has been rendered. The target is 2 µs and
// no allocation.
func BenchmarkHit(b *testing.B) {
	for name, opts := range map[string]Options{
		"built-in":  {Cache: true},
		"directory": {Cache: true, ChartsDir: chartsDir},
	} {
		b.Run(name, func(b *testing.B) {
			r, req := mustNew(b, opts), standard()[0]
			mustRender(b, r, req)
			b.ReportAllocs()
			for b.Loop() {
				mustRender(b, r, req)
			}
		})
	}
	b.Run("with values", func(b *testing.B) {
		r, req := mustNew(b, Options{Cache: true}), standard()[0]
		req.Values = map[string]any{"global": map[string]any{"domain": "example.com"}}
		mustRender(b, r, req)
		b.ReportAllocs()
		for b.Loop() {
			mustRender(b, r, req)
		}
	})
}

// BenchmarkWorkers lets 32 workers ask for 18 charts. Without the cache every
// answer is a render.
func BenchmarkWorkers(b *testing.B) {
	const workers = 32
	for name, opts := range map[string]Options{"cached": {Cache: true}, "uncached": {}} {
		b.Run(name, func(b *testing.B) {
			r, requests := mustNew(b, opts), standard()
			if opts.Cache {
				for _, req := range requests {
					mustRender(b, r, req)
				}
			}
			var next atomic.Uint64
			b.SetParallelism(workers / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				// Each worker has its own place in the round, as components come.
				for i := next.Add(7); pb.Next(); i++ {
					if _, err := r.Render(b.Context(), requests[i%uint64(len(requests))]); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renders/s")
		})
	}
}

// BenchmarkMemory measures what the cache holds for the 18 charts.
func BenchmarkMemory(b *testing.B) {
	for name, opts := range map[string]Options{
		"manifests":   {Cache: true},
		"digest only": {Cache: true, DigestOnly: true},
	} {
		b.Run(name, func(b *testing.B) {
			var held, counted float64
			for b.Loop() {
				r := mustNew(b, opts)
				before := heap()
				for _, req := range standard() {
					mustRender(b, r, req)
				}
				// The files of built-in charts are kept by their source, whatever
				// the cache does.
				c := r.(*cache)
				c.source = nil
				held, counted = float64(heap())-float64(before), float64(c.bytes)
				runtime.KeepAlive(r)
			}
			b.ReportMetric(held, "held-B")
			b.ReportMetric(counted, "counted-B")
		})
	}
}

func heap() uint64 {
	_, bytes := settled()
	return bytes
}
