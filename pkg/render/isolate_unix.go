//go:build unix

package render

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate gives the child a process group of its own, and kills all of it when
// the deadline passes.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// killedByCPU tells whether the kernel ended a child that used up its CPU time.
func killedByCPU(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGXCPU)
}

const nonblock = syscall.O_NONBLOCK
