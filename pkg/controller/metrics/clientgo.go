package metrics

import (
	"context"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	restmetrics "k8s.io/client-go/tools/metrics"
	"k8s.io/client-go/util/workqueue"
)

// latencyBuckets suit calls on a local network as well as throttled ones.
var latencyBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

// RegisterClientGo makes client-go report its requests, informers and leader
// election to the registerer. client-go keeps these in globals: the first call
// in a process wins.
func RegisterClientGo(registerer prometheus.Registerer) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rest_client_requests_total", Help: "Requests to the API server, by status code, method and host.",
	}, []string{"code", "method", "host"})
	retries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rest_client_request_retries_total", Help: "Requests that client-go repeated by itself, by status code, verb and host.",
	}, []string{"code", "verb", "host"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rest_client_request_duration_seconds", Help: "Duration of a request to the API server, by verb and host.", Buckets: latencyBuckets,
	}, []string{"verb", "host"})
	limiter := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "rest_client_rate_limiter_duration_seconds", Help: "Wait in client-go's own rate limiter (of leases and events; the controllers' writes wait in the operator's), by verb and host.", Buckets: latencyBuckets,
	}, []string{"verb", "host"})
	leader := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "leader_election_master_status", Help: "Whether this replica leads (1) or stands by (0), by Lease.",
	}, []string{"name"})
	registerer.MustRegister(requests, retries, duration, limiter, leader)
	restmetrics.Register(restmetrics.RegisterOpts{
		RequestResult:      resultMetric{requests},
		RequestRetry:       retryMetric{retries},
		RequestLatency:     latencyMetric{duration},
		RateLimiterLatency: latencyMetric{limiter},
	})
	leaderelection.SetProvider(leaderMetric{leader})
	cache.SetInformerMetricsProvider(newInformerMetrics(registerer))
}

type resultMetric struct{ *prometheus.CounterVec }

func (m resultMetric) Increment(_ context.Context, code, method, host string) {
	m.WithLabelValues(code, method, host).Inc()
}

type retryMetric struct{ *prometheus.CounterVec }

func (m retryMetric) IncrementRetry(_ context.Context, code, method, host string) {
	m.WithLabelValues(code, method, host).Inc()
}

type latencyMetric struct{ *prometheus.HistogramVec }

// Observe leaves the path out: it names objects.
func (m latencyMetric) Observe(_ context.Context, verb string, u url.URL, latency time.Duration) {
	m.WithLabelValues(verb, u.Host).Observe(latency.Seconds())
}

type leaderMetric struct{ *prometheus.GaugeVec }

func (m leaderMetric) NewLeaderMetric() leaderelection.LeaderMetric { return m }
func (m leaderMetric) On(name string)                               { m.WithLabelValues(name).Set(1) }
func (m leaderMetric) Off(name string)                              { m.WithLabelValues(name).Set(0) }
func (m leaderMetric) SlowpathExercised(string)                     {}

// informerMetrics implements cache.InformerMetricsProvider.
type informerMetrics struct {
	queued     *prometheus.GaugeVec
	processing *prometheus.HistogramVec
	version    *prometheus.GaugeVec
}

func newInformerMetrics(registerer prometheus.Registerer) *informerMetrics {
	m := &informerMetrics{
		queued: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "informer_queued_items", Help: "Watch events that an informer has yet to process, by resource.",
		}, []string{"resource"}),
		processing: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "informer_processing_latency_seconds", Help: "Time to put a watch event into the cache, by resource.",
			Buckets: prometheus.ExponentialBuckets(0.00001, 4, 10),
		}, []string{"resource"}),
		version: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "informer_store_resource_version", Help: "The resourceVersion that an informer's cache is at, by resource.",
		}, []string{"resource"}),
	}
	registerer.MustRegister(m.queued, m.processing, m.version)
	return m
}

func (m *informerMetrics) NewQueuedItemMetric(id cache.InformerNameAndResource) cache.GaugeMetric {
	return m.queued.WithLabelValues(id.GroupVersionResource().Resource)
}

func (m *informerMetrics) NewProcessingLatencyMetric(id cache.InformerNameAndResource) cache.HistogramMetric {
	return m.processing.WithLabelValues(id.GroupVersionResource().Resource)
}

func (m *informerMetrics) NewStoreResourceVersionMetric(id cache.InformerNameAndResource) cache.GaugeMetric {
	return m.version.WithLabelValues(id.GroupVersionResource().Resource)
}

// Queues implements workqueue.MetricsProvider.
type Queues struct {
	depth, unfinished, longest *prometheus.GaugeVec
	adds, retries              *prometheus.CounterVec
	latency, work              *prometheus.HistogramVec
}

// NewQueues makes the metrics of the workqueues and registers them.
func NewQueues(registerer prometheus.Registerer) *Queues {
	label := []string{"name"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Subsystem: "workqueue", Name: name, Help: help}, label)
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Subsystem: "workqueue", Name: name, Help: help}, label)
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Subsystem: "workqueue", Name: name, Help: help, Buckets: latencyBuckets}, label)
	}
	q := &Queues{
		depth:      gauge("depth", "Keys that wait for a worker, by queue."),
		adds:       counter("adds_total", "Keys added to a queue."),
		latency:    histogram("queue_duration_seconds", "Wait of a key for a worker, by queue."),
		work:       histogram("work_duration_seconds", "Time that a worker spends on a key, by queue."),
		unfinished: gauge("unfinished_work_seconds", "Time spent so far on the keys in work, by queue."),
		longest:    gauge("longest_running_processor_seconds", "Time spent so far on the key that is longest in work, by queue."),
		retries:    counter("retries_total", "Keys added again after a failure, by queue."),
	}
	registerer.MustRegister(q.depth, q.adds, q.latency, q.work, q.unfinished, q.longest, q.retries)
	return q
}

// NewDepthMetric implements workqueue.MetricsProvider.
func (q *Queues) NewDepthMetric(name string) workqueue.GaugeMetric {
	return q.depth.WithLabelValues(name)
}

// NewAddsMetric implements workqueue.MetricsProvider.
func (q *Queues) NewAddsMetric(name string) workqueue.CounterMetric {
	return q.adds.WithLabelValues(name)
}

// NewLatencyMetric implements workqueue.MetricsProvider.
func (q *Queues) NewLatencyMetric(name string) workqueue.HistogramMetric {
	return q.latency.WithLabelValues(name)
}

// NewWorkDurationMetric implements workqueue.MetricsProvider.
func (q *Queues) NewWorkDurationMetric(name string) workqueue.HistogramMetric {
	return q.work.WithLabelValues(name)
}

// NewUnfinishedWorkSecondsMetric implements workqueue.MetricsProvider.
func (q *Queues) NewUnfinishedWorkSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return q.unfinished.WithLabelValues(name)
}

// NewLongestRunningProcessorSecondsMetric implements workqueue.MetricsProvider.
func (q *Queues) NewLongestRunningProcessorSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return q.longest.WithLabelValues(name)
}

// NewRetriesMetric implements workqueue.MetricsProvider.
func (q *Queues) NewRetriesMetric(name string) workqueue.CounterMetric {
	return q.retries.WithLabelValues(name)
}
