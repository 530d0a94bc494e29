package main

// apiServer shows the API server from the operator's side, and from its own
// where the same Prometheus scrapes it.
func apiServer() dashboard {
	const writes = `verb=~"POST|PUT|PATCH|DELETE"`
	const inventory = `group="inventory.kyma-project.io"`
	return dashboard{
		uid: "kyma-operator-api-server", title: "Kyma operator / API server and etcd",
		description: "What the operator asks of the API server, how long it waits for it, and how the API server and etcd bear it.",
		rows: []row{
			{"As the operator sees it", []panel{
				{title: "Requests by method", unit: "reqps", stacked: true, description: "Watches count once, when they begin.",
					targets: []target{{`sum by (method) (rate(rest_client_requests_total{` + ours + `}[$__rate_interval]))`, "{{method}}"}}},
				graph("Answers by code", "reqps", `sum by (code) (rate(rest_client_requests_total{`+ours+`}[$__rate_interval]))`, "{{code}}", "409: a conflict, tried again. 429: turned away. <error>: no answer."),
				graph("Failed requests", "percentunit", `1 - sum(rate(rest_client_requests_total{`+with(`code=~"2.."`)+`}[$__rate_interval])) / sum(rate(rest_client_requests_total{`+ours+`}[$__rate_interval]))`, "failed", "Share of the requests that were not answered with 2xx."),
				quantiles("Latency of writes", "rest_client_request_duration_seconds", with(writes), "verb", "A write ends in etcd: its fsync is part of this."),
				quantiles("Latency of reads", "rest_client_request_duration_seconds", with(`verb="GET"`), "", "Reads, lists and the start of watches."),
				quantiles("Wait for the client's own limiter", "rest_client_rate_limiter_duration_seconds", ours, "", "Longer than a few milliseconds: --kube-api-qps holds the operator up."),
			}},
			{"Its own view (where Prometheus scrapes the API server)", []panel{
				{title: "Requests for our kinds", unit: "reqps", stacked: true, description: "From every client, the operator among them.",
					targets: []target{{`sum by (verb, resource, subresource) (rate(apiserver_request_total{` + inventory + `}[$__rate_interval]))`, "{{verb}} {{resource}} {{subresource}}"}}},
				{title: "Latency for our kinds, p99", unit: "s", description: "The Kubernetes SLO for a write is one second.",
					targets: []target{{`histogram_quantile(0.99, sum by (le, verb) (rate(apiserver_request_duration_seconds_bucket{` + inventory + `,verb!~"WATCH|WATCHLIST"}[$__rate_interval])))`, "{{verb}}"}}},
				{title: "etcd latency, p99", unit: "s", description: "As the API server sees it, all kinds.",
					targets: []target{{`histogram_quantile(0.99, sum by (le, operation) (rate(etcd_request_duration_seconds_bucket[$__rate_interval])))`, "{{operation}}"}}},
				{title: "Seats of the operator's priority level", unit: "short", description: "In use, and what it may use now, lent and borrowed ones considered.", targets: []target{
					{`sum(apiserver_flowcontrol_current_executing_seats{priority_level="kyma-operator"})`, "in use"},
					{`sum(apiserver_flowcontrol_current_limit_seats{priority_level="kyma-operator"})`, "limit"},
					{`sum(apiserver_flowcontrol_current_inqueue_requests{priority_level="kyma-operator"})`, "waiting requests"},
				}},
				graph("Turned away by priority and fairness", "reqps", `sum by (reason) (rate(apiserver_flowcontrol_rejected_requests_total{priority_level="kyma-operator"}[$__rate_interval]))`, "{{reason}}", "Each is a 429."),
				{title: "Objects stored", unit: "short", description: "By the API server's own count.",
					targets: []target{{`max by (resource, group) ({__name__=~"apiserver_storage_objects|apiserver_resource_objects",resource=~"kymas.*|helmcomponents.*"})`, "{{resource}}"}}},
				{title: "Database of etcd", unit: "bytes", description: "A quota of 2 GiB is etcd's default; beyond it every write fails.",
					targets: []target{{`max(apiserver_storage_size_bytes)`, "size"}}},
			}},
		},
	}
}

// runtime shows the processes.
func runtime() dashboard {
	return dashboard{
		uid: "kyma-operator-runtime", title: "Kyma operator / Go runtime",
		description: "CPU, memory, garbage collection and goroutines of each replica.",
		rows: []row{
			{"Process", []panel{
				graph("CPU", "short", `rate(process_cpu_seconds_total{`+ours+`}[$__rate_interval])`, "{{instance}}", "Cores in use, without the processes that render charts."),
				{title: "Memory", unit: "bytes", description: "The limit is GOMEMLIMIT, which the Deployment sets to three quarters of the container's.", targets: []target{
					{`process_resident_memory_bytes{` + ours + `}`, "resident {{instance}}"},
					{`go_gc_gomemlimit_bytes{` + ours + `} < 1e15`, "limit {{instance}}"},
				}},
				graph("Bytes per object", "bytes", `process_resident_memory_bytes{`+ours+`} / on (instance, job) (sum by (instance, job) (kyma_operator_components{`+ours+`}) > 0)`, "{{instance}}", "Resident memory over the components it watches."),
				graph("Open files", "short", `process_open_fds{`+ours+`}`, "{{instance}}", ""),
				graph("Uptime", "s", `time() - process_start_time_seconds{`+ours+`}`, "{{instance}}", ""),
			}},
			{"Go", []panel{
				graph("Goroutines", "short", `go_goroutines{`+ours+`}`, "{{instance}}", "Steady while the load is."),
				{title: "Heap", unit: "bytes", description: "", targets: []target{
					{`go_memstats_heap_alloc_bytes{` + ours + `}`, "in use {{instance}}"},
					{`go_memstats_next_gc_bytes{` + ours + `}`, "next collection at {{instance}}"},
				}},
				graph("Allocations", "Bps", `rate(go_memstats_alloc_bytes_total{`+ours+`}[$__rate_interval])`, "{{instance}}", ""),
				graph("Garbage collections", "ops", `rate(go_gc_duration_seconds_count{`+ours+`}[$__rate_interval])`, "{{instance}}", ""),
				graph("Longest pause", "s", `go_gc_duration_seconds{`+with(`quantile="1"`)+`}`, "{{instance}}", "Of the latest collections."),
				graph("Threads", "short", `go_threads{`+ours+`}`, "{{instance}}", ""),
			}},
		},
	}
}
