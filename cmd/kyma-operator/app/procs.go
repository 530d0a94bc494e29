package app

import "runtime"

// procsShare is the part of the cores that the operator's goroutines run on, at least one. A write wakes half a dozen
// of them one after another; with idle threads to spare the Go runtime wakes and parks one for each, which is a seventh
// of the operator's CPU time on two cores (docs/performance.md). One core is enough for more than a thousand writes a second.
const procsShare = 4

// limitProcs sets GOMAXPROCS to the operator's share of what the Go runtime found, which heeds the limits of a
// container. A GOMAXPROCS in the environment is left as it is.
func limitProcs(environment func(string) string) {
	if environment("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/procsShare))
	}
}
