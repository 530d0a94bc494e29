package render

import (
	"archive/tar"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"

	"github.com/kyma-incubator/kymactl/manifests/charts"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

var update = flag.Bool("update", false, "pack the charts' common library anew and write the golden digests")

const (
	chartsDir = "../../manifests/charts"
	common    = "common-0.1.0.tgz"
	golden    = "testdata/charts.golden"
)

// namespaceOf is where a module's component goes.
func namespaceOf(c v1alpha1.KymaComponent) string { return orDefault(c.Namespace, "kyma-system") }

// TestCommonIsPacked sees that every chart carries the library as it stands in
// the tree. Run with -update after a change.
func TestCommonIsPacked(t *testing.T) {
	source, err := (&dirReader{fs: os.DirFS(chartsDir), limits: Limits{}.withDefaults()}).read("common")
	if err != nil {
		t.Fatal(err)
	}
	digest := digestFiles(source) // sorts them
	var headers []*tar.Header
	var data []string
	for _, f := range source {
		headers = append(headers, sized("common/"+f.name, len(f.data)))
		data = append(data, string(f.data))
	}
	packed := pack(t, headers, data)
	for _, c := range v1alpha1.StandardComponents() {
		path := filepath.Join(chartsDir, c.Name, "charts", common)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, packed, 0o644); err != nil { //nolint:gosec // part of the tree
				t.Fatal(err)
			}
		}
		archive, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		// Contents, not bytes: another Go release may pack otherwise.
		have, err := (&unpacker{limits: Limits{}.withDefaults()}).archive(archive, 0)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else if digestFiles(have) != digest {
			t.Errorf("%s carries another common library than the tree; run go test with -update", c.Name)
		}
	}
}

func TestBuiltinChartsLint(t *testing.T) {
	t.Parallel()
	for _, c := range v1alpha1.StandardComponents() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			linter := lint.All(filepath.Join(chartsDir, c.Name), nil, namespaceOf(c), true)
			for _, m := range linter.Messages {
				if m.Severity > support.InfoSev {
					t.Error(m)
				}
			}
		})
	}
}

// TestBuiltinChartsGolden proves that the charts in the binary give the same
// bytes in every run and on every machine.
func TestBuiltinChartsGolden(t *testing.T) {
	t.Parallel()
	embedded, fromDisk := mustNew(t, Options{}), mustNew(t, Options{ChartsDir: chartsDir})
	got := map[string]string{}
	for _, c := range v1alpha1.StandardComponents() {
		req := Request{Component: c.Name, Namespace: namespaceOf(c)}
		m, err := embedded.Render(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		again, err := fromDisk.Render(t.Context(), req)
		if err != nil || again.Digest != m.Digest {
			t.Errorf("%s: digest %s from disk, %s from the binary, error %v", c.Name, again.Digest, m.Digest, err)
		}
		if docs, err := m.JSON(); err != nil || len(docs) != m.Objects {
			t.Errorf("%s: %d documents, %d were counted, error %v", c.Name, len(docs), m.Objects, err)
		}
		if m.Objects < 5 || m.Objects > 150 {
			t.Errorf("%s has %d objects, out of the range of 5 to 150", c.Name, m.Objects)
		}
		if text := string(m.YAML); strings.Contains(text, "<no value>") || strings.Contains(text, "helm.sh/hook") {
			t.Errorf("%s holds a hook or lacks a value", c.Name)
		}
		got[c.Name] = fmt.Sprintf("%-23s %3d objects %7d bytes %s\n", c.Name, m.Objects, len(m.YAML), m.Digest)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got)) {
		text.WriteString(got[name])
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil { //nolint:gosec // part of the tree
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the charts' manifests have changed. If that is meant, run go test with -update.\ngot\n%s\nwant\n%s", &text, want)
	}
}

// TestBuiltinChartsAreTheStandardModules keeps the embedded directories and the
// modules of the API together.
func TestBuiltinChartsAreTheStandardModules(t *testing.T) {
	t.Parallel()
	entries, err := charts.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, entry := range entries {
		have = append(have, entry.Name())
	}
	for _, c := range v1alpha1.StandardComponents() {
		want = append(want, c.Name)
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("charts %v, modules %v", have, want)
	}
}
