package app

import (
	"runtime/debug"
	"testing"
)

func TestGiveBackIfQuiet(t *testing.T) {
	before := memory{collections: 5, reclaimable: worthIt}
	tests := map[string]struct {
		now   memory
		freed bool
	}{
		"quiet":              {memory{5, worthIt, worthIt}, true},
		"quiet, with little": {memory{5, worthIt, worthIt - 1}, false},
		"little of a lot":    {memory{5, 5 * worthIt, worthIt}, false},
		"a lot of a lot":     {memory{5, 5 * worthIt, 2 * worthIt}, true},
		"busy":               {memory{6, worthIt, worthIt}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now, freed := tt.now, false
			last := giveBackIfQuiet(before, func() memory { return now }, func() {
				freed, now = true, memory{now.collections + 1, now.live, 0}
			})
			if freed != tt.freed || last != now {
				t.Errorf("freed: %t, and last saw %+v; want %t and %+v", freed, last, tt.freed, now)
			}
		})
	}
}

// What nobody needs any more counts before it is collected, and not after.
func TestReadMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	debug.FreeOSMemory()
	before := readMemory()
	for range 5 {
		garbage = make([]byte, worthIt)
	}
	garbage = nil
	if now := readMemory(); now.collections != before.collections || now.reclaimable < before.reclaimable+4*worthIt {
		t.Errorf("%+v of garbage after %+v", now, before)
	}
	debug.FreeOSMemory()
	if now := readMemory(); now.collections == before.collections || now.reclaimable > before.reclaimable+worthIt {
		t.Errorf("%+v after a collection, and %+v before", now, before)
	}
}

// garbage is on the heap because everyone can see it.
var garbage []byte
