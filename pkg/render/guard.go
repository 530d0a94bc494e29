package render

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

var (
	errTooLarge  = errors.New("the answer is too large")
	errPlainHTTP = errors.New("the address is not https")
	errTooMany   = errors.New("too many requests")
)

// maxRequests of one fetch: an index, a chart, a few blobs, tokens, redirects.
const maxRequests = 40

// guard is the one way to the network. It holds what helm's and the registry's
// clients do not: a deadline over everything, a budget of bytes, and https for
// every address, redirects and an index's links among them.
type guard struct {
	ctx       context.Context //nolint:containedctx // a guard lives for one fetch, and the clients it serves pass no context
	base      *http.Transport
	plainHTTP bool
	allowed   int64
	left      atomic.Int64
	requests  atomic.Int64
	status    atomic.Int64
}

func newGuard(ctx context.Context, req *wireRequest) (*guard, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if len(req.CA) > 0 && !pool.AppendCertsFromPEM(req.CA) {
		return nil, failure(KindInternal, "the certificate authority for chart repositories is not valid")
	}
	return &guard{
		ctx: ctx, plainHTTP: req.PlainHTTP,
		base: &http.Transport{
			Proxy:              http.ProxyFromEnvironment,
			DialContext:        (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSClientConfig:    &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			DisableCompression: true, // or a small answer could unpack to a large one
			DisableKeepAlives:  true,
		},
	}, nil
}

// allow sets the bytes that the next answers may have together.
func (g *guard) allow(bytes int64) {
	g.allowed = bytes
	g.left.Store(bytes)
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.plainHTTP {
		return nil, errPlainHTTP
	}
	if g.requests.Add(1) > maxRequests {
		return nil, errTooMany
	}
	resp, err := g.base.RoundTrip(req.WithContext(g.ctx))
	if err != nil {
		return nil, err
	}
	g.status.Store(int64(resp.StatusCode))
	if req.Method != http.MethodHead && resp.ContentLength > g.left.Load() {
		resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &guardedBody{ReadCloser: resp.Body, guard: g}
	return resp, nil
}

type guardedBody struct {
	io.ReadCloser
	guard *guard
}

func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.guard.left.Add(-int64(n)) < 0 {
		return n, errTooLarge
	}
	return n, err
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host)
}
