// Command load is the load lab: it measures a fleet of Kymas in parallel against
// the ideal of one. e2e/load.sh is the entry for people; docs/load-testing.md
// says how to read what comes out.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/kyma-incubator/kymactl/e2e/lab/verdict"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	f, err := parseFlags(args)
	if errors.Is(err, pflag.ErrHelp) {
		return int(verdict.Passed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return int(verdict.SetUp)
	}
	code, err := newSession(f).run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		if code == verdict.Passed {
			code = verdict.SetUp
		}
	}
	return int(code)
}
