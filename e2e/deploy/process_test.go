package deploy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var operatorBinary struct {
	sync.Once
	path string
	err  error
}

// buildOperator builds the operator once for all tests of the package.
func buildOperator(t testing.TB) string {
	t.Helper()
	root := repository(t)
	operatorBinary.Do(func() {
		dir, err := os.MkdirTemp("", "kyma-operator-test-") //nolint:usetesting // it outlives the test that comes first
		if err != nil {
			operatorBinary.err = err
			return
		}
		operatorBinary.path = filepath.Join(dir, "kyma-operator")
		// The same flags as make build, so that the two share Go's build cache.
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", operatorBinary.path, "./cmd/kyma-operator")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			operatorBinary.err = fmt.Errorf("build the operator: %w\n%s", err, out)
		}
	})
	if operatorBinary.err != nil {
		t.Fatal(operatorBinary.err)
	}
	return operatorBinary.path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if operatorBinary.path != "" {
		_ = os.RemoveAll(filepath.Dir(operatorBinary.path))
	}
	os.Exit(code)
}

// operatorProcess is the operator as a process of its own.
type operatorProcess struct {
	cmd             *exec.Cmd
	metrics, health string
	log             *lockedBuffer
	ended           chan struct{}
	err             error
}

// startOperator starts the operator with the given access. It is killed at the
// end of the test if it still runs.
func startOperator(t testing.TB, config *rest.Config, args ...string) *operatorProcess {
	t.Helper()
	binary := buildOperator(t)
	p := &operatorProcess{
		metrics: freeAddress(t), health: freeAddress(t),
		log: &lockedBuffer{}, ended: make(chan struct{}),
	}
	args = append([]string{
		"--kubeconfig=" + writeKubeconfig(t, config),
		"--metrics-bind-address=" + p.metrics, "--health-probe-bind-address=" + p.health,
	}, args...)
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("log of the operator:\n%s", tail(p.log.String(), 30))
		}
	})
	return p
}

// ready returns an empty string if /readyz answers with 200.
func (p *operatorProcess) ready(ctx context.Context) string {
	select {
	case <-p.ended:
		return "the operator ended: " + tail(p.log.String(), 3)
	default:
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
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return p.err
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

func writeKubeconfig(t testing.TB, config *rest.Config) string {
	t.Helper()
	const name = "test"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
		InsecureSkipTLSVerify: config.Insecure,
	}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{
		Token: config.BearerToken, ClientCertificate: config.CertFile, ClientCertificateData: config.CertData,
		ClientKey: config.KeyFile, ClientKeyData: config.KeyData,
	}
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	file.CurrentContext = name
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*file, path); err != nil {
		t.Fatal(err)
	}
	return path
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
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
