package informers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/watchlist"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/stream"
)

// listWatchOf is that of the components, against a server that answers so.
func listWatchOf(t *testing.T, namespace string, answer http.HandlerFunc) cache.ListerWatcherWithContext {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client, err := stream.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	lw := listWatch[v1alpha1.HelmComponent](source{client.InventoryV1alpha1().RESTClient, "helmcomponents", namespace}, stripHelmComponent)
	if !watchlist.DoesClientNotSupportWatchListSemantics(lw) {
		t.Error("the reflector would ask for a stream of events")
	}
	return cache.ToListerWatcherWithContext(lw)
}

// Whatever the reflector asks for, it is the newest and all of it.
func TestListIsStripped(t *testing.T) {
	for namespace, want := range map[string]string{
		"":   "/apis/inventory.kyma-project.io/v1alpha1/helmcomponents",
		"ns": "/apis/inventory.kyma-project.io/v1alpha1/namespaces/ns/helmcomponents",
	} {
		t.Run("namespace "+namespace, func(t *testing.T) {
			var path string
			lw := listWatchOf(t, namespace, func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.String()
				_, _ = io.WriteString(w, `{"apiVersion":"inventory.kyma-project.io/v1alpha1","items":[`+
					`{"apiVersion":"inventory.kyma-project.io/v1alpha1","kind":"HelmComponent","metadata":{"annotations":{"a":"b"},"managedFields":[{"manager":"m"}],"name":"c"}}`+
					`],"kind":"HelmComponentList","metadata":{"resourceVersion":"7"}}`)
			})
			got, err := lw.ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "0", Limit: 500})
			if err != nil {
				t.Fatal(err)
			}
			list := got.(*internalversion.List)
			if path != want || list.ResourceVersion != "7" || len(list.Items) != 1 {
				t.Fatalf("%s gave %+v", path, list)
			}
			if hc := list.Items[0].(*v1alpha1.HelmComponent); hc.Name != "c" || hc.Annotations != nil || hc.ManagedFields != nil {
				t.Errorf("the component is kept as %+v", hc)
			}
		})
	}
}

// The reflector lists anew on this error at once, on others after a while.
func TestListFails(t *testing.T) {
	lw := listWatchOf(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGone)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old","reason":"Expired","code":410}`)
	})
	if got, err := lw.ListWithContext(t.Context(), metav1.ListOptions{}); !apierrors.IsResourceExpired(err) {
		t.Errorf("got %v and error %v", got, err)
	}
	lw = listWatchOf(t, "", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"apiVersion":"inventory.kyma-project.io/v1alpha1","items":[`)
	})
	if got, err := lw.ListWithContext(t.Context(), metav1.ListOptions{}); err == nil {
		t.Errorf("an unfinished list is %v", got)
	}
}
