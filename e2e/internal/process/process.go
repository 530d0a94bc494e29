// Package process runs programs for tests, above all the operator's.
package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

// Process is a program that was started.
type Process struct {
	Cmd *exec.Cmd
	// Log is what it printed, to stdout and stderr.
	Log *Buffer
	// Ended is closed when it has ended; Err says how, from then on.
	Ended chan struct{}
	Err   error
}

// Start starts a program. It is killed at the end of the test if it still runs
// then; its log is shown if the test has failed.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, Log: &Buffer{}, Ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Log, p.Log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Err = cmd.Wait()
		close(p.Ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		log := p.Log.String()
		if strings.Contains(log, "panic: ") {
			t.Errorf("%s panicked", filepath.Base(cmd.Path))
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", filepath.Base(cmd.Path), tail.Lines(log, 30))
		}
	})
	return p
}

// Kill kills the process, if it still runs, and waits for its end.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.Ended
}

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.Ended:
		return false
	default:
		return true
	}
}

var operator struct {
	sync.Once
	path string
	err  error
}

// Operator builds the operator once for all tests of a package, whose TestMain
// calls RemoveOperator at the end.
func Operator(t testing.TB) string {
	t.Helper()
	operator.Do(func() { operator.path, operator.err = build() })
	if operator.err != nil {
		t.Fatal(operator.err)
	}
	return operator.path
}

func build() (string, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "kyma-operator-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kyma-operator")
	// The same flags as make build, so that the two share Go's build cache.
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/kyma-operator")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return path, fmt.Errorf("build the operator: %w\n%s", err, out)
	}
	return path, nil
}

// RemoveOperator removes what Operator built.
func RemoveOperator() {
	if operator.path != "" {
		_ = os.RemoveAll(filepath.Dir(operator.path))
	}
}

// Kubeconfig writes a kubeconfig that gives the access of config, and returns
// its path.
func Kubeconfig(t testing.TB, config *rest.Config) string {
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
