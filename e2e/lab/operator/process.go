// Package operator runs the operator under test as a process of this machine:
// started, stopped, killed and started again, its log searched for panics.
package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
)

var errNotRunning = errors.New("the operator does not run")

// stopTimeout is how long the operator may take to end after SIGTERM.
const stopTimeout = 60 * time.Second

// Process is an operator that the lab starts itself.
type Process struct {
	Binary, Kubeconfig string
	Args               []string
	LogPath            string
	Clock              clock.Clock

	mu          sync.Mutex
	cmd         *exec.Cmd
	done        chan struct{}
	expected    bool // the end of the present process was asked for
	starts      int
	unexpected  []string
	metricsPort int
	healthPort  int
}

// Start starts the process and waits until it is ready.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	if p.metricsPort == 0 {
		ports, err := freePorts(2)
		if err != nil {
			p.mu.Unlock()
			return err
		}
		p.metricsPort, p.healthPort = ports[0], ports[1]
	}
	err := p.launch()
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return p.waitReady(ctx)
}

func (p *Process) launch() error {
	log, err := os.OpenFile(p.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log of the operator: %w", err)
	}
	defer func() { _ = log.Close() }()
	args := append([]string{
		"--kubeconfig=" + p.Kubeconfig,
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", p.metricsPort),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", p.healthPort),
	}, p.Args...)
	// Not bound to a context: the end of the operator is always asked for.
	cmd := exec.Command(p.Binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// A signal to the lab's process group must not reach it before the lab has
	// finished measuring; if the lab dies, it dies as well.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Binary, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.expected = cmd, done, false
	p.starts++
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		if !p.expected {
			p.unexpected = append(p.unexpected, fmt.Sprintf("the operator ended by itself: %v", err))
		}
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

func (p *Process) waitReady(ctx context.Context) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", p.healthPort)
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended():
			return false, errors.New("it ended at once")
		default:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the operator to be ready (log: %s): %w", p.LogPath, err)
	}
	return nil
}

func (p *Process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Stop asks the process to end and waits for it.
func (p *Process) Stop(ctx context.Context) error { return p.end(ctx, syscall.SIGTERM) }

// Kill ends the process at once.
func (p *Process) Kill(ctx context.Context) error { return p.end(ctx, syscall.SIGKILL) }

func (p *Process) end(ctx context.Context, signal syscall.Signal) error {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.expected = true
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	// An error means that it has ended already.
	_ = cmd.Process.Signal(signal)
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	case <-p.Clock.After(stopTimeout):
	}
	_ = cmd.Process.Kill()
	<-done
	return fmt.Errorf("the operator did not end within %s of %s", stopTimeout, signal)
}

// Restore does nothing: a process leaves nothing to be put back.
func (p *Process) Restore(context.Context) error { return nil }

// PID of the present process; 0 for none.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	select {
	case <-p.done:
		return 0
	default:
		return p.cmd.Process.Pid
	}
}

// Metrics reads the present process's metrics.
func (p *Process) Metrics(ctx context.Context) (io.ReadCloser, error) {
	if p.PID() == 0 {
		return nil, errNotRunning
	}
	return sampler.HTTPSource(http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/metrics", p.metricsPort))(ctx)
}

// Starts counts the processes that ran, and those of them that the lab started:
// here all of them.
func (p *Process) Starts(context.Context) (all, injected int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts, p.starts
}

// Describe names the operator and its arguments.
func (p *Process) Describe(ctx context.Context) (version string, args []string) {
	out, err := exec.CommandContext(ctx, p.Binary, "--version").Output()
	if err != nil {
		return "unknown", p.Args
	}
	return strings.TrimSpace(string(out)), p.Args
}

// InCluster is false: the process runs on this machine.
func (p *Process) InCluster() bool { return false }

// Faults lists ends that nobody asked for, and what of the log says panic.
func (p *Process) Faults(context.Context) ([]string, error) {
	p.mu.Lock()
	out := append([]string(nil), p.unexpected...)
	p.mu.Unlock()
	panics, err := Panics(p.LogPath)
	return append(out, panics...), err
}

// Panics returns the lines of a log that tell of a crash.
func Panics(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open log of the operator: %w", err)
	}
	defer func() { _ = f.Close() }()
	return searchLog(bufio.NewScanner(f))
}

func searchLog(lines *bufio.Scanner) ([]string, error) {
	var out []string
	lines.Buffer(make([]byte, 64<<10), 8<<20)
	for lines.Scan() {
		line := lines.Text()
		for _, sign := range []string{"panic: ", "fatal error: ", "Observed a panic", "WARNING: DATA RACE"} {
			if strings.Contains(line, sign) {
				out = append(out, line)
				break
			}
		}
	}
	if err := lines.Err(); err != nil {
		return out, fmt.Errorf("read log of the operator: %w", err)
	}
	return out, nil
}

// freePorts returns ports of 127.0.0.1 that were free a moment ago.
func freePorts(n int) ([]int, error) {
	out, listeners := make([]int, 0, n), make([]net.Listener, 0, n)
	// All are held until the last one is found, so that they differ.
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		listeners = append(listeners, l)
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}
