package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

func get(t *testing.T, h http.Handler, path, token string) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code
}

func TestHealth(t *testing.T) {
	var notReady error
	s := healthServer(":0", func() error { return notReady })
	if code := get(t, s.handler, "/readyz", ""); code != http.StatusOK {
		t.Errorf("readyz = %d, want 200", code)
	}
	notReady = errors.New("stopping")
	if code := get(t, s.handler, "/readyz", ""); code != http.StatusServiceUnavailable {
		t.Errorf("readyz of a stopping process = %d, want 503", code)
	}
	if code := get(t, s.handler, "/healthz", ""); code != http.StatusOK {
		t.Errorf("healthz = %d, want 200", code)
	}
}

func TestPprofIsBehindItsFlag(t *testing.T) {
	for enabled, want := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		o := newOptions()
		o.EnablePprof = enabled
		s, err := metricsServer(o, http.NotFoundHandler(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if code := get(t, s.handler, "/debug/pprof/", ""); code != want {
			t.Errorf("enabled %t: %d, want %d", enabled, code, want)
		}
	}
}

// reviews is an API server that knows one token.
type reviews struct {
	authentication.TokenReviewInterface
	authorization.SubjectAccessReviewInterface
	asked int
	down  error
}

type tokens struct {
	authentication.TokenReviewInterface
	*reviews
}

func (r tokens) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	r.asked++
	review.Status.Authenticated = review.Spec.Token != "unknown"
	review.Status.User.Username = review.Spec.Token
	return review, r.down
}

type access struct {
	authorization.SubjectAccessReviewInterface
	*reviews
}

func (r access) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	review.Status.Allowed = review.Spec.User == "prometheus" && review.Spec.NonResourceAttributes.Path == "/metrics"
	return review, nil
}

func TestGuard(t *testing.T) {
	api := &reviews{}
	g := &guard{tokens{reviews: api}, access{reviews: api}, utilcache.NewLRUExpireCache(verdictsKept)}
	h := g.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	tests := map[string]struct {
		path, token string
		want        int
	}{
		"no token":           {"/metrics", "", http.StatusUnauthorized},
		"another scheme":     {"/metrics", "Basic cHJvbWV0aGV1cw==", http.StatusUnauthorized},
		"an unknown token":   {"/metrics", "Bearer unknown", http.StatusUnauthorized},
		"somebody else's":    {"/metrics", "Bearer mallory", http.StatusForbidden},
		"whom it is for":     {"/metrics", "Bearer prometheus", http.StatusOK},
		"at another address": {"/debug/pprof/", "Bearer prometheus", http.StatusForbidden},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if code := get(t, h, tc.path, tc.token); code != tc.want {
				t.Errorf("code = %d, want %d", code, tc.want)
			}
		})
	}
	before := api.asked
	if code := get(t, h, "/metrics", "Bearer prometheus"); code != http.StatusOK || api.asked != before {
		t.Errorf("code %d after asking %d times more, want a remembered 200", code, api.asked-before)
	}
	api.down = errors.New("down")
	if code := get(t, h, "/metrics", "Bearer new"); code != http.StatusServiceUnavailable {
		t.Errorf("without an API server: %d, want 503", code)
	}
}
