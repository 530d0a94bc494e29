// Command demo shows the operator at work: it starts a control plane, installs the CRDs, runs bin/kyma-operator, creates
// Kymas from the sample, shows how they come to success, sums up, and takes everything down again. Run by `make demo`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	// The operator is told by the kernel when the thread that started it ends; this one ends with the process.
	runtime.LockOSThread()
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	d := &demo{options: o, clock: clock.RealClock{}, out: os.Stdout, tty: isTerminal(os.Stdout)}
	err = d.run(ctx)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "demo: interrupted; everything is taken down")
		os.Exit(exitInterrupted)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(exitFailure)
	}
}

type options struct {
	name         string
	kymas        int
	keep         bool
	operator     string
	operatorArgs []string
	timeout      time.Duration
	root         string
}

// maxKymas is what a table of names like kyma0001 holds.
const maxKymas = 9999

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&o.name, "name", "demo", "name of the control plane, and of its folder below .run")
	flags.IntVar(&o.kymas, "kymas", 1, "how many Kymas")
	flags.BoolVar(&o.keep, "keep", false, "leave the control plane up")
	flags.StringVar(&o.operator, "operator", "", "the operator's program; default bin/kyma-operator")
	flags.DurationVar(&o.timeout, "timeout", 0, "give up after this time; default: by the number of Kymas")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.operatorArgs = flags.Args()
	if o.kymas < 1 || o.kymas > maxKymas {
		return o, fmt.Errorf("KYMAS is %d: must be from 1 to %d", o.kymas, maxKymas)
	}
	var err error
	if o.root, err = controlplane.RepositoryRoot(); err != nil {
		return o, err
	}
	if o.operator == "" {
		o.operator = filepath.Join(o.root, "bin", "kyma-operator")
	}
	if _, err := os.Stat(o.operator); err != nil {
		return o, errors.New("bin/kyma-operator is missing: run `make build`, or this as `make demo`")
	}
	return o, nil
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
