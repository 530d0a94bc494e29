package render

import (
	"bytes"
	"encoding/json"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// fuzzLimits are small, so that the fuzzer meets them.
var fuzzLimits = Limits{Files: 50, FileBytes: 64 << 10, UnpackedBytes: 256 << 10, OutputBytes: 64 << 10, Depth: 3}.withDefaults()

// FuzzArchive reads archives: whatever they hold, what comes out stays within
// the limits and within the chart.
func FuzzArchive(f *testing.F) {
	f.Add(files{"templates/cm.yaml": configMap, "values.yaml": "a: 1\n"}.tgz(f))
	nested := files{}.tgz(f)
	f.Add(files{"charts/sub.tgz": string(nested), "charts/dir/Chart.yaml": chartYAML}.tgz(f))
	f.Add(nested[:len(nested)-9])
	f.Add([]byte("\x1f\x8b\x08 not gzip"))
	f.Fuzz(func(t *testing.T, data []byte) {
		unpacked, err := (&unpacker{limits: fuzzLimits}).archive(data, 0)
		if err != nil {
			if KindOf(err) == KindInternal {
				t.Errorf("error without a kind: %v", err)
			}
			return
		}
		var total int64
		for _, file := range unpacked {
			total += int64(len(file.data))
			if !filepath.IsLocal(file.name) || path.Clean(file.name) != file.name {
				t.Errorf("file %q", file.name)
			}
		}
		if total > fuzzLimits.UnpackedBytes || len(unpacked) > fuzzLimits.Files {
			t.Errorf("%d bytes in %d files", total, len(unpacked))
		}
		if c, err := loadChart(unpacked, fuzzLimits); err == nil && c.Name() == "" {
			t.Error("a chart without a name")
		}
	})
}

// FuzzValues merges values into a chart: the outcome is an error of the chart or
// canonical YAML, and it is the same the second time.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{"greeting: hi\n", "greeting: 'a: b'\n", "greeting: |\n  ---\n  x\n", "sub: {list: [1, 2.5, null]}\n", "greeting: \"\\u2028---\\n\"\n", "sub: 1\n"} {
		f.Add(seed)
	}
	chart := []chartFile{
		{name: "Chart.yaml", data: []byte(chartYAML)},
		{name: "values.yaml", data: []byte("sub: {list: []}\n")},
		{name: "templates/a.yaml", data: []byte(configMap)},
		{name: "templates/b.yaml", data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {{ toYaml .Values | nindent 2 }}\n")},
		{name: "charts/sub/Chart.yaml", data: []byte("apiVersion: v2\nname: sub\nversion: 1.0.0\n")},
		{name: "charts/sub/values.schema.json", data: []byte(`{"properties": {"list": {"type": "array"}}}`)},
		{name: "charts/sub/templates/c.yaml", data: []byte("{{ range .Values.list }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {x: {{ . | quote }}}\n{{ end }}")},
	}
	f.Fuzz(func(t *testing.T, text string) {
		var values map[string]any
		if yaml.Unmarshal([]byte(text), &values) != nil {
			return
		}
		raw, err := json.Marshal(values)
		if err != nil {
			return
		}
		req := &wireRequest{Limits: fuzzLimits, Release: "r", Namespace: "n", Values: raw}
		count, first, err := renderFiles(chart, req)
		if err != nil {
			if KindOf(err) == KindInternal || len([]rune(Reason(err))) > maxMessage || strings.Contains(Reason(err), "\n") {
				t.Errorf("error %v", err)
			}
			return
		}
		_, second, err := renderFiles(chart, req)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("another outcome the second time, error %v\n%s\n%s", err, first, second)
		}
		docs, err := Manifest{YAML: first}.JSON()
		if err != nil || len(docs) != count {
			t.Errorf("%d documents of %d, error %v\n%s", len(docs), count, err, first)
		}
	})
}

// FuzzLocation gives the source any request: what it opens is in the directory.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{"", "a/b", "../a", "/etc", "a/../../b", "oci://h/c", "file:///etc", "./a", "a\x00b", `..\a`} {
		f.Add("demo", seed)
	}
	f.Fuzz(func(t *testing.T, component, location string) {
		req := &Request{Component: component, ChartLocation: location}
		s := newSources(Options{ChartsDir: "/charts"}.withDefaults(), nil)
		src, err := s.pick(req)
		local, ok := src.(*localSource)
		if err != nil || !ok {
			return
		}
		at, err := local.at(req)
		if err == nil && !filepath.IsLocal(at) {
			t.Errorf("%q is opened at %q", location, at)
		}
	})
}
