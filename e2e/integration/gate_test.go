package integration

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// gate stands between an operator and the API server. It speaks for the
// operator with the rights of config, counts what it is asked for, and lets a
// test come between a request and its answer.
type gate struct {
	server *httptest.Server

	mu     sync.Mutex
	writes []string
	hook   hook
}

// hook handles a request of the operator; next passes it on.
type hook func(w http.ResponseWriter, r *http.Request, next http.Handler)

func newGate(t testing.TB, config *rest.Config) *gate {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	g := &gate{}
	g.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.pass(w, r, proxy)
	}))
	g.server.Config.ErrorLog = proxy.ErrorLog
	g.server.Start()
	t.Cleanup(func() {
		g.server.CloseClientConnections()
		g.server.Close()
	})
	return g
}

func (g *gate) pass(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	// Only when its body is read does a request's context end with the connection.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // The operator is dead.
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.mu.Lock()
	if isWrite(r) {
		g.writes = append(g.writes, r.Method+" "+r.URL.Path)
	}
	hook := g.hook
	g.mu.Unlock()
	if hook == nil {
		proxy.ServeHTTP(w, r)
		return
	}
	hook(w, r, proxy)
}

// set replaces the hook; nil lets everything through.
func (g *gate) set(h hook) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hook = h
}

// written returns the writes to inventory objects that were asked for so far.
func (g *gate) written() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clip(g.writes)
}

// config is for clients that go through the gate.
func (g *gate) config() *rest.Config { return &rest.Config{Host: g.server.URL} }

// isWrite tells whether a request changes an inventory object.
func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/apis/"+v1alpha1.GroupName+"/")
}

func isCreate(r *http.Request) bool { return isWrite(r) && r.Method == http.MethodPost }

func isStatusWrite(r *http.Request) bool {
	return isWrite(r) && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/status")
}

func isOfKyma(r *http.Request) bool { return strings.Contains(r.URL.Path, "/kymas/") }

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") != "" }

// hold passes a request on when release is closed, unless the operator dies
// before.
func hold(w http.ResponseWriter, r *http.Request, next http.Handler, release <-chan struct{}) {
	select {
	case <-release:
		next.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// swallow passes a request on and cuts the connection before the answer: the
// operator does not learn what became of it.
func swallow(r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}
