package app

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
)

func TestReadPause(t *testing.T) {
	for name, tc := range map[string]struct{ latency, want time.Duration }{
		"nothing under way": {},
		"a fast server":     {latency: 4 * time.Millisecond, want: 2 * time.Millisecond},
		"a busy one":        {latency: 24 * time.Millisecond, want: 12 * time.Millisecond},
		"an overloaded one": {latency: time.Minute, want: 15 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readPause(tc.latency); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestControllerConfig: the throttle sees writes, and the connection, HTTP/2 over
// TLS, is moderated.
func TestControllerConfig(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	writes := throttle.New(throttle.Options{QPS: -1, MaxInFlight: 1, Clock: clock.RealClock{}})
	release, err := writes.TryAcquire()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	wrapped := false
	config := controllerConfig(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, writes, clock.RealClock{},
		func(next http.RoundTripper) http.RoundTripper { wrapped = true; return next })
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Post(server.URL, "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("the server is asked by %s", resp.Proto)
	}
	if writes.Latency() == 0 {
		t.Error("the throttle did not see the write")
	}
	if !wrapped {
		t.Error("the transport was not wrapped")
	}
	conn, err := config.Dial(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, direct := conn.(*net.TCPConn); direct {
		t.Error("the connection is not moderated")
	}
	if config.QPS != -1 {
		t.Errorf("client-go limits to %v a second", config.QPS)
	}
}
