package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

// summary says how long the Kymas took against the ideal, and what it cost.
func summary(r report, requests controlplane.Requests, u usage) string {
	var text strings.Builder
	times := make([]time.Duration, len(r.rows))
	for i, row := range r.rows {
		times[i] = row.elapsed
	}
	slices.Sort(times)
	fmt.Fprintf(&text, "\n%d of %d Kymas with %d modules each are success.\n", r.success, len(r.rows), r.modules)
	fmt.Fprintf(&text, "Time per Kyma, from the create to the success seen: %s", against(times[0], r.ideal))
	if n := len(times); n > 1 {
		fmt.Fprintf(&text, " at best, %s median, %s p99, %s at worst",
			against(rank(times, 50), r.ideal), against(rank(times, 99), r.ideal), against(times[n-1], r.ideal))
	}
	fmt.Fprintf(&text, "; the ideal is %s.\n", seconds(r.ideal))
	if len(times) > 1 {
		fmt.Fprintf(&text, "All of them together: %s.\n", seconds(r.elapsed))
	}
	writeCosts(&text, len(r.rows), requests.Writes())
	if u.present {
		fmt.Fprintf(&text, "The operator used %s of CPU time and at most %d MB of memory.\n", seconds(u.cpu), u.maxRSS>>20)
	}
	return text.String()
}

// writeCosts lists the writes that the API server counted. The creates of the Kymas are the demo's own.
func writeCosts(text *strings.Builder, kymas int, writes controlplane.Requests) {
	own := 0
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	var lines strings.Builder
	order := slices.SortedFunc(maps.Keys(writes), func(a, b controlplane.Request) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Code, b.Code))
	})
	for _, request := range order {
		note := ""
		if request.Resource == "kymas" && request.Verb == "POST" {
			own += writes[request]
			note = "(the demo's own)"
		}
		fmt.Fprintf(&lines, "  %s\t%s\t%s\t%d\t%s\n", request.Resource, request.Verb, request.Code, writes[request], note)
	}
	fmt.Fprintf(text, "API writes of the operator per Kyma, by the API server's own count: %.1f.\n",
		float64(writes.Total()-own)/float64(kymas))
	_, _ = fmt.Fprint(w, lines.String())
	_ = w.Flush() // A strings.Builder takes everything.
}

// against shows a time with its multiple of the ideal.
func against(d, ideal time.Duration) string {
	return fmt.Sprintf("%s (%.2f×)", seconds(d), float64(d)/float64(ideal))
}

// rank returns the p-th percentile of sorted times: the smallest that at least p % of them do not exceed.
func rank(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)*p+99)/100-1]
}
