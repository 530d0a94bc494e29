package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

// runWith runs the demo with a shell script in the operator's place, and checks that nothing is left of it.
func runWith(ctx context.Context, t *testing.T, script string) error {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	operator := filepath.Join(t.TempDir(), "operator")
	if err := os.WriteFile(operator, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	name := "test-demo-" + strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	var out bytes.Buffer
	d := &demo{options: options{name: name, kymas: 1, root: root, operator: operator}, clock: clock.RealClock{}, out: &out}
	err = d.run(ctx)
	t.Logf("%s%v", out.String(), err)
	if _, err := os.Stat(filepath.Join(root, ".run", name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control plane's folder is still there: %v", err)
	}
	return err
}

func TestOperatorEnds(t *testing.T) {
	err := runWith(t.Context(), t, "echo no such thing >&2; exit 3")
	if err == nil {
		t.Fatal("the demo succeeded without an operator")
	}
	for _, want := range []string{"the operator has ended: exit status 3", "no such thing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		awaitFile(ctx, started)
		cancel()
	}()
	if err := runWith(ctx, t, "touch "+started+"; exec sleep 600"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func awaitFile(ctx context.Context, path string) {
	_ = wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(context.Context) (bool, error) {
		_, err := os.Stat(path)
		return err == nil, nil
	})
}
