package deploy

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

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
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("not within %s: %s", within, strings.TrimSpace(last))
	}
}
