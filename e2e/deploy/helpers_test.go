package deploy

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/hack/deploy/manifests"
)

// operatorName is the name of nearly everything in the manifests, the namespace
// included.
const operatorName = "kyma-operator"

// leaseName is the default of --leader-elect-id.
const leaseName = "kyma-operator.inventory.kyma-project.io"

func repository(t testing.TB, elements ...string) string {
	t.Helper()
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elements...)...)
}

// kustomization builds a folder of manifests/.
func kustomization(t testing.TB, dir string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Build(repository(t, "manifests", dir), "")
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func only(objects []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, object := range objects {
		for _, kind := range kinds {
			if object.GetKind() == kind {
				out = append(out, object)
			}
		}
	}
	return out
}

// eventually waits until check returns an empty string; what it returned last is
// the reason for failing.
func eventually(t testing.TB, within time.Duration, check func(context.Context) string) {
	t.Helper()
	last := "not checked yet"
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		if reason := check(ctx); ctx.Err() == nil {
			last = reason
		}
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("not within %s: %s", within, strings.TrimSpace(last))
	}
}

// serviceAccountConfig is the config of a client that has the account's own token
// and nothing else.
func serviceAccountConfig(t testing.TB, kube kubernetes.Interface, admin *rest.Config, namespace, name string) *rest.Config {
	t.Helper()
	config := rest.AnonymousClientConfig(admin)
	config.BearerToken = serviceAccountToken(t, kube, namespace, name)
	config.WarningHandler = rest.NoWarnings{}
	return config
}

func serviceAccountToken(t testing.TB, kube kubernetes.Interface, namespace, name string) string {
	t.Helper()
	var token *authenticationv1.TokenRequest
	// A namespace gets its default account a moment after it was made.
	eventually(t, 15*time.Second, func(ctx context.Context) string {
		var err error
		token, err = kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			return err.Error()
		}
		return ""
	})
	return token.Status.Token
}
