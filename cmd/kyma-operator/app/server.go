package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/cert"
)

// server is one HTTP server on one address.
type server struct {
	name    string
	address string
	handler http.Handler
	tls     *tls.Config
}

// start listens before it returns, so that a taken address is an error at once,
// and serves until ctx ends.
func (s *server) start(ctx context.Context, logger logr.Logger) error {
	if s.address == disabled {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("start %s server: %w", s.name, err)
	}
	logger.Info("Serving "+s.name, "address", listener.Addr().String())
	if s.tls != nil {
		listener = tls.NewListener(listener, s.tls)
	}
	srv := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error(err, "Server ended", "server", s.name)
		}
	}()
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return nil
}

// healthServer answers /healthz while the process lives and /readyz while ready
// returns nil.
func healthServer(address string, ready func() error) *server {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return &server{name: "health probes", address: address, handler: mux}
}

// metricsServer serves /metrics and, if asked to, /debug/pprof; guard wraps
// both.
func metricsServer(o *Options, metrics http.Handler, guard func(http.Handler) http.Handler) (*server, error) {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	if o.EnablePprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	s := &server{name: "metrics", address: o.MetricsBindAddress, handler: mux}
	if !o.MetricsSecure {
		return s, nil
	}
	config, err := serverTLS(o.MetricsCertDir)
	if err != nil {
		return nil, fmt.Errorf("set up TLS of the metrics server: %w", err)
	}
	s.tls, s.handler = config, guard(mux)
	return s, nil
}

// serverTLS takes the certificate of dir, read anew for each connection so that
// it can be rotated, or makes one of its own.
func serverTLS(dir string) (*tls.Config, error) {
	if dir == "" {
		certificate, key, err := cert.GenerateSelfSignedCertKey("kyma-operator", nil, nil)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}, nil
}
