package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// TestMain makes the test binary its own child: process starts "<this binary>
// render-child" just as the operator does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		os.Exit(Child(context.Background(), os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// counter is a Metrics that tests can read.
type counter struct {
	mu      sync.Mutex
	looked  map[Lookup]int
	renders map[Kind]int
}

func newCounter() *counter { return &counter{looked: map[Lookup]int{}, renders: map[Kind]int{}} }

func (c *counter) Looked(l Lookup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked[l]++
}

func (c *counter) Rendered(kind Kind, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renders[kind]++
}

func (c *counter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.renders {
		n += r
	}
	return n
}

// files is a chart by file name.
type files map[string]string

const chartYAML = "apiVersion: v2\nname: demo\nversion: 1.0.0\n"

// chart adds a Chart.yaml where there is none.
func (f files) chart() files {
	if _, ok := f["Chart.yaml"]; !ok {
		f["Chart.yaml"] = chartYAML
	}
	return f
}

// write puts a chart into a directory.
func (f files) write(t testing.TB, dir string) {
	t.Helper()
	for name, data := range f.chart() {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tgz packs a chart as helm package does.
func (f files) tgz(t testing.TB) []byte {
	t.Helper()
	var entries []*tar.Header
	var data []string
	for name, text := range f.chart() {
		entries = append(entries, &tar.Header{Name: "demo/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
		data = append(data, text)
	}
	return pack(t, entries, data)
}

// pack writes any archive, an invalid one as well.
func pack(t testing.TB, entries []*tar.Header, data []string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for i, header := range entries {
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if i < len(data) {
			if _, err := archive.Write([]byte(data[i])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// builtin makes charts that stand in for the embedded ones.
func builtin(charts map[string]files) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range charts {
		for file, data := range f.chart() {
			out[name+"/"+file] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
		}
	}
	return out
}

// mustNew makes a Renderer with patience for a busy machine and a race detector,
// unless the test sets limits of its own.
func mustNew(t testing.TB, opts Options) Renderer {
	t.Helper()
	opts.Limits.Timeout = orDefault(opts.Limits.Timeout, time.Minute)
	opts.Limits.FetchTimeout = orDefault(opts.Limits.FetchTimeout, time.Minute)
	r, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
  greeting: {{ .Values.greeting | default "hello" | quote }}
`
