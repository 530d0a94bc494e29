package sampler

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// ProcStat is the cost of one process.
type ProcStat struct {
	CPU     time.Duration
	RSS     uint64
	PeakRSS uint64
}

// ReadProc reads /proc for a process.
func ReadProc(pid int) (ProcStat, error) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return ProcStat{}, fmt.Errorf("find process %d: %w", pid, err)
	}
	stat, err := proc.Stat()
	if err != nil {
		return ProcStat{}, fmt.Errorf("read stat of process %d: %w", pid, err)
	}
	status, err := proc.NewStatus()
	if err != nil {
		return ProcStat{}, fmt.Errorf("read status of process %d: %w", pid, err)
	}
	return ProcStat{
		CPU:     time.Duration(stat.CPUTime() * float64(time.Second)),
		RSS:     status.VmRSS,
		PeakRSS: status.VmHWM,
	}, nil
}

// Self is the process of the lab.
func Self() int { return os.Getpid() }
