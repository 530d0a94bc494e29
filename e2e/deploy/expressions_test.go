package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// expression is one that a dashboard or an alert puts to Prometheus.
type expression struct {
	where, text string
	// labels are those that the legend shows.
	labels []string
	alert  bool
}

var (
	// selector finds what an expression reads: a metric with its labels, or labels alone.
	selector    = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\{[^}]*\}|\{__name__[^}]*\}|\b(?:etcd|apiserver)_[a-z_]+\b`)
	legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	// variables of Grafana, with what they are for the test.
	variables = strings.NewReplacer("$__rate_interval", "20s", "$__range", "1m", "$job", metricsJob)
)

// metricsJob is what prometheus-operator calls the job: the Service's name.
const metricsJob = "kyma-operator-metrics"

type grafanaPanel struct {
	Title   string         `json:"title"`
	Panels  []grafanaPanel `json:"panels"`
	Targets []struct {
		Expr   string `json:"expr"`
		Legend string `json:"legendFormat"`
	} `json:"targets"`
}

// dashboardExpressions reads them from the files that Grafana gets.
func dashboardExpressions(t testing.TB) []expression {
	t.Helper()
	files, err := filepath.Glob(repository(t, "manifests/monitoring/dashboards/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []expression
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard grafanaPanel
		if err := json.Unmarshal(text, &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		before := len(out)
		for _, panel := range dashboard.all() {
			for _, target := range panel.Targets {
				e := expression{where: dashboard.Title + " / " + panel.Title, text: variables.Replace(target.Expr)}
				for _, match := range legendLabel.FindAllStringSubmatch(target.Legend, -1) {
					// Of a request for the object itself, the subresource is empty.
					if match[1] != "subresource" {
						e.labels = append(e.labels, match[1])
					}
				}
				out = append(out, e)
			}
		}
		if len(out) == before {
			t.Errorf("%s asks nothing", file)
		}
	}
	return out
}

func (p grafanaPanel) all() []grafanaPanel {
	out := []grafanaPanel{p}
	for _, child := range p.Panels {
		out = append(out, child.all()...)
	}
	return out
}

func alertExpressions(t testing.TB) []expression {
	t.Helper()
	var out []expression
	for _, rule := range alertRules(t).all() {
		out = append(out, expression{where: "alert " + rule.Alert, text: rule.Expr, alert: true})
	}
	return out
}

// TestDashboardsAreGenerated compares the files with what the generator makes.
func TestDashboardsAreGenerated(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./hack/dashboards", dir)
	cmd.Dir = repository(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 4 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(repository(t, "manifests/monitoring/dashboards", filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what `make dashboards` writes", filepath.Base(file))
		}
	}
}

// selectors are the parts of an expression that read from storage.
func (e expression) selectors() []string { return selector.FindAllString(e.text, -1) }
