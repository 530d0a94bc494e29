package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// process is the operator as a process of its own.
type process struct {
	cmd   *exec.Cmd
	log   *lockedBuffer
	ended chan struct{}
	err   error
}

// launch starts the operator's binary. It is killed at the end of the test if it
// still runs then.
func launch(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(operatorBinary(t), args...), log: &lockedBuffer{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = p.log, p.log, env
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		log := p.log.String()
		if strings.Contains(log, "panic: ") {
			t.Error("the operator panicked")
		}
		if t.Failed() {
			t.Logf("log of the operator:\n%s", tail(log, 25))
		}
	})
	return p
}

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// signal does nothing where the process has ended.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// exit waits for the end of the process and returns its exit code.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the operator still runs after %s", patience)
		return -1
	}
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

var serving = regexp.MustCompile(`msg="Serving ([a-z ]+)" address=(\S+)`)

// address of one of the servers, which chose its port itself; empty while it
// does not listen.
func (p *process) address(server string) string {
	for _, match := range serving.FindAllStringSubmatch(p.log.String(), -1) {
		if match[1] == server {
			return match[2]
		}
	}
	return ""
}

// ready returns "" if /readyz answers with 200, else what it answers.
func (p *process) ready(ctx context.Context) string {
	if !p.running() {
		return "the operator has ended: " + tail(p.log.String(), 3)
	}
	_, err := p.get(ctx, "health probes", "/readyz")
	if err != nil {
		return err.Error()
	}
	return ""
}

// serves returns "" once the health probes are answered, however.
func (p *process) serves(ctx context.Context) string {
	_, err := p.get(ctx, "health probes", "/healthz")
	return text(err)
}

func (p *process) get(ctx context.Context, server, path string) ([]byte, error) {
	address := p.address(server)
	if address == "" {
		return nil, fmt.Errorf("%s are not served yet", server)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status + ": " + string(body))
	}
	return body, err
}

// metric sums up the counters or gauges of a name that have the labels, given
// as key, value, key, value.
func (p *process) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	var sum float64
	eventually(t, "metrics are served", func(ctx context.Context) string {
		text, err := p.get(ctx, "metrics", "/metrics")
		if err != nil {
			return err.Error()
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
		if err != nil {
			return err.Error()
		}
		sum = 0
		for _, metric := range families[name].GetMetric() {
			if hasLabels(metric, labels) {
				sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
		return ""
	})
	return sum
}

func hasLabels(metric *dto.Metric, labels []string) bool {
	has := map[string]string{}
	for _, pair := range metric.GetLabel() {
		has[pair.GetName()] = pair.GetValue()
	}
	for i := 0; i < len(labels); i += 2 {
		if has[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}

// writeKubeconfig writes a kubeconfig that gives the access of config.
func writeKubeconfig(t testing.TB, config *rest.Config) string {
	t.Helper()
	const name = "test"
	file := clientcmdapi.NewConfig()
	file.Clusters[name] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData,
	}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificate: config.CertFile, ClientCertificateData: config.CertData,
		ClientKey: config.KeyFile, ClientKeyData: config.KeyData,
		Impersonate: config.Impersonate.UserName, ImpersonateGroups: config.Impersonate.Groups,
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
