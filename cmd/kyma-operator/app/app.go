// Package app is the command line of the operator: flags, their validation, and
// the wiring of everything that runs.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// version and revision are set by the linker.
var (
	version  = "dev"
	revision = "unknown"
)

// usageError is a mistake of the caller: a bad flag or no kubeconfig.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Main runs the command line and returns the exit code: 0, 1 for a failure, 2
// for a mistake of the caller.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRootCommand(stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "Error: %v\n", err)
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", root.Name())
		return exitUsage
	}
	return exitFailure
}

func newRootCommand(logs io.Writer) *cobra.Command {
	options := newOptions()
	root := &cobra.Command{
		Use:   "kyma-operator",
		Short: "Bring the modules of thousands of Kymas to success, in about the time of one",
		Long: `kyma-operator makes a HelmComponent of each module of each Kyma and drives it
through pending, started, failing, retrying to success, its chart rendered on
the way. It needs the CRDs of inventory.kyma-project.io on the cluster.`,
		Version:       fmt.Sprintf("%s (revision %s, %s)", version, commitOf(), runtime.Version()),
		Args:          noArguments,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return err
			}
			return run(cmd.Context(), options, logs)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	options.AddFlags(root.Flags())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRenderCommand(), newRenderChildCommand())
	return root
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
	}
	return nil
}

// commitOf is the revision that the linker was told, else the one that the Go
// tool found.
func commitOf() string {
	if info, ok := debug.ReadBuildInfo(); ok && revision == "unknown" {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return revision
}
