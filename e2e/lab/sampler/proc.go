package sampler

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// ProcStat is the cost of one process.
type ProcStat struct {
	CPU time.Duration
	// Children is the CPU of the processes that it started and that have ended.
	Children time.Duration
	RSS      uint64
	PeakRSS  uint64
}

// plus adds the CPU that another process of the same name has used.
func (p ProcStat) plus(other ProcStat) ProcStat {
	p.CPU += other.CPU
	p.Children += other.Children
	return p
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
		CPU:      time.Duration(stat.CPUTime() * float64(time.Second)),
		Children: time.Duration(stat.CUTime+stat.CSTime) * tick,
		RSS:      status.VmRSS,
		PeakRSS:  status.VmHWM,
	}, nil
}

// tick is the unit of CPU times in /proc, the same on every Linux (proc(5)).
const tick = 10 * time.Millisecond

// Self is the process of the lab.
func Self() int { return os.Getpid() }
