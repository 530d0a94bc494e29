package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

// StopComponent kills one process (SIGKILL) and waits until it is gone; the others go on. It does nothing where the
// component does not run.
func (c *ControlPlane) StopComponent(ctx context.Context, component Component) error {
	pid := c.PID(component)
	if pid == 0 {
		return nil
	}
	if err := kill(pid); err != nil {
		return fmt.Errorf("stop %s of control plane %s: %w", component, c.Name, err)
	}
	if err := waitGone(ctx, []int{pid}); err != nil {
		return fmt.Errorf("stop %s of control plane %s: %w", component, c.Name, err)
	}
	return nil
}

// StartComponent starts a stopped process with the command line it had, its data and its ports, and waits until it is
// ready. The API server is not ready while etcd is down.
func (c *ControlPlane) StartComponent(ctx context.Context, component Component) error {
	if c.PID(component) == 0 {
		if err := c.spawn(component); err != nil {
			return fmt.Errorf("start %s of control plane %s: %w", component, c.Name, err)
		}
	}
	if err := c.waitReady(ctx, component); err != nil {
		return fmt.Errorf("start %s of control plane %s: %w", component, c.Name, err)
	}
	return nil
}

// RestartComponent is StopComponent and StartComponent.
func (c *ControlPlane) RestartComponent(ctx context.Context, component Component) error {
	if err := c.StopComponent(ctx, component); err != nil {
		return err
	}
	return c.StartComponent(ctx, component)
}

// spawn does what `kwokctl start cluster` does, for one component instead of for all that are down.
func (c *ControlPlane) spawn(component Component) error {
	config, err := c.readKwokConfig()
	if err != nil {
		return err
	}
	for _, recorded := range config.Components {
		if recorded.Name == string(component) {
			return c.exec(component, recorded)
		}
	}
	return fmt.Errorf("kwokctl knows no such component")
}

func (c *ControlPlane) exec(component Component, recorded kwokComponent) error {
	log, err := os.OpenFile(c.LogPath(component), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// Always by the link in the cluster's folder: it is how owns tells our processes from others.
	cmd := exec.Command(filepath.Join(c.binDir(), string(component)), recorded.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = recorded.WorkDir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = os.Environ()
	for _, env := range recorded.Envs {
		cmd.Env = append(cmd.Env, env.Name+"="+env.Value)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// It is our child, unlike those that kwokctl started: without a Wait its remains would stay in the process table.
	go func() { _ = cmd.Wait() }()
	if err := writePID(c.pidFile(component), cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	return nil
}

// withLogs adds the end of each component's log to the error of a failed start, whose files are removed.
func (c *ControlPlane) withLogs(err error) error {
	var tails strings.Builder
	for _, component := range Components() {
		if end := tail.File(c.LogPath(component), 10); end != "" {
			fmt.Fprintf(&tails, "\n--- end of the log of %s ---\n%s", component, end)
		}
	}
	if tails.Len() == 0 {
		return err
	}
	return fmt.Errorf("%w%s", err, tails.String())
}
