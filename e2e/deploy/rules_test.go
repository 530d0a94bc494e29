package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// alertRule is an alert of the PrometheusRule in the manifests.
type alertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type ruleGroup struct {
	Name  string      `json:"name"`
	Rules []alertRule `json:"rules"`
}

type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

func alertRules(t testing.TB) ruleFile {
	t.Helper()
	rules := only(kustomization(t, "monitoring"), "PrometheusRule")
	if len(rules) != 1 {
		t.Fatalf("%d PrometheusRules", len(rules))
	}
	spec, _, err := unstructured.NestedMap(rules[0].Object, "spec")
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var file ruleFile
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func (f ruleFile) all() []alertRule {
	var out []alertRule
	for _, group := range f.Groups {
		out = append(out, group.Rules...)
	}
	return out
}

// write puts the rules where Prometheus reads them.
func (f ruleFile) write(t testing.TB, dir string) string {
	t.Helper()
	text, err := yaml.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// needProgram returns a program's path, or skips where it is not installed.
func needProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; on Debian: hack/install-test-packages.sh prometheus", name)
	}
	return path
}

func TestAlertsAgainstPromtool(t *testing.T) {
	promtool := needProgram(t, "promtool")
	dir := t.TempDir()
	rules := alertRules(t)
	path := rules.write(t, dir)
	run := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("check", "rules", "--lint-fatal", path)

	// The unit tests compare annotations as a whole; the summary is the one with something to compute in it.
	for g := range rules.Groups {
		for r := range rules.Groups[g].Rules {
			rule := &rules.Groups[g].Rules[r]
			rule.Annotations = map[string]string{"summary": rule.Annotations["summary"]}
		}
	}
	rules.write(t, dir)
	cases, err := os.ReadFile(filepath.Join("testdata", "rules_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "rules_test.yaml")
	if err := os.WriteFile(file, cases, 0o644); err != nil {
		t.Fatal(err)
	}
	run("test", "rules", file)
}

// TestAlertsAreComplete: each alert is tested, and explained on a page.
func TestAlertsAreComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "rules_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		Tests []struct {
			Rules []struct {
				Alert    string `json:"alertname"`
				Expected []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, r := range c.Rules {
			if len(r.Expected) > 0 {
				fires[r.Alert] = true
			} else {
				quiet[r.Alert] = true
			}
		}
	}
	var pages []string
	for _, rule := range alertRules(t).all() {
		t.Run(rule.Alert, func(t *testing.T) {
			if !fires[rule.Alert] || !quiet[rule.Alert] {
				t.Errorf("unit tests: fires %t, quiet %t; want both", fires[rule.Alert], quiet[rule.Alert])
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
				t.Errorf("severity %q", rule.Labels["severity"])
			}
			runbookExplains(t, rule)
		})
		pages = append(pages, rule.Alert+".md")
	}
	files, err := filepath.Glob(repository(t, "docs", "runbooks", "Kyma*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.Contains(pages, filepath.Base(file)) {
			t.Errorf("%s explains an alert that does not exist", file)
		}
	}
}

var runbookHeadings = []string{"## What it means", "## What to look at", "## What to do"}

func runbookExplains(t *testing.T, rule alertRule) {
	t.Helper()
	const base = "https://github.com/kyma-incubator/kymactl/blob/main/"
	path := "docs/runbooks/" + rule.Alert + ".md"
	if got := rule.Annotations["runbook_url"]; got != base+path {
		t.Errorf("runbook_url is %s, want %s", got, base+path)
	}
	text, err := os.ReadFile(repository(t, path))
	if err != nil {
		t.Error(err)
		return
	}
	if !strings.HasPrefix(string(text), "# "+rule.Alert+"\n") {
		t.Errorf("%s does not begin with the alert's name", path)
	}
	for _, heading := range runbookHeadings {
		if !regexp.MustCompile(`(?m)^` + heading + `$`).Match(text) {
			t.Errorf("%s has no %q", path, heading)
		}
	}
}
