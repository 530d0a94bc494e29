package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

const (
	verdictTTL   = time.Minute
	verdictsKept = 256
)

// guard asks the API server who a bearer token belongs to and whether they may
// get the path, and remembers the answer for verdictTTL.
type guard struct {
	tokens   authentication.TokenReviewInterface
	access   authorization.SubjectAccessReviewInterface
	verdicts *utilcache.LRUExpireCache
}

func newGuard(base *rest.Config) (*guard, error) {
	tokens, err := authentication.NewForConfig(base)
	if err != nil {
		return nil, fmt.Errorf("create token review client: %w", err)
	}
	access, err := authorization.NewForConfig(base)
	if err != nil {
		return nil, fmt.Errorf("create access review client: %w", err)
	}
	return &guard{tokens.TokenReviews(), access.SubjectAccessReviews(), utilcache.NewLRUExpireCache(verdictsKept)}, nil
}

func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		code, err := g.verdict(req.Context(), token, req.URL.Path)
		if err != nil {
			klog.FromContext(req.Context()).Error(err, "Cannot review access to metrics")
			http.Error(w, "access cannot be reviewed now", http.StatusServiceUnavailable)
			return
		}
		if code != http.StatusOK {
			http.Error(w, http.StatusText(code), code)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// verdict is 200, 401 or 403.
func (g *guard) verdict(ctx context.Context, token, path string) (int, error) {
	// The token itself is not kept.
	key := sha256.Sum256([]byte(token + "\n" + path))
	if known, ok := g.verdicts.Get(key); ok {
		return known.(int), nil
	}
	code, err := g.review(ctx, token, path)
	if err == nil {
		g.verdicts.Add(key, code, verdictTTL)
	}
	return code, err
}

func (g *guard) review(ctx context.Context, token, path string) (int, error) {
	who, err := g.tokens.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review token: %w", err)
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	may, err := g.access.Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review access: %w", err)
	}
	if !may.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
