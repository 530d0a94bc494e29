package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

const childRunDir = "KYMACTL_TEST_CHILD_RUN_DIR"

// TestOwnerKilled starts a control plane in a process of its own, kills that with SIGKILL, and expects the guardian to
// take everything down.
func TestOwnerKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	if dir := os.Getenv(childRunDir); dir != "" {
		if _, err := Start(t.Context(), Options{Name: "test-orphan", RunDir: dir}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("started")
		select {} // Until it is killed.
	}
	for name, killWhen := range map[string]string{"while it starts": "kwok/clusters/test-orphan/pids/etcd.pid", "later": "started"} {
		t.Run(name, func(t *testing.T) { ownerKilled(t, killWhen) })
	}
}

func ownerKilled(t *testing.T, killWhen string) {
	o := Options{Name: "test-orphan", RunDir: t.TempDir()}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	cmd := exec.Command(os.Args[0], "-test.run=^TestOwnerKilled$")
	cmd.Env = append(os.Environ(), childRunDir+"="+o.RunDir)
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = file, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := newControlPlane(o)
	await(t, "the moment to kill", func() bool {
		_, err := os.Stat(c.path(killWhen))
		return err == nil || strings.Contains(tail.File(log, 1), killWhen)
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the guardian", func() bool { return len(c.processes()) == 0 })
	// What the guardian left (logs, say) does not stop the next one from starting.
	if err := Remove(t.Context(), o); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", c.Dir, err)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), pollInterval, time.Minute, true,
		func(context.Context) (bool, error) { return done(), nil }); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}
