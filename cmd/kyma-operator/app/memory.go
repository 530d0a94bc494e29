package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// quietAfter is how long no garbage may have been collected for the process
	// to count as quiet. Go collects every two minutes whatever happens, and
	// once a second or more in a burst.
	quietAfter = 10 * time.Second
	// worthIt is how much memory is worth a collection, in bytes, and worthShare
	// the part of the live heap that it has to be as well: a process that works at
	// leisure does not collect all the time.
	worthIt, worthShare = 8 << 20, 4
)

// memory is what the Go runtime says about itself.
type memory struct {
	// collections is the number of garbage collections so far.
	collections uint64
	// live is the heap that was alive at the last collection, in bytes.
	live uint64
	// reclaimable is the heap beyond what was alive at the last collection, as
	// far as it was not given back to the system, in bytes.
	reclaimable uint64
}

// giveBack returns memory to the system whenever the process is quiet. Go keeps
// what a start or a burst took, twice the live heap and more, until the next
// one; beside a fleet that rests for days this is most of the process.
func giveBack(ctx context.Context) {
	var before memory
	wait.UntilWithContext(ctx, func(context.Context) {
		before = giveBackIfQuiet(before, readMemory, debug.FreeOSMemory)
	}, quietAfter)
}

// giveBackIfQuiet looks at the memory once, and returns what it saw last.
func giveBackIfQuiet(before memory, read func() memory, free func()) memory {
	now := read()
	if now.collections != before.collections || now.reclaimable < max(worthIt, now.live/worthShare) {
		return now
	}
	free()
	return read()
}

func readMemory() memory {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	live, held := samples[1].Value.Uint64(), samples[2].Value.Uint64()+samples[3].Value.Uint64()
	return memory{collections: samples[0].Value.Uint64(), live: live, reclaimable: max(held, live) - live}
}
