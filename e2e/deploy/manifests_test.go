package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/hack/deploy/manifests"
)

// warnings collects what the API server warns about: a deprecated version, a pod
// that the restricted security standard would refuse.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
}

// TestManifestsOnARealAPIServer goes the way of an installation: dry run, apply,
// apply again, delete.
func TestManifestsOnARealAPIServer(t *testing.T) {
	cluster := controlplane.Bare(t)
	warned := &warnings{}
	config := rest.CopyConfig(cluster.RESTConfig())
	config.WarningHandler = warned
	client, err := manifests.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	kube := kubernetes.NewForConfigOrDie(config)
	objects := kustomization(t, "operator")

	// A dry run keeps nothing, so what others need has to be there before.
	before := only(objects, "Namespace", "CustomResourceDefinition")
	if err := client.Apply(t.Context(), before, manifests.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Apply(t.Context(), customResourceDefinitions(t), manifests.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"operator", "overlays/kind", "overlays/scale", "monitoring"} {
		t.Run("dry run of "+dir, func(t *testing.T) {
			objects := kustomization(t, dir)
			if err := client.Apply(t.Context(), objects, manifests.ApplyOptions{DryRun: true}); err != nil {
				t.Error(err)
			}
			t.Logf("%d objects", len(objects))
		})
	}
	t.Run("dry run of samples", func(t *testing.T) {
		if err := client.Apply(t.Context(), samples(t), manifests.ApplyOptions{DryRun: true}); err != nil {
			t.Error(err)
		}
	})
	if err := client.Apply(t.Context(), objects, manifests.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Run("pods are admitted", func(t *testing.T) { podsAreAdmitted(t, kube) })
	t.Run("flow control", func(t *testing.T) { requestsHaveTheirFlowSchema(t, kube, config) })
	t.Run("applying again changes nothing", func(t *testing.T) { applyingAgainChangesNothing(t, client, objects) })
	if len(warned.text) > 0 {
		t.Errorf("the API server warns:\n%s", strings.Join(warned.text, "\n"))
	}
	t.Run("delete leaves nothing", func(t *testing.T) { deleteLeavesNothing(t, client, objects) })
}

// podsAreAdmitted waits for the Deployment's pods to be made: quota, priority,
// service account and pod security admission have let them in then.
func podsAreAdmitted(t *testing.T, kube kubernetes.Interface) {
	eventually(t, 30*time.Second, func(ctx context.Context) string {
		pods, err := kube.CoreV1().Pods(operatorName).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		if len(pods.Items) == 2 {
			return ""
		}
		events, _ := kube.CoreV1().Events(operatorName).List(ctx, metav1.ListOptions{})
		var text strings.Builder
		for _, event := range events.Items {
			fmt.Fprintln(&text, event.Reason, event.Message)
		}
		return fmt.Sprintf("%d pods of 2\n%s", len(pods.Items), text.String())
	})
}

// requestsHaveTheirFlowSchema sends requests as the operator's ServiceAccount and
// reads off the replies which FlowSchema the API server put them in.
func requestsHaveTheirFlowSchema(t *testing.T, kube kubernetes.Interface, admin *rest.Config) {
	own := serviceAccountConfig(t, kube, admin, operatorName, operatorName)
	transport, err := rest.TransportFor(own)
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]string{}
	for _, name := range []string{"kyma-operator", "kyma-operator-leases"} {
		schema, err := kube.FlowcontrolV1().FlowSchemas().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		uids[string(schema.UID)] = name
	}
	for path, want := range map[string]string{
		"/apis/coordination.k8s.io/v1/namespaces/kyma-operator/leases/" + leaseName: "kyma-operator-leases",
		"/apis/inventory.kyma-project.io/v1alpha1/kymas":                            "kyma-operator",
		"/version": "kyma-operator",
	} {
		// The controller of priority and fairness needs a moment to pick new schemas up.
		eventually(t, 15*time.Second, func(ctx context.Context) string {
			got, err := flowSchemaOf(ctx, transport, own.Host+path)
			if err != nil {
				return err.Error()
			}
			if uids[got] != want {
				return fmt.Sprintf("GET %s is in FlowSchema %q (%s), want %s", path, uids[got], got, want)
			}
			return ""
		})
	}
}

func flowSchemaOf(ctx context.Context, transport http.RoundTripper, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	return response.Header.Get("X-Kubernetes-PF-FlowSchema-UID"), nil
}

func applyingAgainChangesNothing(t *testing.T, client *manifests.Client, objects []*unstructured.Unstructured) {
	versions := func() map[string]string {
		out := map[string]string{}
		err := client.Apply(t.Context(), objects, manifests.ApplyOptions{Each: func(o *unstructured.Unstructured) {
			out[manifests.Describe(o)] = o.GetResourceVersion()
			if o.GetGeneration() > 0 {
				// The status of these has a life of its own.
				out[manifests.Describe(o)] = fmt.Sprint(o.GetGeneration())
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first, second := versions(), versions()
	for name, version := range first {
		if second[name] != version {
			t.Errorf("%s changed from %s to %s", name, version, second[name])
		}
	}
}

func deleteLeavesNothing(t *testing.T, client *manifests.Client, objects []*unstructured.Unstructured) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Delete(ctx, objects, nil); err != nil {
		t.Fatal(err)
	}
	// Once more: what is gone already is no error.
	if err := client.Delete(ctx, objects, nil); err != nil {
		t.Error(err)
	}
	for _, object := range objects {
		resource, err := client.Resource(object)
		if err != nil {
			continue // its CRD went with the rest
		}
		left, err := resource.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=kyma"})
		if err != nil {
			t.Error(err)
			continue
		}
		for i := range left.Items {
			t.Errorf("%s is left", manifests.Describe(&left.Items[i]))
		}
	}
}

// TestManifestsScore runs kube-score over the manifests, with the checks left out
// that the manifests go against on purpose.
func TestManifestsScore(t *testing.T) {
	if testing.Short() {
		t.Skip("builds kube-score; -short is set")
	}
	ignored := []string{
		// The image is there already (kind), or named by a tag that does not move.
		"container-image-pull-policy",
		// On purpose: see the comment in deployment.yaml.
		"container-resources", "container-cpu-limit",
		// Topology spread constraints do the same and scale to more zones.
		"deployment-has-host-podantiaffinity",
	}
	for _, dir := range []string{"operator", "overlays/kind", "overlays/scale"} {
		t.Run(dir, func(t *testing.T) {
			var rendered bytes.Buffer
			if err := manifests.Write(&rendered, repository(t, "manifests", dir), ""); err != nil {
				t.Fatal(err)
			}
			args := []string{"tool", "kube-score", "score", "--output-format", "ci", "--exit-one-on-warning"}
			for _, check := range ignored {
				args = append(args, "--ignore-test", check)
			}
			cmd := exec.CommandContext(t.Context(), "go", append(args, "-")...)
			cmd.Dir = repository(t, "hack", "kubescore")
			cmd.Stdin = &rendered
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("kube-score: %v\n%s", err, complaints(string(out)))
			}
		})
	}
}

func complaints(report string) string {
	var out strings.Builder
	for line := range strings.Lines(report) {
		if !strings.HasPrefix(line, "[OK]") && !strings.HasPrefix(line, "[SKIPPED]") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// customResourceDefinitions are those of prometheus-operator.
func customResourceDefinitions(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	return readObjects(t, filepath.Join("testdata", "crds", "*.yaml"))
}

func samples(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	objects := readObjects(t, repository(t, "manifests", "samples", "*.yaml"))
	for _, object := range objects {
		if object.GetNamespace() == "" {
			object.SetNamespace(metav1.NamespaceDefault)
		}
	}
	return objects
}

func readObjects(t *testing.T, pattern string) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no files match %s", pattern)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("read %s: %v", file, err)
			}
			if len(object.Object) > 0 {
				objects = append(objects, object)
			}
		}
	}
	return objects
}
