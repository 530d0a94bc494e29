package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

// fault spoils a request of the operator on its way to the API server: it may
// change the body, and returns a further request's body, or nil.
type fault func(r *http.Request, body map[string]any) (twin map[string]any)

// twins creates every component twice.
func twins(r *http.Request, body map[string]any) map[string]any {
	meta, ok := body["metadata"].(map[string]any)
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/helmcomponents") || !ok {
		return nil
	}
	twin := map[string]any{}
	maps.Copy(twin, meta)
	twin["name"] = meta["name"].(string) + "-twin"
	return map[string]any{"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": twin, "spec": body["spec"]}
}

// early says success where the operator says anything before it.
func early(r *http.Request, body map[string]any) map[string]any {
	status, ok := body["status"].(map[string]any)
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/helmcomponents/") && ok {
		status["status"] = "success"
	}
	return nil
}

// misbehave starts a proxy before the API server that spoils requests, and
// returns a kubeconfig for it.
func misbehave(t *testing.T, plane *controlplane.ControlPlane, spoil fault) string {
	t.Helper()
	config := plane.RESTConfig()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if data, err := io.ReadAll(r.Body); err == nil && len(data) > 0 {
			var body map[string]any
			if json.Unmarshal(data, &body) == nil {
				if twin := spoil(r, body); twin != nil {
					send(transport, target, r, twin)
				}
				if changed, err := json.Marshal(body); err == nil {
					data = changed
				}
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
			r.Header.Set("Content-Length", strconv.Itoa(len(data)))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	kubeconfig := api.NewConfig()
	kubeconfig.Clusters["proxy"] = &api.Cluster{Server: server.URL}
	kubeconfig.Contexts["proxy"] = &api.Context{Cluster: "proxy"}
	kubeconfig.CurrentContext = "proxy"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// send makes a request of its own, like the operator's.
func send(transport http.RoundTripper, target *url.URL, like *http.Request, body map[string]any) {
	data, err := json.Marshal(body)
	if err != nil {
		return
	}
	r, err := http.NewRequestWithContext(like.Context(), like.Method, target.JoinPath(like.URL.Path).String(), bytes.NewReader(data))
	if err != nil {
		return
	}
	r.Header.Set("Content-Type", "application/json")
	if resp, err := transport.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
	}
}
