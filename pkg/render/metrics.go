package render

import "time"

// Lookup says how the cache answered a call.
type Lookup int

// The cache's answers. Misses count the loads, so that over one content they
// add up to the renders that were needed.
const (
	Hit    Lookup = iota // answered from memory
	Shared               // waited for another call's render
	Miss                 // began a render
)

func (l Lookup) String() string {
	return [...]string{"hit", "shared", "miss"}[l]
}

// Metrics receives what the package counts. Both methods are called from many
// goroutines; Looked is on the hot path and has to be cheap.
type Metrics interface {
	// Looked counts one call of a cached Renderer.
	Looked(result Lookup)
	// Rendered counts one child process that rendered; kind is empty for a
	// success and one of the Kinds otherwise.
	Rendered(kind Kind, took time.Duration)
}

type noMetrics struct{}

func (noMetrics) Looked(Lookup)                {}
func (noMetrics) Rendered(Kind, time.Duration) {}
