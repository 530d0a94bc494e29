package render

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
)

func TestChartsDirectory(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	dir := filepath.Join(outer, "charts")
	demo := files{"templates/cm.yaml": configMap}
	demo.write(t, filepath.Join(dir, "one"))
	demo.write(t, filepath.Join(dir, "team", "two"))
	demo.write(t, filepath.Join(outer, "outside"))
	write(t, filepath.Join(dir, "three.tgz"), demo.tgz(t))
	write(t, filepath.Join(dir, "plain.txt"), []byte("text"))
	symlink(t, filepath.Join(outer, "outside"), filepath.Join(dir, "escape"))
	symlink(t, "one", filepath.Join(dir, "alias"))
	demo.write(t, filepath.Join(dir, "linked"))
	symlink(t, "/etc/passwd", filepath.Join(dir, "linked", "templates", "passwd.yaml"))
	r := mustNew(t, Options{ChartsDir: dir})

	tests := map[string]struct {
		component, location, version string
		kind                         Kind
	}{
		"directory named like the component": {component: "one"},
		"archive named like the component":   {component: "three"},
		"relative path":                      {location: "team/two"},
		"absolute path within":               {location: filepath.Join(dir, "team", "two")},
		"archive by path":                    {location: "./three.tgz"},
		"link that stays within":             {location: "alias"},
		"no such chart":                      {component: "four", kind: KindNotFound},
		"built-in charts are not mixed in":   {component: "istio", kind: KindNotFound},
		"not a chart":                        {location: "plain.txt", kind: KindInvalid},
		"directory without a chart":          {location: "team", kind: KindInvalid},
		"path out":                           {location: "../outside", kind: KindRefused},
		"path out and in again":              {location: "../charts/one", kind: KindRefused},
		"absolute path outside":              {location: filepath.Join(outer, "outside"), kind: KindRefused},
		"link that leads out":                {location: "escape", kind: KindRefused},
		"path through a link that leads out": {location: "escape/templates", kind: KindRefused},
		"link in the chart":                  {location: "linked", kind: KindRefused},
		"component that is a path":           {component: "../outside", kind: KindRefused},
		"file address":                       {location: "file:///etc/passwd", kind: KindRefused},
		"plain http":                         {location: "http://localhost/charts", version: "1.0.0", kind: KindRefused},
		"git address":                        {location: "git://localhost/charts", kind: KindRefused},
		"repository without a version":       {location: "https://localhost/charts", kind: KindInvalid},
		"registry without a version":         {location: "oci://localhost/charts/one", kind: KindInvalid},
		"version that is a range":            {location: "oci://localhost/charts/one", version: ">1.0.0", kind: KindInvalid},
		"password in the address":            {location: "https://user:secret@localhost/charts", version: "1.0.0", kind: KindRefused},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Render(t.Context(), Request{
				Component: orDefault(tc.component, "some"), ChartLocation: tc.location, Version: tc.version,
			})
			if KindOf(err) != tc.kind {
				t.Errorf("error %v is %q, want %q", err, KindOf(err), tc.kind)
			}
		})
	}
}

func TestPathsNeedAChartsDirectory(t *testing.T) {
	t.Parallel()
	r := mustNew(t, Options{})
	for _, location := range []string{"one", "/", "../..", t.TempDir()} {
		_, err := r.Render(t.Context(), Request{Component: "istio", ChartLocation: location})
		if KindOf(err) != KindRefused {
			t.Errorf("%s: error %v, want a refusal", location, err)
		}
	}
}

func TestNewValidates(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	for name, opts := range map[string]Options{
		"charts directory is not there": {ChartsDir: filepath.Join(t.TempDir(), "absent")},
		"charts directory is a file":    {ChartsDir: file},
		"negative limit":                {Limits: Limits{Timeout: -1}},
		"negative cache":                {Cache: true, CacheBytes: -1},
	} {
		if _, err := New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHelmIgnore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files{
		".helmignore":       "*.bak\nsecret/\n",
		"templates/cm.yaml": configMap, "templates/cm.yaml.bak": "{{ fail \"read\" }}",
		"secret/x": "x",
	}.write(t, filepath.Join(dir, "one"))
	symlink(t, "/", filepath.Join(dir, "one", "root.bak"))
	if _, err := mustNew(t, Options{ChartsDir: dir}).Render(t.Context(), Request{Component: "one"}); err != nil {
		t.Error(err)
	}
}

// TestLocalChartChanges goes through the cache and the real disk.
func TestLocalChartChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clock := testingclock.NewFakeClock(time.Unix(1_000_000, 0))
	counts := newCounter()
	files{"templates/cm.yaml": configMap}.write(t, filepath.Join(dir, "one"))
	r := mustNew(t, Options{ChartsDir: dir, Cache: true, Clock: clock, Metrics: counts})
	digest := func() string {
		m, err := r.Render(context.Background(), Request{Component: "one"})
		if err != nil {
			t.Fatal(err)
		}
		return m.Digest
	}
	first := digest()
	clock.Step(2 * time.Second)
	if digest() != first || counts.total() != 1 {
		t.Fatalf("an unchanged chart was rendered %d times", counts.total())
	}
	files{"values.yaml": "greeting: changed\n"}.write(t, filepath.Join(dir, "one"))
	clock.Step(2 * time.Second)
	if digest() == first {
		t.Error("a changed file goes unnoticed")
	}
	second := digest()
	// Whoever updates all charts at once puts a new directory in place.
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir + ".old") })
	files{"values.yaml": "greeting: replaced\n", "templates/cm.yaml": configMap}.write(t, filepath.Join(dir, "one"))
	clock.Step(2 * time.Second)
	if digest() == second {
		t.Error("a replaced directory goes unnoticed")
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func symlink(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}
