package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kyma-incubator/kymactl/pkg/render"
)

// TestMain makes the test binary its own render child, as the operator is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == render.ChildCommand {
		os.Exit(render.Child(context.Background(), os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// charts makes a directory with one chart named demo.
func charts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
		"values.yaml": "a: {u: chart, v: chart, w: chart}\n",
		"templates/cm.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data: {{ toYaml .Values.a | nindent 2 }}
`,
	} {
		path := filepath.Join(dir, "demo", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRenderCommand(t *testing.T) {
	dir := charts(t)
	first, second := filepath.Join(dir, "first.yaml"), filepath.Join(dir, "second.yaml")
	for path, text := range map[string]string{first: "a: {u: first, v: first}\n", second: "a: {v: second}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const metadata = "kind: ConfigMap\nmetadata:\n  name: demo\n  namespace: "
	tests := map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"defaults": {
			args:   []string{"demo", "--charts", dir},
			stdout: "---\napiVersion: v1\ndata:\n  u: chart\n  v: chart\n  w: chart\n" + metadata + "kyma-system\n",
		},
		"namespace and values, the last wins": {
			args:   []string{"demo", "--charts", dir, "--namespace", "ns", "--values", first, "--values", second},
			stdout: "---\napiVersion: v1\ndata:\n  u: first\n  v: second\n  w: chart\n" + metadata + "ns\n",
		},
		"path under the directory": {
			args:   []string{"demo", "--charts", dir, "--chart-location", "./demo", "-o", "yaml"},
			stdout: "---\napiVersion: v1\ndata:\n  u: chart\n  v: chart\n  w: chart\n" + metadata + "kyma-system\n",
		},
		"no component":           {code: 2, stderr: "render wants one component, not 0"},
		"two components":         {args: []string{"a", "b"}, code: 2, stderr: "render wants one component, not 2"},
		"unknown flag":           {args: []string{"a", "--bad"}, code: 2, stderr: "unknown flag: --bad"},
		"unknown format":         {args: []string{"a", "-o", "xml"}, code: 2, stderr: `--output must be yaml or json, not "xml"`},
		"values are not there":   {args: []string{"a", "--values", filepath.Join(dir, "no")}, code: 2, stderr: "--values: open"},
		"values are not YAML":    {args: []string{"a", "--values", filepath.Join(dir, "demo/templates/cm.yaml")}, code: 2, stderr: "is not a YAML object"},
		"charts are not there":   {args: []string{"a", "--charts", filepath.Join(dir, "no")}, code: 2, stderr: "--charts: open charts directory"},
		"chart is not there":     {args: []string{"absent", "--charts", dir}, code: 1, stderr: "render absent: there is no chart absent in the charts directory"},
		"location leads outside": {args: []string{"demo", "--charts", dir, "--chart-location", "../x"}, code: 1, stderr: "outside the charts directory"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := Main(append([]string{"render"}, tc.args...), &stdout, &stderr)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if stdout.String() != tc.stdout {
				t.Errorf("got\n%s\nwant\n%s", &stdout, tc.stdout)
			}
			if !strings.Contains(stderr.String(), tc.stderr) || (tc.stderr == "") != (stderr.Len() == 0) {
				t.Errorf("stderr %q, want %q", &stderr, tc.stderr)
			}
		})
	}
}

func TestRenderCommandJSON(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"render", "demo", "--charts", charts(t), "-o", "json"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var list struct {
		Kind  string
		Items []struct{ Kind string }
	}
	if err := json.Unmarshal(stdout.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if list.Kind != "List" || len(list.Items) != 1 || list.Items[0].Kind != "ConfigMap" {
		t.Errorf("got %+v", list)
	}
}
