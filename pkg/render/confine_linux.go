//go:build linux

package render

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// addressSlack is what the Go runtime may map besides the memory that counts:
// it grows its heap in arenas of 64 MiB. The race detector needs many times the
// memory of what it watches, so under it the watchdog is left to bound memory.
const addressSlack = 192*mib + raceSlack

// confine takes from this process what a render does not need. It cannot be
// undone: every limit is set soft and hard.
//
//   - memory: the address space may grow by the bound and the runtime's slack;
//     a watchdog ends the process earlier and with a clearer word
//   - CPU time: the kernel ends a child whose parent has died
//   - files: none may be opened or written; sockets are files as well, so a
//     render has no network whatever its templates find
//
// A fetch keeps the network.
func confine(op operation, l Limits) error {
	// Under a cgroup's memory limit the child shall be the one to go. Where the
	// file cannot be written the limits still hold.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)

	mapped, err := addressSpace()
	if err != nil {
		return err
	}
	timeout := max(l.Timeout, l.FetchTimeout)
	limits := []struct {
		name     string
		resource int
		value    uint64
	}{
		{"address space", syscall.RLIMIT_AS, mapped + uint64(l.MemoryBytes) + addressSlack},
		{"CPU time", syscall.RLIMIT_CPU, 2 * uint64(timeout/time.Second+1)},
		{"core size", syscall.RLIMIT_CORE, 0},
		{"file size", syscall.RLIMIT_FSIZE, 0},
	}
	if op == opRender {
		limits = append(limits, struct {
			name     string
			resource int
			value    uint64
		}{"open files", syscall.RLIMIT_NOFILE, 0})
	}
	for _, lim := range limits {
		if err := syscall.Setrlimit(lim.resource, &syscall.Rlimit{Cur: lim.value, Max: lim.value}); err != nil {
			return fmt.Errorf("limit %s: %w", lim.name, err)
		}
	}
	return nil
}

// addressSpace is what is mapped already: a race-enabled test binary maps
// terabytes, so that only a limit relative to it makes sense.
func addressSpace() (uint64, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("read address space: %w", err)
	}
	first, _, _ := bytes.Cut(raw, []byte(" "))
	pages, err := strconv.ParseUint(string(first), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read address space: %w", err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
