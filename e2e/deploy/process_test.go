package deploy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/internal/process"
	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

func TestMain(m *testing.M) {
	code := m.Run()
	process.RemoveOperator()
	os.Exit(code)
}

// operatorProcess is the operator as a process of its own.
type operatorProcess struct {
	*process.Process
	metrics, health string
}

// startOperator starts the operator with the given access.
func startOperator(t testing.TB, config *rest.Config, args ...string) *operatorProcess {
	t.Helper()
	p := &operatorProcess{metrics: freeAddress(t), health: freeAddress(t)}
	p.Process = process.Start(t, exec.Command(process.Operator(t), append([]string{
		"--kubeconfig=" + process.Kubeconfig(t, config),
		"--metrics-bind-address=" + p.metrics, "--health-probe-bind-address=" + p.health,
	}, args...)...))
	return p
}

// ready returns an empty string if /readyz answers with 200.
func (p *operatorProcess) ready(ctx context.Context) string {
	if !p.Running() {
		return "the operator ended: " + tail.Lines(p.Log.String(), 3)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.health+"/readyz", http.NoBody)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "readyz answers " + response.Status
	}
	return ""
}

// stop asks the process to end and returns how it did.
func (p *operatorProcess) stop(within time.Duration) error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Ended:
		return p.Err
	case <-time.After(within):
		return fmt.Errorf("still runs %s after SIGTERM", within)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// writeCharts makes a folder of minimal charts. The built-in ones are not what
// these tests are about, and a hundredfold faster lifecycle leaves no time for
// large ones.
func writeCharts(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		for path, content := range map[string]string{
			"Chart.yaml":               "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n",
			"templates/configmap.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\n",
		} {
			path = filepath.Join(dir, name, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}
