package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kyma-incubator/kymactl/e2e/internal/process"
	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

// operatorProcess is the operator as a process of its own.
type operatorProcess struct{ *process.Process }

// launch starts the operator's binary.
func launch(t testing.TB, env []string, args ...string) *operatorProcess {
	t.Helper()
	cmd := exec.Command(process.Operator(t), args...)
	cmd.Env = env
	return &operatorProcess{process.Start(t, cmd)}
}

// signal does nothing where the process has ended.
func (p *operatorProcess) signal(s syscall.Signal) { _ = p.Cmd.Process.Signal(s) }

// exit waits for the end of the process and returns its exit code.
func (p *operatorProcess) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.Ended:
		return p.Cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the operator still runs after %s", patience)
		return -1
	}
}

var serving = regexp.MustCompile(`msg="Serving ([a-z ]+)" address=(\S+)`)

// address of one of the servers, which chose its port itself; empty while it
// does not listen.
func (p *operatorProcess) address(server string) string {
	for _, match := range serving.FindAllStringSubmatch(p.Log.String(), -1) {
		if match[1] == server {
			return match[2]
		}
	}
	return ""
}

// ready returns "" if /readyz answers with 200, else what it answers.
func (p *operatorProcess) ready(ctx context.Context) string {
	if !p.Running() {
		return "the operator has ended: " + tail.Lines(p.Log.String(), 3)
	}
	_, err := p.get(ctx, "health probes", "/readyz")
	if err != nil {
		return err.Error()
	}
	return ""
}

// serves returns "" once the health probes are answered, however.
func (p *operatorProcess) serves(ctx context.Context) string {
	_, err := p.get(ctx, "health probes", "/healthz")
	return text(err)
}

func (p *operatorProcess) get(ctx context.Context, server, path string) ([]byte, error) {
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
func (p *operatorProcess) metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	var sum float64
	eventually(t, "metrics are served", func(ctx context.Context) string {
		var err error
		sum, err = p.sum(ctx, name, labels...)
		return text(err)
	})
	return sum
}

func (p *operatorProcess) sum(ctx context.Context, name string, labels ...string) (float64, error) {
	text, err := p.get(ctx, "metrics", "/metrics")
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	var sum float64
	for _, metric := range families[name].GetMetric() {
		if hasLabels(metric, labels) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum, nil
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
