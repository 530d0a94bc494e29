package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// PID returns the process id of a component, 0 while it does not run.
func (c *ControlPlane) PID(component Component) int {
	pid := c.recordedPID(component)
	if pid != 0 && c.owns(pid) {
		return pid
	}
	return 0
}

// PIDs returns the process ids of the components that run.
func (c *ControlPlane) PIDs() map[Component]int {
	pids := map[Component]int{}
	for _, component := range Components() {
		if pid := c.PID(component); pid != 0 {
			pids[component] = pid
		}
	}
	return pids
}

// pidFile is where kwokctl keeps the process id of a component.
func (c *ControlPlane) pidFile(component Component) string {
	return filepath.Join(c.clusterDir(), "pids", string(component)+".pid")
}

func (c *ControlPlane) recordedPID(component Component) int {
	data, err := os.ReadFile(c.pidFile(component))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// owns tells whether a process runs and is one of this control plane's: kwokctl starts each component by a link in the
// cluster's own folder, so the first word of its command line is proof, and a recycled process id is not mistaken.
func (c *ControlPlane) owns(pid int) bool {
	command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if errors.Is(err, os.ErrNotExist) && !hasProc() {
		return syscall.Kill(pid, 0) == nil
	}
	// A process that has ended but was not waited for yet has an empty command line.
	return err == nil && strings.HasPrefix(string(command), c.binDir()+"/")
}

func hasProc() bool {
	_, err := os.Stat("/proc/self/cmdline")
	return err == nil
}

// processes returns every process of this control plane: those on record and, where there is a /proc, those that were
// started but not recorded, as by a kwokctl that was killed at the wrong moment.
func (c *ControlPlane) processes() []int {
	var pids []int
	if hasProc() {
		entries, _ := os.ReadDir("/proc")
		for _, entry := range entries {
			if pid, err := strconv.Atoi(entry.Name()); err == nil && c.owns(pid) {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	for _, pid := range c.PIDs() {
		pids = append(pids, pid)
	}
	return pids
}

// killAll ends every process of the control plane and waits until they are gone. Nothing of its data is worth a
// graceful end: it is removed right after.
func (c *ControlPlane) killAll(ctx context.Context) error {
	pids := c.processes()
	for _, pid := range pids {
		if err := kill(pid); err != nil {
			return err
		}
	}
	return waitGone(ctx, pids)
}

func kill(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}

// ended tells whether a killed process has let go of everything it had. An empty command line is too early a sign: its
// listening sockets are closed only after that. A process that nobody waits for (as in a container whose first process
// does not reap) stays as a zombie; it has ended when none of its threads is left.
func ended(pid int) bool {
	if !hasProc() {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return true
	}
	// The state follows the name, which is in brackets and may itself hold some.
	_, state, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	threads, _ := os.ReadDir(filepath.Join(dir, "task"))
	return strings.HasPrefix(state, "Z") && len(threads) <= 1
}

func waitGone(ctx context.Context, pids []int) error {
	err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		for _, pid := range pids {
			if !ended(pid) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the end of processes %v: %w", pids, err)
	}
	return nil
}
