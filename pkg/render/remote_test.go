package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ociregistry "github.com/google/go-containerregistry/pkg/registry"
	"helm.sh/helm/v3/pkg/registry"
)

// serve starts a server with TLS on 127.0.0.1 and returns its address without
// the scheme, its certificate, and a count of its requests.
func serve(t *testing.T, handler http.Handler) (host string, ca []byte, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return strings.TrimPrefix(server.URL, "https://"), ca, requests
}

// push puts a chart into a registry with helm's own client.
func push(t *testing.T, host string, archive []byte, ref string) {
	t.Helper()
	// The client of the push trusts the test's server; the fetch under test has
	// to be told the certificate.
	client, err := registry.NewClient(
		registry.ClientOptHTTPClient(&http.Client{Transport: trusting(t)}),
		registry.ClientOptCredentialsFile(filepath.Join(t.TempDir(), "none.json")),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Push(archive, host+"/"+ref, registry.PushOptStrictMode(false)); err != nil {
		t.Fatal(err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	host, ca, requests := serve(t, ociregistry.New(ociregistry.Logger(log.New(io.Discard, "", 0))))
	archive := files{"templates/cm.yaml": configMap}.tgz(t)
	push(t, host, archive, "charts/demo:1.0.0")
	store := t.TempDir()
	newRenderer := func(ca []byte) Renderer { return mustNew(t, Options{CA: ca, FetchDir: store, Cache: true}) }
	r := newRenderer(ca)
	location := "oci://" + host + "/charts/demo"

	want, err := r.Render(t.Context(), Request{Component: "demo", ChartLocation: location, Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		renderer          Renderer
		location, version string
		kind              Kind
	}{
		"tag in the address": {location: location + ":1.0.0"},
		"no such version":    {location: location, version: "2.0.0", kind: KindNotFound},
		"no such chart":      {location: "oci://" + host + "/charts/none", version: "1.0.0", kind: KindNotFound},
		"nobody listens":     {location: "oci://127.0.0.1:1/charts/demo", version: "1.0.0", kind: KindFetch},
		"certificate of nobody": {
			renderer: mustNew(t, Options{FetchDir: t.TempDir()}), location: location, version: "1.0.0", kind: KindFetch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.renderer = orDefault(tc.renderer, r)
			got, err := tc.renderer.Render(t.Context(), Request{Component: "demo", ChartLocation: tc.location, Version: tc.version})
			if KindOf(err) != tc.kind {
				t.Errorf("error %v is %q, want %q", err, KindOf(err), tc.kind)
			}
			if err == nil && got.Digest != want.Digest {
				t.Errorf("digest %s, want %s", got.Digest, want.Digest)
			}
			if strings.Contains(Reason(err), "127.0.0.1") {
				t.Errorf("reason %q holds an address", Reason(err))
			}
		})
	}

	// A new process finds the chart on disk.
	before := requests.Load()
	if _, err := newRenderer(ca).Render(t.Context(), Request{Component: "demo", ChartLocation: location, Version: "1.0.0"}); err != nil {
		t.Fatal(err)
	}
	if got := requests.Load(); got != before {
		t.Errorf("%d requests for a chart that is on disk", got-before)
	}
}

// repository is a chart repository; its handler answers for each path.
func repository(t *testing.T, archive []byte) http.Handler {
	t.Helper()
	sum := sha256.Sum256(archive)
	index := func(digest, url string) string {
		raw, err := json.Marshal(map[string]any{"apiVersion": "v1", "entries": map[string]any{"demo": []any{
			map[string]any{"apiVersion": "v2", "name": "demo", "version": "1.0.0", "digest": digest, "urls": []string{url}},
			map[string]any{"apiVersion": "v2", "name": "demo", "version": "0.9.0", "urls": []string{}},
			nil,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	digest := hex.EncodeToString(sum[:])
	mux := http.NewServeMux()
	text := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	}
	text("/charts/demo-1.0.0.tgz", string(archive))
	text("/charts/index.yaml", index(digest, "demo-1.0.0.tgz"))
	text("/other/index.yaml", index(strings.Repeat("0", 64), "/charts/demo-1.0.0.tgz"))
	text("/plain/index.yaml", index(digest, "http://127.0.0.1:1/demo-1.0.0.tgz"))
	text("/broken/index.yaml", "a: b: c")
	text("/html/demo-1.0.0.tgz", "<html></html>")
	mux.HandleFunc("/moved/index.yaml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/index.yaml", http.StatusFound)
	})
	mux.HandleFunc("/loop/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
	})
	mux.HandleFunc("/secret/index.yaml", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.HandleFunc("/sick/index.yaml", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/endless/", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("#"), 1<<16)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/silent/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

func TestRepository(t *testing.T) {
	t.Parallel()
	host, ca, _ := serve(t, repository(t, files{"templates/cm.yaml": configMap}.tgz(t)))
	limits := Limits{ArchiveBytes: mib, IndexBytes: mib}
	r := mustNew(t, Options{CA: ca, FetchDir: t.TempDir(), Limits: limits})
	limits.FetchTimeout = time.Second
	hasty := mustNew(t, Options{CA: ca, FetchDir: t.TempDir(), Limits: limits})
	tests := map[string]struct {
		path, version string
		kind          Kind
	}{
		"by index":                     {path: "/charts", version: "1.0.0"},
		"trailing slash":               {path: "/charts/", version: "1.0.0"},
		"by address":                   {path: "/charts/demo-1.0.0.tgz"},
		"no such version":              {path: "/charts", version: "3.0.0", kind: KindNotFound},
		"version without an address":   {path: "/charts", version: "0.9.0", kind: KindNotFound},
		"no repository":                {path: "/none", version: "1.0.0", kind: KindNotFound},
		"not what the index promises":  {path: "/other", version: "1.0.0", kind: KindFetch},
		"index leads to plain http":    {path: "/plain", version: "1.0.0", kind: KindRefused},
		"redirect leads to plain http": {path: "/moved", version: "1.0.0", kind: KindRefused},
		"redirects without end":        {path: "/loop", version: "1.0.0", kind: KindFetch},
		"index is not one":             {path: "/broken", version: "1.0.0", kind: KindFetch},
		"chart is not one":             {path: "/html/demo-1.0.0.tgz", kind: KindInvalid},
		"access refused":               {path: "/secret", version: "1.0.0", kind: KindFetch},
		"server fails":                 {path: "/sick", version: "1.0.0", kind: KindFetch},
		"index without end":            {path: "/endless", version: "1.0.0", kind: KindTooLarge},
		"chart without end":            {path: "/endless/demo-1.0.0.tgz", kind: KindTooLarge},
		"never answers":                {path: "/silent", version: "1.0.0", kind: KindFetch},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			renderer := r
			if strings.HasPrefix(tc.path, "/silent") {
				renderer = hasty
			}
			_, err := renderer.Render(t.Context(), Request{Component: "demo", ChartLocation: "https://" + host + tc.path, Version: tc.version})
			if KindOf(err) != tc.kind {
				t.Errorf("error %v is %q, want %q", err, KindOf(err), tc.kind)
			}
			if reason := Reason(err); strings.Contains(reason, "127.0.0.1") || strings.Contains(reason, host) {
				t.Errorf("reason %q holds an address", reason)
			}
			t.Log(Reason(err))
		})
	}
}

func TestStoreIsBoundedAndChecked(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int64
	fetch := fetcherFunc(func(_ context.Context, req *Request) ([]byte, error) {
		fetches.Add(1)
		return bytes.Repeat([]byte(req.Version), 20_000/len(req.Version)), nil
	})
	dir := t.TempDir()
	src := newRemoteSource(Options{FetchDir: dir, FetchBytes: 100_000}.withDefaults(), fetch)
	get := func(version string) {
		t.Helper()
		if _, err := src.load(t.Context(), &Request{Component: "demo", ChartLocation: "https://h/c", Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		get(fmt.Sprintf("1.0.%d", i))
	}
	var total int64
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += cost(entry.Name(), info.Size())
	}
	if total > 100_000 || len(entries) < 4 {
		t.Errorf("%d bytes in %d files on disk, the bound is 100000", total, len(entries))
	}
	before := fetches.Load()
	get("1.0.19")
	if fetches.Load() != before {
		t.Error("the newest chart was fetched again")
	}
	for _, entry := range entries { // somebody writes to the directory
		if strings.HasSuffix(entry.Name(), blobSuffix) {
			write(t, filepath.Join(dir, entry.Name()), []byte("other"))
		}
	}
	get("1.0.19")
	if fetches.Load() != before+1 {
		t.Error("a changed file on disk is believed")
	}
}

type fetcherFunc func(context.Context, *Request) ([]byte, error)

func (f fetcherFunc) fetch(ctx context.Context, req *Request) ([]byte, error) { return f(ctx, req) }

// trusting is a transport for the servers of this test.
func trusting(t *testing.T) http.RoundTripper {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	// All of httptest's servers have one certificate.
	return server.Client().Transport
}
