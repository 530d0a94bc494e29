package measure

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
)

// Names of the metrics that are read, and of their labels.
const (
	requestTotal    = "apiserver_request_total"
	requestDuration = "apiserver_request_duration_seconds"
	clientRequests  = "rest_client_requests_total"
	clientDuration  = "rest_client_request_duration_seconds"
	queueWait       = "workqueue_queue_duration_seconds"
	queueDepth      = "workqueue_depth"
	cpuSeconds      = "process_cpu_seconds_total"
	residentBytes   = "process_resident_memory_bytes"
	heapBytes       = "go_memstats_heap_alloc_bytes"
	goroutines      = "go_goroutines"
	reconciles      = "kyma_operator_reconciles_total"
	statusWrites    = "kyma_operator_status_writes_total"
	renders         = "kyma_operator_renders_total"
	cacheRequests   = "kyma_operator_render_cache_requests_total"

	mutatingVerbs   = "POST|PUT|PATCH|DELETE|DELETECOLLECTION"
	mutatingClient  = "POST|PUT|PATCH|DELETE"
	mega            = 1e6
	secondsInMinute = 60
)

// QueueNames are the operator's queues.
func QueueNames() []string { return []string{"kyma", "helmcomponent"} }

func pointer(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func scaled(v *float64, by float64) *float64 {
	if v == nil {
		return nil
	}
	return pointer(*v * by)
}

// counter is what a counter gained between two samples of the operator. One that
// was never touched is not exposed at all: it counts as 0 where the rest of the
// metrics could be read.
func counter(end, begin sampler.Sample, name string, labels sampler.Labels) *float64 {
	read := func(m sampler.Metrics) *float64 {
		if v := m.Sum(name, labels); v != nil || m == nil {
			return v
		}
		return new(float64)
	}
	return sampler.Difference(read(end.Operator), read(begin.Operator))
}

// InventoryWrites are the mutating requests of all clients to the inventory API
// between two samples; nil where the API server's counters are out of reach.
func InventoryWrites(end, begin sampler.Sample) *float64 {
	labels := sampler.Labels{"group": sampler.Group, "verb": mutatingVerbs}
	return sampler.Difference(end.API.Sum(requestTotal, labels), begin.API.Sum(requestTotal, labels))
}

// OperatorWrites are the operator's mutating requests between two samples: what
// the API server counted less the lab's own, else what the operator counted
// (which includes its leases and events).
func OperatorWrites(end, begin sampler.Sample) (*float64, string) {
	if all := InventoryWrites(end, begin); all != nil {
		return pointer(max(*all-float64(end.LabWrites-begin.LabWrites), 0)), "counted by the API server"
	}
	return ClientWrites(end, begin)
}

// ClientWrites are the mutating requests that the operator counted itself.
func ClientWrites(end, begin sampler.Sample) (*float64, string) {
	return counter(end, begin, clientRequests, sampler.Labels{"method": mutatingClient}), "counted by the operator"
}

// API returns a row for each kind of request to the inventory API.
func API(end, begin sampler.Sample) []report.APIRow {
	var out []report.APIRow
	group := sampler.Labels{"group": sampler.Group}
	for _, resource := range end.API.Values(requestTotal, "resource", group) {
		for _, sub := range end.API.Values(requestTotal, "subresource", sampler.Labels{"group": sampler.Group, "resource": resource}) {
			for _, verb := range end.API.Values(requestTotal, "verb", sampler.Labels{"group": sampler.Group, "resource": resource, "subresource": sub}) {
				labels := sampler.Labels{"group": sampler.Group, "resource": resource, "subresource": sub, "verb": verb}
				requests := sampler.Difference(end.API.Sum(requestTotal, labels), begin.API.Sum(requestTotal, labels))
				if requests == nil || *requests == 0 {
					continue
				}
				row := report.APIRow{Verb: verb, Resource: resource, Requests: *requests}
				if sub != "" {
					row.Resource += "/" + sub
				}
				if verb != "WATCH" { // a watch lasts as long as it lasts
					row.P50 = sampler.QuantileBetween(0.5, end.API, begin.API, requestDuration, labels)
					row.P99 = sampler.QuantileBetween(0.99, end.API, begin.API, requestDuration, labels)
				}
				for _, code := range end.API.Values(requestTotal, "code", labels) {
					if code >= "400" {
						labels["code"] = code
						if d := sampler.Difference(end.API.Sum(requestTotal, labels), begin.API.Sum(requestTotal, labels)); d != nil {
							row.Errors += *d
						}
					}
				}
				out = append(out, row)
			}
		}
	}
	slices.SortFunc(out, func(a, b report.APIRow) int { return cmp.Compare(b.Requests, a.Requests) })
	return out
}

// Errors counts the answers of the inventory API by code: of the three that have
// a limit, and of all requests.
func Errors(end, begin sampler.Sample) (server, throttled, conflicts, all *float64) {
	byCode := func(keep func(code string) bool) *float64 {
		if end.API == nil || begin.API == nil {
			return nil
		}
		var sum float64
		for _, code := range end.API.Values(requestTotal, "code", sampler.Labels{"group": sampler.Group}) {
			if !keep(code) {
				continue
			}
			labels := sampler.Labels{"group": sampler.Group, "code": code}
			if d := sampler.Difference(end.API.Sum(requestTotal, labels), begin.API.Sum(requestTotal, labels)); d != nil {
				sum += *d
			}
		}
		return &sum
	}
	server = byCode(func(code string) bool { return code >= "500" && code <= "599" })
	throttled = byCode(func(code string) bool { return code == "429" })
	conflicts = byCode(func(code string) bool { return code == "409" })
	all = byCode(func(string) bool { return true })
	return server, throttled, conflicts, all
}

// MutatingP99 is the API server's own p99 of writes to the inventory, the worst
// of its verbs.
func MutatingP99(rows []report.APIRow) *float64 {
	var worst *float64
	for _, r := range rows {
		switch r.Verb {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE":
			if r.P99 != nil && (worst == nil || *r.P99 > *worst) {
				worst = r.P99
			}
		}
	}
	return worst
}

// Etcd returns etcd's figures; nil where it was not read.
func Etcd(end, begin sampler.Sample) *report.Etcd {
	if end.Etcd == nil || begin.Etcd == nil {
		// The API server knows the size at least.
		if size := end.API.Max("apiserver_storage_size_bytes", nil); size != nil {
			return &report.Etcd{DBSizeMB: scaled(size, 1/mega)}
		}
		return nil
	}
	return &report.Etcd{
		FsyncP99:   sampler.QuantileBetween(0.99, end.Etcd, begin.Etcd, "etcd_disk_wal_fsync_duration_seconds", nil),
		CommitP99:  sampler.QuantileBetween(0.99, end.Etcd, begin.Etcd, "etcd_disk_backend_commit_duration_seconds", nil),
		DBSizeMB:   scaled(end.Etcd.Sum("etcd_mvcc_db_total_size_in_bytes", nil), 1/mega),
		CPUSeconds: sampler.Difference(end.Etcd.Sum(cpuSeconds, nil), begin.Etcd.Sum(cpuSeconds, nil)),
	}
}

// Queues returns the figures of the operator's queues. Observations of a process
// that was restarted in between are those of the last one.
func Queues(samples []sampler.Sample, end, begin sampler.Sample, lastSend time.Time) []report.Queue {
	var out []report.Queue
	for _, name := range QueueNames() {
		labels := sampler.Labels{"name": name}
		q := report.Queue{
			Name:    name,
			WaitP99: sampler.QuantileBetween(0.99, end.Operator, begin.Operator, queueWait, labels),
			Adds:    counter(end, begin, "workqueue_adds_total", labels),
			Retries: counter(end, begin, "workqueue_retries_total", labels),
		}
		var busy time.Time
		for _, s := range samples {
			depth := s.Operator.Sum(queueDepth, labels)
			if depth == nil || s.At.Before(begin.At) || s.At.After(end.At) {
				continue
			}
			if q.DepthMax == nil || *depth > *q.DepthMax {
				q.DepthMax = depth
			}
			if *depth > 0 {
				busy = s.At
			}
		}
		if q.DepthMax != nil {
			q.DrainSeconds = pointer(0)
			if busy.After(lastSend) {
				q.DrainSeconds = pointer(busy.Sub(lastSend).Seconds())
			}
		}
		out = append(out, q)
	}
	return out
}

// QueueDepth is the depth of the deepest queue at a sample; nil where it could
// not be read.
func QueueDepth(s sampler.Sample) *float64 { return s.Operator.Max(queueDepth, nil) }

// Reconciles counts the reconciles of a controller between two samples.
func Reconciles(end, begin sampler.Sample, controller string) *float64 {
	return counter(end, begin, reconciles, sampler.Labels{"controller": controller})
}

// cpuOf is the CPU that a process used, from /proc or, elsewhere, from its own
// metrics.
func cpuOf(end, begin sampler.Sample, name string, metrics func(sampler.Sample) sampler.Metrics) *float64 {
	if e, ok := end.Procs[name]; ok {
		if b, ok := begin.Procs[name]; ok {
			return pointer((e.CPU - b.CPU).Seconds())
		}
	}
	if metrics == nil {
		return nil
	}
	return sampler.Difference(metrics(end).Sum(cpuSeconds, nil), metrics(begin).Sum(cpuSeconds, nil))
}

// childrenCPU is the CPU of the processes that the operator started, in seconds;
// nil where /proc is out of reach.
func childrenCPU(end, begin sampler.Sample) *float64 {
	e, ok := end.Procs[sampler.Operator]
	b, before := begin.Procs[sampler.Operator]
	if !ok || !before {
		return nil
	}
	return pointer((e.Children - b.Children).Seconds())
}

// LiveHeap is the smallest heap that was seen in a time span: what is left after
// a garbage collection. nil where it could not be read.
func LiveHeap(samples []sampler.Sample, from, to time.Time) *float64 {
	return smallest(samples, from, to, heapBytes)
}

// Goroutines is the smallest number of them in a time span.
func Goroutines(samples []sampler.Sample, from, to time.Time) *float64 {
	return smallest(samples, from, to, goroutines)
}

func smallest(samples []sampler.Sample, from, to time.Time, name string) *float64 {
	var out *float64
	for _, s := range samples {
		if v := s.Operator.Sum(name, nil); v != nil && !s.At.Before(from) && !s.At.After(to) && (out == nil || *v < *out) {
			out = v
		}
	}
	return out
}

func residentOf(s sampler.Sample) *float64 {
	if p, ok := s.Procs[sampler.Operator]; ok && p.RSS > 0 {
		return pointer(float64(p.RSS))
	}
	return s.Operator.Sum(residentBytes, nil)
}

// slope of the resident memory over a time span, in MB a minute.
func slope(samples []sampler.Sample, from, to time.Time) *float64 {
	var x, y []float64
	for _, s := range samples {
		if rss := residentOf(s); rss != nil && !s.At.Before(from) && !s.At.After(to) {
			x = append(x, s.At.Sub(from).Seconds()/secondsInMinute)
			y = append(y, *rss/mega)
		}
	}
	return pointer(stats.Slope(x, y))
}

// OperatorCPU is the operator's CPU time between two samples, in seconds.
func OperatorCPU(end, begin sampler.Sample) *float64 {
	return cpuOf(end, begin, sampler.Operator, func(s sampler.Sample) sampler.Metrics { return s.Operator })
}
