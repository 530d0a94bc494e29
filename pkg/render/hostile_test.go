package render

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hostileTimeout is for the charts that may never end. It is shorter than in
// production, where it is 9 s, for the sake of those who wait for the tests.
const hostileTimeout = 2500 * time.Millisecond

type hostile struct {
	chart   files  // a directory, or
	archive []byte // a .tgz, or
	dir     func(t *testing.T, dir string)
	values  map[string]any
	kinds   []Kind // any of these
	endless bool   // only the deadline or a bound ends it
}

// TestHostileCharts feeds the renderer what the issue names and more. Every
// chart ends with an error of its own kind, in time, and leaves nothing behind;
// and the chart next to it renders as before.
func TestHostileCharts(t *testing.T) {
	dir := t.TempDir()
	files{"templates/cm.yaml": configMap}.write(t, filepath.Join(dir, "good"))
	r := mustNew(t, Options{ChartsDir: dir, Limits: Limits{Timeout: 13 * time.Second}})
	short := mustNew(t, Options{ChartsDir: dir, Limits: Limits{Timeout: hostileTimeout}})
	good := func() {
		t.Helper()
		if _, err := r.Render(t.Context(), Request{Component: "good"}); err != nil {
			t.Errorf("the chart next door: %v", err)
		}
	}
	good()
	goroutines, heap := settled()
	for name, h := range hostileCharts(t) {
		t.Run(name, func(t *testing.T) {
			h.place(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			start := time.Now()
			renderer := r
			if h.endless {
				renderer = short
			}
			_, err := renderer.Render(ctx, Request{Component: "bad", Values: h.values})
			took := time.Since(start)
			t.Logf("%-10s %6.2fs  %s", KindOf(err), took.Seconds(), Reason(err))
			if !slices.Contains(h.kinds, KindOf(err)) {
				t.Errorf("kind %q of %v, want one of %q", KindOf(err), err, h.kinds)
			}
			if reason := Reason(err); strings.Contains(reason, dir) || strings.Contains(reason, "/tmp") || len([]rune(reason)) > maxMessage {
				t.Errorf("reason %q is not fit for a status", reason)
			}
			if took > 15*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
	good()
	// All calls have returned, so all that they started must have ended.
	afterGoroutines, afterHeap := settled()
	if afterGoroutines > goroutines {
		t.Errorf("%d goroutines, %d before", afterGoroutines, goroutines)
	}
	if afterHeap > heap+8*mib {
		t.Errorf("%d bytes of heap, %d before", afterHeap, heap)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child process is left: %v", err)
	}
}

func (h hostile) place(t *testing.T, dir string) {
	t.Helper()
	bad := filepath.Join(dir, "bad")
	for _, old := range []string{bad, bad + ".tgz"} {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case h.archive != nil:
		write(t, bad+".tgz", h.archive)
	case h.dir != nil:
		files{}.write(t, bad)
		h.dir(t, bad)
	default:
		h.chart.write(t, bad)
	}
}

func settled() (goroutines int, heap uint64) {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return runtime.NumGoroutine(), stats.HeapAlloc
}

func one(text string) files { return files{"templates/a.yaml": text} }

func hostileCharts(t *testing.T) map[string]hostile {
	t.Helper()
	charts := map[string]hostile{}
	for name, h := range hostileTemplates() {
		charts["template: "+name] = h
	}
	for name, h := range hostileArchives(t) {
		charts["archive: "+name] = h
	}
	for name, h := range hostileShapes(t) {
		charts["chart: "+name] = h
	}
	return charts
}

func hostileTemplates() map[string]hostile {
	var exponential strings.Builder
	exponential.WriteString(`{{ define "t0" }}{{ end }}`)
	for i := 1; i <= 64; i++ {
		fmt.Fprintf(&exponential, `{{ define "t%d" }}{{ include "t%d" . }}{{ include "t%d" . }}{{ end }}`, i, i-1, i-1)
	}
	growing := strings.ReplaceAll(exponential.String(), `"t0" }}{{`, `"t0" }}xxxxxxxx{{`)
	line := strings.Repeat("x", 1000)
	return map[string]hostile{
		"never ends": {endless: true, chart: one("{{ range 9223372036854775807 }}{{ end }}"), kinds: []Kind{KindTimeout}},
		"never ends, with output": {endless: true,
			chart: one("{{ range 9223372036854775807 }}x{{ end }}"), kinds: []Kind{KindMemory, KindTimeout},
		},
		"exponential": {endless: true, chart: one(exponential.String() + `{{ include "t64" . }}`), kinds: []Kind{KindTimeout}},
		"exponential, with output": {endless: true,
			chart: one(growing + `{{ include "t64" . }}`), kinds: []Kind{KindMemory, KindTimeout},
		},
		"100 MB of output": {
			chart: one("{{ range 100000 }}" + line + "{{ end }}"), kinds: []Kind{KindTooLarge, KindMemory, KindTimeout},
		},
		"20 MB of output": {
			chart: one("{{ range 20000 }}" + line + "{{ end }}"), kinds: []Kind{KindTooLarge, KindTimeout},
		},
		"1 GB at once":         {chart: one(`{{ repeat 1000000000 "x" }}`), kinds: []Kind{KindMemory, KindTimeout}},
		"a list of a billion":  {chart: one(`{{ range until 1000000000 }}{{ end }}`), kinds: []Kind{KindMemory, KindTimeout}},
		"includes itself":      {chart: one(`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`), kinds: []Kind{KindTemplate}},
		"calls itself":         {chart: one(`{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`), kinds: []Kind{KindTemplate, KindMemory}},
		"tpl of itself":        {endless: true, chart: files{"values.yaml": "t: '{{ tpl .Values.t . }}'\n", "templates/a.yaml": "{{ tpl .Values.t . }}"}, kinds: []Kind{KindMemory, KindTimeout, KindTemplate}},
		"regular expression":   {chart: one(`{{ regexMatch (repeat 1000 "(a?){1000}") (repeat 100000 "a") }}`), kinds: []Kind{KindTemplate, KindMemory, KindTimeout, KindOutput}},
		"nested parentheses":   {chart: one("{{ " + strings.Repeat("(", 500_000) + " }}"), kinds: []Kind{KindTemplate, KindMemory}},
		"fails on purpose":     {chart: one(`{{ fail "because" }}`), kinds: []Kind{KindTemplate}},
		"fails with a pointer": {chart: one(`{{ fail (printf "%p" .Files) }}`), kinds: []Kind{KindTemplate}},
		"invalid YAML":         {chart: one("a: b: c\n"), kinds: []Kind{KindOutput}},
		"not an object":        {chart: one("- a\n- b\n"), kinds: []Kind{KindOutput}},
		"no kind":              {chart: one("apiVersion: v1\nmetadata: {name: a}\n"), kinds: []Kind{KindOutput}},
		"alias bomb in output": {chart: one(aliasBomb()), kinds: []Kind{KindOutput}},
		"deep YAML":            {chart: one(strings.Repeat("[", 200_000)), kinds: []Kind{KindOutput, KindMemory, KindTimeout}},
		"a million documents":  {chart: one(`{{ range 1000000 }}` + "\n---\na: 1\n{{ end }}"), kinds: []Kind{KindTooLarge, KindOutput, KindMemory, KindTimeout}},
		"reads a file":         {chart: one(`{{ .Files.Get "/etc/passwd" | required "nothing to read" }}`), kinds: []Kind{KindTemplate}},
		"reads the environment": {
			chart: one(`{{ env "HOME" }}`), kinds: []Kind{KindTemplate},
		},
	}
}

// aliasBomb is YAML whose aliases expand to a billion strings.
func aliasBomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&text, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 8), i-1)
	}
	return text.String()
}

func entry(name string, kind byte, link string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Linkname: link, Mode: 0o644}
}

func sized(name string, size int) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(size)}
}

// with packs a good Chart.yaml and then the entries.
func with(t *testing.T, data []string, entries ...*tar.Header) []byte {
	t.Helper()
	all := append([]*tar.Header{sized("demo/Chart.yaml", len(chartYAML))}, entries...)
	return pack(t, all, append([]string{chartYAML}, data...))
}

func hostileArchives(t *testing.T) map[string]hostile {
	t.Helper()
	zeros := strings.Repeat("\x00", 50*mib)
	megabyte := zeros[:mib]
	var many []*tar.Header
	for i := range 10_000 {
		many = append(many, sized(fmt.Sprintf("demo/templates/%d.yaml", i), 0))
	}
	var large []*tar.Header
	var largeData []string
	for i := range 60 {
		large, largeData = append(large, sized(fmt.Sprintf("demo/files/%d", i), mib)), append(largeData, megabyte)
	}
	// A bomb in a bomb: 30 sub-charts of 4 MiB each pack to nothing.
	sub := pack(t, []*tar.Header{sized("sub/Chart.yaml", len(chartYAML)), sized("sub/x", 4*mib)}, []string{chartYAML, zeros[:4*mib]})
	var subs []*tar.Header
	var subData []string
	for i := range 30 {
		subs, subData = append(subs, sized(fmt.Sprintf("demo/charts/s%d.tgz", i), len(sub))), append(subData, string(sub))
	}
	nested := files{}.tgz(t)
	for range 20 {
		nested = with(t, []string{string(nested)}, sized("demo/charts/demo.tgz", len(nested)))
	}
	return map[string]hostile{
		"path traversal":            {archive: with(t, []string{"x"}, sized("demo/../../x", 1)), kinds: []Kind{KindRefused}},
		"traversal of the top":      {archive: with(t, []string{"x"}, sized("../x", 1)), kinds: []Kind{KindRefused}},
		"absolute path":             {archive: with(t, []string{"x"}, sized("/etc/cron.d/x", 1)), kinds: []Kind{KindRefused}},
		"absolute within":           {archive: with(t, []string{"x"}, sized("demo//etc/x", 1)), kinds: []Kind{KindRefused}},
		"windows path":              {archive: with(t, []string{"x"}, sized(`demo\..\..\x`, 1)), kinds: []Kind{KindRefused}},
		"symbolic link":             {archive: with(t, nil, entry("demo/templates/x.yaml", tar.TypeSymlink, "/etc/passwd")), kinds: []Kind{KindRefused}},
		"hard link":                 {archive: with(t, nil, entry("demo/templates/x.yaml", tar.TypeLink, "/etc/passwd")), kinds: []Kind{KindRefused}},
		"device":                    {archive: with(t, nil, entry("demo/templates/x.yaml", tar.TypeChar, "")), kinds: []Kind{KindRefused}},
		"named pipe":                {archive: with(t, nil, entry("demo/templates/x.yaml", tar.TypeFifo, "")), kinds: []Kind{KindRefused}},
		"file twice":                {archive: with(t, []string{"x", "y"}, sized("demo/a", 1), sized("demo/a", 1)), kinds: []Kind{KindInvalid}},
		"bomb, one file":            {archive: with(t, []string{zeros}, sized("demo/x", len(zeros))), kinds: []Kind{KindTooLarge}},
		"bomb, many files":          {archive: with(t, largeData, large...), kinds: []Kind{KindTooLarge}},
		"bomb, archives in archive": {archive: with(t, subData, subs...), kinds: []Kind{KindTooLarge}},
		"10,000 files":              {archive: with(t, nil, many...), kinds: []Kind{KindTooLarge}},
		"archives nest 20 deep":     {archive: nested, kinds: []Kind{KindTooLarge}},
		"not an archive":            {archive: []byte("text"), kinds: []Kind{KindInvalid}},
		"cut off":                   {archive: nested[:len(nested)/2], kinds: []Kind{KindInvalid}},
		"11 MiB packed":             {archive: make([]byte, 11*mib), kinds: []Kind{KindTooLarge}},
		"empty":                     {archive: pack(t, nil, nil), kinds: []Kind{KindInvalid}},
	}
}

func hostileShapes(t *testing.T) map[string]hostile {
	t.Helper()
	cycle := "apiVersion: v2\nversion: 1.0.0\nname: %s\ndependencies: [{name: %s, version: 1.0.0}]\n"
	// Each level takes the next one ten times, under other names: 10^7 charts, if
	// helm did not give the names to one copy. Then the chart is harmless.
	aliases := files{"charts/l1/charts/l2/charts/l3/charts/l4/charts/l5/charts/l6/charts/l7/Chart.yaml": "apiVersion: v2\nname: l7\nversion: 1.0.0\n"}
	aliases["charts/l1/charts/l2/charts/l3/charts/l4/charts/l5/charts/l6/charts/l7/templates/cm.yaml"] = configMap
	for level := range 7 {
		var dependencies strings.Builder
		for i := range 10 {
			fmt.Fprintf(&dependencies, "- {name: l%d, version: 1.0.0, alias: a%d}\n", level+1, i)
		}
		path := ""
		for i := 1; i <= level; i++ {
			path += fmt.Sprintf("charts/l%d/", i)
		}
		aliases[path+"Chart.yaml"] = fmt.Sprintf("apiVersion: v2\nname: l%d\nversion: 1.0.0\ndependencies:\n%s", level, &dependencies)
	}
	schema := func(ref string) files {
		return files{"templates/cm.yaml": configMap, "values.schema.json": `{"$ref": "` + ref + `"}`}
	}
	deep := map[string]any{}
	for range 5000 {
		deep = map[string]any{"a": deep}
	}
	return map[string]hostile{
		"cyclic sub-charts": {chart: files{
			"Chart.yaml":          fmt.Sprintf(cycle, "a", "b"),
			"charts/b/Chart.yaml": fmt.Sprintf(cycle, "b", "a"),
		}, kinds: []Kind{KindInvalid}},
		"cycle of links": {dir: func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "charts"), 0o755); err != nil {
				t.Fatal(err)
			}
			symlink(t, "..", filepath.Join(dir, "charts", "self"))
		}, kinds: []Kind{KindRefused}},
		"link to a secret": {dir: func(t *testing.T, dir string) {
			symlink(t, "/etc/passwd", filepath.Join(dir, "values.yaml"))
		}, kinds: []Kind{KindRefused}},
		"named pipe": {dir: func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(filepath.Join(dir, "values.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, kinds: []Kind{KindRefused}},
		"10,000,000 aliases of sub-charts": {chart: aliases, kinds: []Kind{"", KindMemory, KindTimeout}},
		"sub-chart is missing":             {chart: files{"Chart.yaml": fmt.Sprintf(cycle, "a", "b")}, kinds: []Kind{KindInvalid}},
		"sub-chart twice": {chart: files{
			"charts/x/Chart.yaml": chartYAML, "charts/y/Chart.yaml": chartYAML,
		}, kinds: []Kind{KindInvalid}},
		"no Chart.yaml":            {archive: pack(t, []*tar.Header{sized("demo/values.yaml", 0)}, nil), kinds: []Kind{KindInvalid}},
		"broken Chart.yaml":        {chart: files{"Chart.yaml": "a: b: c"}, kinds: []Kind{KindInvalid}},
		"library":                  {chart: files{"Chart.yaml": chartYAML + "type: library\n"}, kinds: []Kind{KindInvalid}},
		"wants another Kubernetes": {chart: files{"Chart.yaml": chartYAML + "kubeVersion: <1.0.0\n"}, kinds: []Kind{KindInvalid}},
		"alias bomb in values":     {chart: files{"values.yaml": aliasBomb(), "templates/cm.yaml": configMap}, kinds: []Kind{KindInvalid}},
		"schema reads a file":      {chart: schema("file:///etc/passwd"), kinds: []Kind{KindInvalid}},
		"schema reads the web":     {chart: schema("http://127.0.0.1:1/schema.json"), kinds: []Kind{KindInvalid}},
		"schema reads a sibling":   {chart: schema("other.json"), kinds: []Kind{KindInvalid}},
		"schema forbids":           {chart: files{"values.schema.json": `{"required": ["a"]}`}, kinds: []Kind{KindInvalid}},
		"endless .helmignore":      {chart: files{".helmignore": strings.Repeat("*a*b*c*d*\n", 100_000)}, kinds: []Kind{KindTooLarge}},
		"values nest 5,000 deep": {endless: true,
			chart:  one(`{{ toYaml .Values | fromYaml | toYaml | fail }}`),
			values: deep, kinds: []Kind{KindTemplate, KindMemory, KindTimeout, KindInvalid},
		},
	}
}
