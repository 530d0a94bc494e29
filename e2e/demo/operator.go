package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

// operator is the running bin/kyma-operator.
type operator struct {
	cmd  *exec.Cmd
	log  string
	once sync.Once
	// done is closed when the process has ended.
	done chan struct{}
	err  error
}

// stopTimeout is how long the operator may take to end in order.
const stopTimeout = 15 * time.Second

// startOperator starts the program and returns once it says that it is ready, that is, has read its caches.
func startOperator(ctx context.Context, d *demo) (*operator, error) {
	probe, err := freeAddress()
	if err != nil {
		return nil, err
	}
	o := &operator{log: filepath.Join(d.plane.Dir, "operator.log"), done: make(chan struct{})}
	if d.keep {
		d.say("the operator's log is %s", o.log)
	}
	log, err := os.Create(o.log)
	if err != nil {
		return nil, fmt.Errorf("start operator: %w", err)
	}
	defer func() { _ = log.Close() }()
	// Later flags win, so that OPERATOR_ARGS can say otherwise.
	o.cmd = exec.Command(d.operator, append([]string{
		"--kubeconfig=" + d.plane.Kubeconfig,
		"--metrics-bind-address=0",
		"--health-probe-bind-address=" + probe,
	}, d.operatorArgs...)...)
	o.cmd.Stdout, o.cmd.Stderr = log, log
	o.cmd.SysProcAttr = endWithParent()
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start operator: %w", err)
	}
	go func() {
		o.err = o.cmd.Wait()
		close(o.done)
	}()
	if err := o.waitReady(ctx, "http://"+probe+"/readyz"); err != nil {
		o.stop()
		return nil, o.explain(err)
	}
	return o, nil
}

// explain adds the end of the operator's log to an error; the file goes with the control plane.
func (o *operator) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\n--- end of the operator's log ---\n%s", err, tail.File(o.log, 20))
}

func (o *operator) waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go o.watch(cancel)
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil //nolint:nilerr // It does not listen yet.
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("wait for the operator to be ready: %w", err)
}

// watch reports an operator that ends by itself.
func (o *operator) watch(fail context.CancelCauseFunc) {
	<-o.done
	fail(fmt.Errorf("the operator has ended: %v", o.err)) //nolint:errorlint // The error may be nil.
}

// stop ends the operator in order, and by force where that takes too long.
func (o *operator) stop() {
	o.once.Do(func() {
		_ = o.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-o.done:
		case <-time.After(stopTimeout):
			_ = o.cmd.Process.Kill()
			<-o.done
		}
	})
}

type usage struct {
	cpu     time.Duration
	maxRSS  int64 // bytes
	present bool
}

// usage is what the operator used in all; only known after stop.
func (o *operator) usage() usage {
	state := o.cmd.ProcessState
	r, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}
	}
	return usage{cpu: state.UserTime() + state.SystemTime(), maxRSS: r.Maxrss * rssUnit, present: true}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
