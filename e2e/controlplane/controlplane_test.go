package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestTwoSideBySide(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	var group sync.WaitGroup
	planes := make([]*ControlPlane, 2)
	for i := range planes {
		group.Go(func() { planes[i] = ForTest(t) })
	}
	group.Wait()
	if t.Failed() {
		return
	}
	if planes[0].RESTConfig().Host == planes[1].RESTConfig().Host {
		t.Errorf("both are at %s", planes[0].RESTConfig().Host)
	}
	for _, c := range planes {
		if len(c.PIDs()) != len(Components()) {
			t.Errorf("%s: runs %v", c.Name, c.PIDs())
		}
		if err := get(t.Context(), http.DefaultClient, c.EtcdMetricsURL()); err != nil {
			t.Error(err)
		}
		if config := c.RESTConfig(); config.BearerToken == "" || config.CertData != nil || config.CertFile != "" {
			t.Errorf("%s: its clients are known by a certificate", c.Name)
		}
		for _, path := range []string{c.Kubeconfig, c.tokensFile()} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v; others must not read the token", path, info, err)
			}
		}
		if _, err := Start(t.Context(), Options{Name: c.Name}); !errors.Is(err, ErrRunning) {
			t.Errorf("%s started twice: %v", c.Name, err)
		}
		pids := c.processes()
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		for _, pid := range pids {
			if c.owns(pid) {
				t.Errorf("process %d of %s is still there", pid, c.Name)
			}
		}
	}
}

func TestComponentStopsAndStarts(t *testing.T) {
	c := Bare(t)
	client := kubernetes.NewForConfigOrDie(c.RESTConfig())
	for _, component := range []Component{ControllerManager, APIServer, Etcd} {
		before := c.PID(component)
		if err := c.StopComponent(t.Context(), component); err != nil {
			t.Fatal(err)
		}
		if pid := c.PID(component); pid != 0 {
			t.Fatalf("%s still runs as %d", component, pid)
		}
		if err := c.StartComponent(t.Context(), component); err != nil {
			t.Fatal(err)
		}
		if after := c.PID(component); after == 0 || after == before {
			t.Errorf("%s: process %d before, %d after", component, before, after)
		}
		if err := c.waitReady(t.Context(), APIServer); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
			t.Errorf("after the restart of %s: %v", component, err)
		}
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	o := Options{Name: testPrefix + "broken", RunDir: t.TempDir(), ExtraAPIServerArgs: []string{"--no-such-flag=1"}}
	_, err := Start(t.Context(), o)
	if err == nil {
		t.Fatal("started with a flag that does not exist")
	}
	t.Log(err)
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	if left := newControlPlane(o).processes(); len(left) != 0 {
		t.Errorf("processes left: %v", left)
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short is set")
	}
	for name, after := range map[string]time.Duration{"a": 100 * time.Millisecond, "b": 600 * time.Millisecond, "c": 1500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			o := Options{Name: testPrefix + "cancelled-" + name, RunDir: t.TempDir()}
			if _, err := Start(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
			if err := o.complete(); err != nil {
				t.Fatal(err)
			}
			if left := newControlPlane(o).processes(); len(left) != 0 {
				t.Errorf("processes left: %v", left)
			}
		})
	}
}

func TestControllerManagerThatGaveUpIsStartedAgain(t *testing.T) {
	c := Bare(t)
	if err := c.StopComponent(t.Context(), ControllerManager); err != nil {
		t.Fatal(err)
	}
	if err := c.ensureControllers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.PID(ControllerManager) == 0 {
		t.Error("the controller manager does not run")
	}
}

// A start looks for what killed tests left behind. It must not touch, not even
// for a moment, what another test of a process that lives is just starting.
func TestSweepLeavesTheLivingAlone(t *testing.T) {
	runDir := t.TempDir()
	living, dead := fmt.Sprintf("%s%d-99", testPrefix, os.Getpid()), testPrefix+"999999999-1"
	for _, name := range []string{living, dead} {
		if err := os.Mkdir(filepath.Join(runDir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := sweep(t.Context(), runDir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Join(runDir, living)); err != nil || len(entries) > 0 {
		t.Errorf("of the living one there are %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(runDir, dead)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead one is there still: %v", err)
	}
}
