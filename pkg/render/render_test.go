package render

import (
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	t.Parallel()
	hook := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: check\n  annotations:\n    helm.sh/hook: "
	tests := map[string]struct {
		chart  files
		values map[string]any
		want   string
	}{
		"values over defaults": {
			chart:  files{"templates/cm.yaml": configMap, "values.yaml": "greeting: default\n"},
			values: map[string]any{"greeting": "hi"},
			want:   "---\napiVersion: v1\ndata:\n  greeting: hi\nkind: ConfigMap\nmetadata:\n  name: one\n  namespace: ns\n",
		},
		"install order, keys sorted, comments gone": {
			chart: files{"templates/a.yaml": "# a comment\nkind: Service\nmetadata: {name: svc}\napiVersion: v1\n---\n# nothing\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: n1}\n"},
			want:  "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: n1\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: svc\n",
		},
		"CRDs first, hooks, tests and notes out": {
			chart: files{
				"crds/crd.yaml":              "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: demos.example.com\n  annotations: {text: \"{{ untouched }}\"}\n",
				"templates/ns.yaml":          "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: n1\n",
				"templates/hook.yaml":        hook + "pre-install\n",
				"templates/tests/check.yaml": hook + "test\n",
				"templates/NOTES.txt":        "thank you for installing",
			},
			want: "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    text: '{{ untouched }}'\n  name: demos.example.com\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: n1\n",
		},
		"large numbers stay whole": {
			chart: files{"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nport: 12345678901234567\n"},
			want:  "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\nport: 12345678901234567\n",
		},
		"no cluster, no DNS": {
			chart: files{"templates/a.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  lookup: "{{ lookup "v1" "Secret" "kube-system" "token" }}"
  dns: "{{ getHostByName "localhost" }}"
`},
			want: "---\napiVersion: v1\ndata:\n  dns: \"\"\n  lookup: map[]\nkind: ConfigMap\nmetadata:\n  name: a\n",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := mustNew(t, Options{Builtin: builtin(map[string]files{"one": tc.chart})})
			m, err := r.Render(t.Context(), Request{Component: "one", Namespace: "ns", Values: tc.values})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(m.YAML); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			if !strings.HasPrefix(m.Digest, "sha256:") || len(m.Digest) != len("sha256:")+64 {
				t.Errorf("digest %q", m.Digest)
			}
		})
	}
}
