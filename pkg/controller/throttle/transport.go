package throttle

import (
	"net/http"
)

// Observed wraps a transport so that the throttle sees how the server answers
// writes. It sees each attempt, also those that client-go repeats by itself
// after a 429.
func (t *Throttle) Observed(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet {
			return next.RoundTrip(req)
		}
		start := t.clock.Now()
		resp, err := next.RoundTrip(req)
		if err == nil {
			t.Observe(resp.StatusCode, t.clock.Since(start))
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
