package sampler

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
)

const exposition = `# HELP apiserver_request_total Counter.
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="inventory.kyma-project.io",resource="kymas",verb="PUT"} 5
apiserver_request_total{code="409",group="inventory.kyma-project.io",resource="kymas",verb="PUT"} 2
apiserver_request_total{code="200",group="",resource="pods",verb="GET"} 100
# TYPE apiserver_request_duration_seconds histogram
apiserver_request_duration_seconds_bucket{group="inventory.kyma-project.io",verb="PUT",le="0.1"} 90
apiserver_request_duration_seconds_bucket{group="inventory.kyma-project.io",verb="PUT",le="1"} 100
apiserver_request_duration_seconds_bucket{group="inventory.kyma-project.io",verb="PUT",le="+Inf"} 100
apiserver_request_duration_seconds_sum{group="inventory.kyma-project.io",verb="PUT"} 12
apiserver_request_duration_seconds_count{group="inventory.kyma-project.io",verb="PUT"} 100
apiserver_request_duration_seconds_bucket{group="other",verb="PUT",le="+Inf"} 7
# TYPE unwanted_total counter
unwanted_total 1
`

func textSource(text string) Source {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func TestRead(t *testing.T) {
	m, err := Read(t.Context(), textSource(exposition), apiFamilies, keepAPI)
	if err != nil {
		t.Fatal(err)
	}
	if m["unwanted_total"] != nil {
		t.Error("an unwanted family was kept")
	}
	if v := m.Sum("apiserver_request_total", Labels{"group": Group, "verb": "PUT|POST"}); v == nil || *v != 7 {
		t.Errorf("sum of two series = %v, want 7", v)
	}
	if v := m.Max("apiserver_request_total", Labels{"group": Group}); v == nil || *v != 5 {
		t.Errorf("max = %v, want 5", v)
	}
	if v := m.Sum("apiserver_request_total", Labels{"code": "500"}); v == nil || *v != 0 {
		t.Errorf("a counter that was never touched is %v, want 0", v)
	}
	if v := m.Sum("absent", nil); v != nil {
		t.Errorf("an absent family is %v, want nil", *v)
	}
	if v := QuantileBetween(0.99, m, Metrics{}, "apiserver_request_duration_seconds", Labels{"verb": "PUT"}); v == nil || math.Abs(*v-0.91) > 1e-9 {
		t.Errorf("p99 = %v, want 0.91", v)
	}
	if v := QuantileBetween(0.99, m, m, "apiserver_request_duration_seconds", nil); v != nil {
		t.Errorf("a quantile of nothing is %v, want nil", *v)
	}
	if v := m.Values("apiserver_request_total", "code", Labels{"group": Group}); len(v) != 2 {
		t.Errorf("codes: %v", v)
	}
}

func TestDifferenceAfterARestart(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	if d := Difference(f(3), f(10)); d == nil || *d != 3 {
		t.Errorf("got %v, want the whole of the new process", d)
	}
	if Difference(nil, f(1)) != nil || Difference(f(1), nil) != nil {
		t.Error("what was not read has no difference")
	}
}

func TestMarkAndProblems(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	s := New(Config{
		Clock: clock,
		API:   textSource(exposition),
		Etcd:  func(context.Context) (io.ReadCloser, error) { return nil, errors.New("refused") },
		PIDs:  func() map[string]int { return map[string]int{Lab: os.Getpid()} },
		Fleet: func() history.Counts { return history.Counts{Kymas: 3} },
		Sent:  func() (int, int) { return 4, 5 },
	})
	sample := s.Mark(t.Context(), "start")
	if sample.API == nil || sample.Etcd != nil || sample.Operator != nil {
		t.Error("only the API server could be read")
	}
	if sample.Fleet.Kymas != 3 || sample.Sent != 4 || sample.Procs[Lab].RSS == 0 {
		t.Errorf("sample: %+v", sample)
	}
	if got := s.Problems(); len(got) != 1 || !strings.Contains(got[0], "etcd") {
		t.Errorf("problems: %v", got)
	}
	if s.Get("start").At != sample.At || len(s.Samples()) != 1 || s.Peak(Lab) == 0 {
		t.Error("the mark was not kept")
	}
}
