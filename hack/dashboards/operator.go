package main

// fleet is the first to look at: how far the Kymas are, and whether on time.
func fleet() dashboard {
	return dashboard{
		uid: "kyma-operator-fleet", title: "Kyma operator / Fleet",
		description: "How far the Kymas are, whether they are on time, and what that costs in writes.",
		rows: []row{
			{"Now", []panel{
				number("Kymas", "short", `sum(max by (state) (kyma_operator_kymas{`+ours+`}))`, "", "All Kymas. Every replica knows all of them; the largest answer counts."),
				number("Kymas at success", "percentunit",
					`max(kyma_operator_kymas{`+with(`state="success"`)+`}) / sum(max by (state) (kyma_operator_kymas{`+ours+`}))`, "", "Share of the Kymas whose modules are all success."),
				number("Components", "short", `sum(max by (state) (kyma_operator_components{`+ours+`}))`, "", "All HelmComponents."),
				number("On time", "percentunit", onTime("$__range"), "", "Share of the changes of state that were written within a second of their due moment, over the time shown."),
				number("Leaders", "short", `sum(leader_election_master_status{`+ours+`})`, "", "One, always. Without leader election none is counted."),
				number("Version", "short", `max by (version, revision) (kyma_operator_build_info{`+ours+`})`, "{{version}} {{revision}}", "More than one while a rollout is under way."),
			}},
			{"Progress", []panel{
				{title: "Kymas by state", unit: "short", stacked: true, width: 12, description: "A Kyma is success if and only if all its modules are.",
					targets: []target{{`max by (state) (kyma_operator_kymas{` + ours + `})`, "{{state}}"}}},
				{title: "Components by state", unit: "short", stacked: true, width: 12, description: "pending, started, failing, retrying, success: in this order, never back.",
					targets: []target{{`max by (state) (kyma_operator_components{` + ours + `})`, "{{state}}"}}},
			}},
			{"Timeliness", []panel{
				quantiles("Lateness", "kyma_operator_transition_lateness_seconds", ours, "", "From the moment a state was due until it was written."),
				quantiles("Lateness by state", "kyma_operator_transition_lateness_seconds", ours, "state", "Success is never passed over; under pressure the others may be, and are then not counted here."),
				graph("Within a second", "percentunit", onTime("$__rate_interval"), "on time", "Share of the changes of state written within a second of their due moment."),
			}},
			{"Writes", []panel{
				{title: "Status writes by result", unit: "ops", stacked: true, description: "skipped: equal already. coalesced: passed over by a later state.",
					targets: []target{{`sum by (result) (rate(kyma_operator_status_writes_total{` + ours + `}[$__rate_interval]))`, "{{result}}"}}},
				graph("Status writes by kind", "ops", `sum by (kind) (rate(kyma_operator_status_writes_total{`+with(`result="written"`)+`}[$__rate_interval]))`, "{{kind}}", "Written ones only."),
				graph("Write slots", "short", `max by (state) (kyma_operator_write_slots{`+ours+`})`, "{{state}}", "How many writes may be in flight, are, and wait for their turn."),
			}},
			{"Charts", []panel{
				graph("Render cache", "ops", `sum by (result) (rate(kyma_operator_render_cache_requests_total{`+ours+`}[$__rate_interval]))`, "{{result}}", "A miss is a render; all others cost next to nothing."),
				graph("Renders", "ops", `sum by (result) (rate(kyma_operator_renders_total{`+ours+`}[$__rate_interval]))`, "{{result}}", "Charts that were rendered, each in a process of its own."),
				quantiles("Duration of a render", "kyma_operator_render_seconds", ours, "", "Cache hits not counted."),
			}},
		},
	}
}

// onTime is the share of changes of state within a second. The edge is written
// as "1" or "1.0", by the format of the scrape.
func onTime(window string) string {
	return `sum(rate(kyma_operator_transition_lateness_seconds_bucket{` + with(`le=~"1|1[.]0"`) + `}[` + window + `]))` +
		` / sum(rate(kyma_operator_transition_lateness_seconds_count{` + ours + `}[` + window + `]))`
}

// controllers shows the two loops and their queues.
func controllers() dashboard {
	const queues = `name=~"kyma|helmcomponent"`
	return dashboard{
		uid: "kyma-operator-controllers", title: "Kyma operator / Controllers and queues",
		description: "The two controllers, their queues and their workers.",
		rows: []row{
			{"Controllers", []panel{
				graph("Reconciles", "ops", `sum by (controller) (rate(kyma_operator_reconciles_total{`+ours+`}[$__rate_interval]))`, "{{controller}}", "Syncs of an object."),
				graph("Errors", "percentunit", `1 - sum by (controller) (rate(kyma_operator_reconciles_total{`+with(`result="success"`)+`}[$__rate_interval]))`+
					` / sum by (controller) (rate(kyma_operator_reconciles_total{`+ours+`}[$__rate_interval]))`, "{{controller}}", "Share of the syncs that failed and are tried again."),
				quantiles("Duration of a reconcile", "kyma_operator_reconcile_seconds", ours, "controller", "With its API calls and the wait for their turn."),
			}},
			{"Queues", []panel{
				graph("Depth", "short", `max by (name) (workqueue_depth{`+with(queues)+`})`, "{{name}}", "Objects that wait for a worker. Those that wait for a due moment are not counted."),
				graph("Added", "ops", `sum by (name) (rate(workqueue_adds_total{`+with(queues)+`}[$__rate_interval]))`, "{{name}}", ""),
				graph("Retried", "ops", `sum by (name) (rate(workqueue_retries_total{`+with(queues)+`}[$__rate_interval]))`, "{{name}}", "Objects put back with a delay: after a failure, or until their next due moment."),
				quantiles("Wait in the queue", "workqueue_queue_duration_seconds", with(queues), "name", "From being added until a worker takes it."),
				quantiles("Work", "workqueue_work_duration_seconds", with(queues), "name", "From being taken until done."),
				{title: "Unfinished work", unit: "s", description: "A worker that is stuck makes both grow without end.", targets: []target{
					{`max by (name) (workqueue_unfinished_work_seconds{` + with(queues) + `})`, "all workers, {{name}}"},
					{`max by (name) (workqueue_longest_running_processor_seconds{` + with(queues) + `})`, "longest, {{name}}"},
				}},
			}},
			{"Leader election", []panel{
				graph("Leader", "short", `leader_election_master_status{`+ours+`}`, "{{instance}}", "1 for the replica that leads."),
				graph("Reconciles by replica", "ops", `sum by (instance) (rate(kyma_operator_reconciles_total{`+ours+`}[$__rate_interval]))`, "{{instance}}", "A standby does none."),
			}},
		},
	}
}
