package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kyma-incubator/kymactl/e2e/internal/process"
	"github.com/kyma-incubator/kymactl/hack/deploy/manifests"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// expectedlyEmpty lists what need not have data in a short run in which all is
// well, and why. (An API server that has just started may send a few 429.)
var expectedlyEmpty = map[string]string{
	`rest_client_requests_total{job="kyma-operator-metrics",code="429"}`:                                         "the API server turned no request away",
	`rest_client_requests_total{job="kyma-operator-metrics",code=~"5..|<error>"}`:                                "every request was answered, none with 5xx",
	`kyma_operator_renders_total{job="kyma-operator-metrics",result!="success"}`:                                 "every chart could be rendered",
	`apiserver_flowcontrol_rejected_requests_total{priority_level="kyma-operator"}`:                              "the API server rejected no request of the operator's priority level",
	`sum by (reason) (rate(apiserver_flowcontrol_rejected_requests_total{priority_level="kyma-operator"}[20s]))`: "the same",
}

// prometheus is a Prometheus server of the test's own.
type prometheus struct{ url string }

// startPrometheus lets one scrape two replicas, as the ServiceMonitor has it, and
// the API server, with all alerts loaded.
func startPrometheus(t *testing.T, bench *rbacBench, replicas ...*operatorProcess) *prometheus {
	t.Helper()
	binary := needProgram(t, "prometheus")
	dir := t.TempDir()
	var targets []string
	for _, replica := range replicas {
		targets = append(targets, replica.metrics)
	}
	host, err := url.Parse(bench.admin.Host)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := rest.LoadTLSFiles(bench.admin); err != nil {
		t.Fatal(err)
	}
	config, err := yaml.Marshal(map[string]any{
		"global":     map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{alertRules(t).write(t, dir)},
		"scrape_configs": []any{
			map[string]any{
				"job_name": metricsJob, "scheme": "https",
				"authorization":  map[string]any{"credentials_file": write("token", []byte(bench.reader))},
				"tls_config":     map[string]any{"insecure_skip_verify": true},
				"static_configs": []any{map[string]any{"targets": targets}},
			},
			map[string]any{
				"job_name": "apiserver", "scheme": "https",
				"authorization":  map[string]any{"credentials_file": write("admin-token", []byte(bench.admin.BearerToken))},
				"tls_config":     map[string]any{"ca_file": write("ca.crt", bench.admin.CAData)},
				"static_configs": []any{map[string]any{"targets": []string{host.Host}}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	process.Start(t, exec.Command(binary, "--config.file="+write("prometheus.yml", config), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn"))
	return &prometheus{url: "http://" + address}
}

// series is one result of a query.
type series struct {
	Metric map[string]string `json:"metric"`
	Value  []any             `json:"value"`
}

func (p *prometheus) get(ctx context.Context, path string, query url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// query evaluates an expression now.
func (p *prometheus) query(ctx context.Context, expr string) ([]series, error) {
	var data struct {
		Result []series `json:"result"`
	}
	err := p.get(ctx, "/api/v1/query", url.Values{"query": {expr}}, &data)
	return data.Result, err
}

// TestMonitoringAgainstPrometheus lets a real Prometheus scrape two replicas and
// the API server during a short load, and then puts everything to it that the
// dashboards and the alerts ask.
func TestMonitoringAgainstPrometheus(t *testing.T) {
	needProgram(t, "prometheus")
	bench := newRBACBench(t)
	client, err := manifests.NewClient(bench.admin)
	if err != nil {
		t.Fatal(err)
	}
	flow := only(kustomization(t, "operator"), "FlowSchema", "PriorityLevelConfiguration")
	if err := client.Apply(t.Context(), flow, manifests.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOMEMLIMIT", "384MiB") // as the Deployment has it
	args := []string{
		"--leader-elect", "--leader-elect-namespace=" + operatorName, "--metrics-secure",
		"--charts=" + bench.charts, "--lifecycle-unit=300ms",
	}
	replicas := []*operatorProcess{startOperator(t, bench.own, args...), startOperator(t, bench.own, args...)}
	for _, replica := range replicas {
		eventually(t, 20*time.Second, replica.ready)
	}
	prom := startPrometheus(t, bench, replicas...)
	eventually(t, 20*time.Second, func(ctx context.Context) string {
		up, err := prom.query(ctx, "up == 1")
		if err != nil || len(up) != 3 {
			return fmt.Sprintf("%d of 3 targets are up (%v)", len(up), err)
		}
		return ""
	})
	load(t, bench, 10)

	dashboards, alerts := dashboardExpressions(t), alertExpressions(t)
	selectors := 0
	for _, e := range append(dashboards, alerts...) {
		t.Run(e.where, func(t *testing.T) {
			if e.alert {
				prom.wantQuiet(t, e)
			} else {
				prom.wantData(t, e.text, e.labels)
			}
			for _, s := range e.selectors() {
				prom.wantData(t, s, nil)
				selectors++
			}
			if len(e.selectors()) == 0 {
				t.Error("reads nothing")
			}
		})
	}
	prom.wantHealthyRules(t, len(alerts))
	t.Logf("%d expressions of dashboards, %d of alerts, %d selectors within them", len(dashboards), len(alerts), selectors)
	logStandby(t, prom)
}

// load brings some Kymas to success.
func load(t *testing.T, bench *rbacBench, kymas int) {
	t.Helper()
	api := bench.inventory.InventoryV1alpha1().Kymas("default")
	for i := range kymas {
		kyma := &v1alpha1.Kyma{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("kyma-%d", i)},
			Spec:       v1alpha1.KymaSpec{Components: []v1alpha1.KymaComponent{{Name: "istio"}, {Name: "tracing"}}},
		}
		if _, err := api.Create(t.Context(), kyma, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, time.Minute, func(ctx context.Context) string {
		list, err := api.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		done := 0
		for i := range list.Items {
			if list.Items[i].Status.Status == v1alpha1.KymaSuccess {
				done++
			}
		}
		if done != kymas {
			return fmt.Sprintf("%d of %d Kymas are success", done, kymas)
		}
		return ""
	})
}

// wantData evaluates an expression that has to return data, each series of it
// with the labels that a legend shows, unless it is listed as expectedly empty.
func (p *prometheus) wantData(t *testing.T, expr string, labels []string) {
	t.Helper()
	_, empty := expectedlyEmpty[expr]
	var result []series
	var err error
	// A rate needs two scrapes; what is expected to be empty is asked once.
	_ = wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		var now []series
		if now, err = p.query(ctx, expr); ctx.Err() == nil {
			result = now
		}
		return empty || len(result) > 0, err
	})
	if err != nil {
		t.Errorf("%s\ndoes not evaluate: %v", expr, err)
		return
	}
	if !empty && len(result) == 0 {
		t.Errorf("%s\nreturns nothing", expr)
	}
	for _, s := range result {
		for _, label := range labels {
			if s.Metric[label] == "" {
				t.Errorf("%s\nthe legend shows label %s, which %v has not", expr, label, s.Metric)
			}
		}
	}
}

// wantQuiet evaluates the expression of an alert: all is well, so it has to be
// empty; that it reads something is seen from its selectors.
func (p *prometheus) wantQuiet(t *testing.T, e expression) {
	t.Helper()
	result, err := p.query(t.Context(), e.text)
	if err != nil {
		t.Errorf("%s\ndoes not evaluate: %v", e.text, err)
	}
	// Two hours of waiting are not over after a minute: the alert's `for` sees to that.
	if len(result) > 0 && !strings.HasSuffix(e.where, "KymasWaiting") {
		t.Errorf("%s\nis true although all is well: %v", e.text, result)
	}
}

func (p *prometheus) wantHealthyRules(t *testing.T, want int) {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, State, LastError string }
		}
	}
	if err := p.get(t.Context(), "/api/v1/rules", nil, &data); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, group := range data.Groups {
		for _, rule := range group.Rules {
			got++
			if rule.Health != "ok" || rule.State == "firing" {
				t.Errorf("%s: health %s, state %s %s", rule.Name, rule.Health, rule.State, rule.LastError)
			}
		}
	}
	if got != want {
		t.Errorf("Prometheus runs %d rules, want %d", got, want)
	}
}

// logStandby says what a replica costs that does not lead.
func logStandby(t *testing.T, p *prometheus) {
	t.Helper()
	const standby = ` and on (instance) leader_election_master_status == 0`
	for name, expr := range map[string]string{
		"resident memory in bytes": "process_resident_memory_bytes",
		"cores":                    "rate(process_cpu_seconds_total[30s])",
	} {
		result, err := p.query(t.Context(), expr+standby)
		if err != nil || len(result) != 1 {
			t.Errorf("%s of the standby: %v, %v", name, result, err)
			continue
		}
		t.Logf("standby, idle: %s: %v", name, result[0].Value[1])
	}
}
