package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// testPrefix marks control planes of tests. One that has it and no living owner may be removed by anybody.
const testPrefix = "test-"

var testCounter atomic.Int32

// Option changes the options of a control plane for a test.
type Option func(*Options)

// WithArgs adds flags to the API server, like "--max-requests-inflight=10".
func WithArgs(args ...string) Option {
	return func(o *Options) { o.ExtraAPIServerArgs = append(o.ExtraAPIServerArgs, args...) }
}

// WithAuditPolicy makes the API server write an audit log.
func WithAuditPolicy(path string) Option {
	return func(o *Options) { o.AuditPolicy = path }
}

// ForTest starts a control plane of the test's own, with the CRDs installed, and stops it when the test ends. It skips
// the test under -short. The components' logs of a failed test are kept in .run/failed/.
func ForTest(t testing.TB, options ...Option) *ControlPlane {
	t.Helper()
	c := Bare(t, options...)
	if err := c.InstallCRDs(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Bare is ForTest without the CRDs.
func Bare(t testing.TB, options ...Option) *ControlPlane {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	c, err := startForTest(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, c)
		}
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

var shared struct {
	sync.Mutex
	*ControlPlane
	err error
}

// Shared returns one control plane, with the CRDs installed, for all tests of a package. The first caller starts it.
// The package's TestMain must call Main, which stops it. Tests that use it keep to a namespace of their own.
func Shared(t testing.TB) *ControlPlane {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.ControlPlane == nil && shared.err == nil {
		// Not t.Context(): it outlives the test that happens to come first.
		ctx := context.Background()
		if shared.ControlPlane, shared.err = startForTest(ctx, nil); shared.err == nil {
			shared.err = shared.InstallCRDs(ctx)
		}
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.ControlPlane
}

// Main runs the tests of a package and stops the shared control plane, if one was started. Use it as
//
//	func TestMain(m *testing.M) { os.Exit(controlplane.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.ControlPlane != nil {
		if err := shared.Stop(context.Background()); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

func startForTest(ctx context.Context, options []Option) (*ControlPlane, error) {
	o := Options{Name: fmt.Sprintf("%s%d-%d", testPrefix, os.Getpid(), testCounter.Add(1))}
	for _, option := range options {
		option(&o)
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := sweep(ctx, o.RunDir); err != nil {
		return nil, err
	}
	return Start(ctx, o)
}

// sweep removes what tests left behind that were killed together with their guardians.
func sweep(ctx context.Context, runDir string) error {
	entries, err := os.ReadDir(runDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list %s: %w", runDir, err)
	}
	for _, entry := range entries {
		// Even a look at the lock of a control plane that is just being started would make that start fail.
		if !strings.HasPrefix(entry.Name(), testPrefix) || starterLives(entry.Name()) {
			continue
		}
		// Just being removed by another test: not ours.
		if err := Remove(ctx, Options{Name: entry.Name(), RunDir: runDir}); err != nil &&
			!errors.Is(err, ErrRunning) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// starterLives tells whether the process runs that a test's control plane has in its name.
func starterLives(name string) bool {
	id, _, _ := strings.Cut(strings.TrimPrefix(name, testPrefix), "-")
	pid, err := strconv.Atoi(id)
	return err == nil && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func keepLogs(t testing.TB, c *ControlPlane) {
	dir := filepath.Join(c.opts.RunDir, "failed", c.Name)
	_ = os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(c.clusterDir(), "logs"))); err != nil {
		t.Logf("keep the logs of control plane %s: %v", c.Name, err)
		return
	}
	t.Logf("the logs of control plane %s are in %s", c.Name, dir)
}
