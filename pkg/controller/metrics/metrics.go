// Package metrics holds the operator's own metrics and what client-go reports
// of its queues, requests and informers. Label values are bounded: no metric
// names an object.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const namespace = "kyma_operator"

// Metrics counts what the controllers do.
type Metrics struct {
	registerer prometheus.Registerer

	reconciles       *prometheus.CounterVec
	reconcileSeconds *prometheus.HistogramVec
	statusWrites     *prometheus.CounterVec
	lateness         *prometheus.HistogramVec
	renders          *prometheus.CounterVec
	renderSeconds    prometheus.Histogram
	renderCache      *prometheus.CounterVec
}

// New makes the metrics and registers them.
func New(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		registerer: registerer,
		reconciles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "reconciles_total",
			Help: "Syncs of an object, by controller and result (success, error).",
		}, []string{"controller", "result"}),
		reconcileSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "reconcile_seconds",
			Help:    "Duration of a sync, with its API calls and the wait for their turn, by controller.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 12),
		}, []string{"controller"}),
		statusWrites: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "status_writes_total",
			Help: "What became of statuses, by kind and result: written, skipped (equal already), coalesced (passed over by a later state), conflict, error.",
		}, []string{"kind", "result"}),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "transition_lateness_seconds",
			Help:    "Time from the moment a component's state was due until it was written, by state.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}, []string{"state"}),
		renders: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "renders_total",
			Help: "Charts rendered, cache hits not counted, by result: success or the kind of the error.",
		}, []string{"result"}),
		renderSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "render_seconds",
			Help:    "Duration of a render, cache hits not counted.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		}),
		renderCache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "render_cache_requests_total",
			Help: "Requests to the render cache, by result: hit, shared (waited for another's render), miss.",
		}, []string{"result"}),
	}
	registerer.MustRegister(m.reconciles, m.reconcileSeconds, m.statusWrites, m.lateness, m.renders, m.renderSeconds, m.renderCache)
	return m
}

// Reconciled counts a sync of a controller.
func (m *Metrics) Reconciled(controller string, took time.Duration, err error) {
	m.reconciles.WithLabelValues(controller, result(err)).Inc()
	m.reconcileSeconds.WithLabelValues(controller).Observe(took.Seconds())
}

// StatusWrite counts statuses of a kind by what became of them.
func (m *Metrics) StatusWrite(kind, result string, n int) {
	m.statusWrites.WithLabelValues(kind, result).Add(float64(n))
}

// Late records how long after its due moment a state was written.
func (m *Metrics) Late(state string, late time.Duration) {
	m.lateness.WithLabelValues(state).Observe(max(late, 0).Seconds())
}

// Rendered counts a render that was not served from the cache, by result:
// success or the kind of the error.
func (m *Metrics) Rendered(result string, took time.Duration) {
	m.renders.WithLabelValues(result).Inc()
	m.renderSeconds.Observe(took.Seconds())
}

// CacheLooked counts a request to the render cache by result.
func (m *Metrics) CacheLooked(result string) { m.renderCache.WithLabelValues(result).Inc() }

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "success"
}
