package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	apply "github.com/kyma-incubator/kymactl/pkg/generated/applyconfiguration/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
)

// writers write at the same time, as many as the operator does.
const writers = 16

// put writes an object's status and returns it with its new resourceVersion.
type put func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error)

// rounds is how often each way to write a status has its turn.
const rounds = 7

// BenchmarkStatusWrites compares the ways to write a status, on a real API
// server, by what they cost it and the client. They take turns, so that a
// machine that becomes faster or slower does so for all; ways are compared within
// a round.
func BenchmarkStatusWrites(b *testing.B) {
	plane := controlplane.ForTest(b)
	l := newLabOn(b, plane)
	raw := func(config *rest.Config, validation string) put {
		client := typed(b, config).InventoryV1alpha1().RESTClient()
		return func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
			data, err := json.Marshal(bodyOf(hc))
			if err != nil {
				return nil, err
			}
			out := &v1alpha1.HelmComponent{}
			return out, client.Put().Namespace(hc.Namespace).Resource("helmcomponents").Name(hc.Name).SubResource("status").
				Param("fieldValidation", validation).SetHeader("Content-Type", "application/json").Body(data).Do(ctx).Into(out)
		}
	}
	compressed := rest.CopyConfig(plane.RESTConfig())
	compressed.DisableCompression = false
	plain := rest.CopyConfig(plane.RESTConfig())
	plain.DisableCompression = true
	client := typed(b, plain)
	components := client.InventoryV1alpha1().HelmComponents(l.namespace)
	operator := operatorPut(client)
	variants := []struct {
		name      string
		put       put
		watchers  int
		notAtomic bool
	}{
		{name: "as the operator", put: operator},
		{name: "reply decoded", put: raw(plain, metav1.FieldValidationIgnore)},
		{name: "validation Warn", put: raw(plain, metav1.FieldValidationWarn)},
		{name: "validation Strict", put: raw(plain, metav1.FieldValidationStrict)},
		{name: "compression allowed", put: raw(compressed, metav1.FieldValidationIgnore)},
		{name: "whole object", put: func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
			return components.UpdateStatus(ctx, hc, metav1.UpdateOptions{})
		}},
		{name: "metadata replied", put: metadataReplied(client)},
		{name: "merge patch", put: func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
			patch, err := json.Marshal(map[string]any{"status": hc.Status})
			if err != nil {
				return nil, err
			}
			return components.Patch(ctx, hc.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		}},
		{name: "server-side apply", put: func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
			status := apply.HelmComponentStatus().WithStatus(hc.Status.Status).WithObservedGeneration(hc.Status.ObservedGeneration).
				WithManifestDigest(hc.Status.ManifestDigest).WithLastReconciliation(*hc.Status.LastReconciliation)
			return components.ApplyStatus(ctx, apply.HelmComponent(hc.Name, hc.Namespace).WithStatus(status), metav1.ApplyOptions{FieldManager: "bench", Force: true})
		}},
		{name: "one watcher", put: operator, watchers: 1},
		{name: "three watchers", put: operator, watchers: 3},
		{name: "by hand"},
		// The same again shows how much of a difference is the machine's.
		{name: "as the operator, again", put: operator},
		{name: "status not atomic", put: operator, notAtomic: true},
	}
	shuffle := rand.New(rand.NewPCG(0, 0))
	for round := range rounds {
		// Not always after the same: what the last one left is collected later.
		for _, i := range shuffle.Perm(len(variants)) {
			variant := variants[i]
			b.Run(fmt.Sprintf("way=%s/round=%d", variant.name, round), func(b *testing.B) {
				if variant.notAtomic {
					defer l.makeStatusAtomic(b, true)
					l.makeStatusAtomic(b, false)
				}
				for range variant.watchers {
					w, err := components.Watch(b.Context(), metav1.ListOptions{})
					if err != nil {
						b.Fatal(err)
					}
					go func() {
						for range w.ResultChan() {
						}
					}()
					b.Cleanup(w.Stop)
				}
				write := variant.put
				if write == nil {
					// Here, because the server closes connections that say nothing for long.
					write = byHand(b, plain)
				}
				l.measureWrites(b, write)
			})
		}
	}
}

func typed(b *testing.B, config *rest.Config) *versioned.Clientset {
	b.Helper()
	config = rest.CopyConfig(config)
	config.QPS = -1
	client, err := versioned.NewForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	return client
}

func bodyOf(hc *v1alpha1.HelmComponent) commit.Body[v1alpha1.HelmComponentStatus] {
	return commit.Body[v1alpha1.HelmComponentStatus]{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HelmComponent"},
		Metadata: commit.Metadata{Name: hc.Name, Namespace: hc.Namespace, UID: hc.UID, ResourceVersion: hc.ResourceVersion},
		Status:   hc.Status,
	}
}

func operatorPut(client versioned.Interface) put {
	put := commit.REST[v1alpha1.HelmComponentStatus](client.InventoryV1alpha1().RESTClient(), "helmcomponents")
	return func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
		version, err := put(ctx, bodyOf(hc))
		hc.ResourceVersion = version
		return hc, err
	}
}

// metadataReplied sends the operator's request and asks for no more of the
// object than its metadata.
func metadataReplied(client versioned.Interface) put {
	api := client.InventoryV1alpha1().RESTClient()
	return func(ctx context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
		body, err := json.Marshal(bodyOf(hc))
		if err != nil {
			return nil, err
		}
		reply, err := api.Put().Namespace(hc.Namespace).Resource("helmcomponents").Name(hc.Name).SubResource("status").
			Param("fieldValidation", metav1.FieldValidationIgnore).SetHeader("Content-Type", "application/json").
			SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").Body(body).Do(ctx).Raw()
		hc.ResourceVersion = versionIn(reply)
		return hc, err
	}
}

// versionIn finds the resourceVersion in a reply without decoding it.
func versionIn(reply []byte) string {
	_, after, _ := bytes.Cut(reply, []byte(`"resourceVersion":"`))
	version, _, _ := bytes.Cut(after, []byte(`"`))
	return string(version)
}

// byHand sends the operator's request over connections that do nothing else, on
// the writer's own goroutine: the least that a write over TLS costs a client.
func byHand(b *testing.B, config *rest.Config) put {
	b.Helper()
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		b.Fatal(err)
	}
	type connection struct {
		*tls.Conn
		replies *bufio.Reader
	}
	host := strings.TrimPrefix(config.Host, "https://")
	idle := make(chan connection, writers)
	for range writers {
		conn, err := tls.Dial("tcp", host, tlsConfig)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		idle <- connection{conn, bufio.NewReader(conn)}
	}
	return func(_ context.Context, hc *v1alpha1.HelmComponent) (*v1alpha1.HelmComponent, error) {
		conn := <-idle
		defer func() { idle <- conn }()
		body, err := json.Marshal(bodyOf(hc))
		if err != nil {
			return nil, err
		}
		request := fmt.Appendf(nil, "PUT /apis/%s/namespaces/%s/helmcomponents/%s/status?fieldValidation=Ignore HTTP/1.1\r\nHost: %s\r\n"+
			"Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			v1alpha1.GroupVersion, hc.Namespace, hc.Name, host, config.BearerToken, len(body), body)
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		response, err := http.ReadResponse(conn.replies, nil)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		reply, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s %s", response.Status, reply)
		}
		hc.ResourceVersion = versionIn(reply)
		return hc, nil
	}
}

// measureWrites writes statuses from several writers, each to objects of its
// own, and reports the CPU that each write costs the API server and this
// process.
func (l *lab) measureWrites(b *testing.B, write put) {
	b.Helper()
	const perWriter, writes = 4, 50
	server, self := l.plane.PID(controlplane.APIServer), os.Getpid()
	var took, serverCPU, ownCPU time.Duration
	for b.Loop() {
		objects := make([][]*v1alpha1.HelmComponent, writers)
		for i := range objects {
			for k := range perWriter {
				hc, err := l.components.Create(b.Context(), &v1alpha1.HelmComponent{
					ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-", Labels: map[string]string{v1alpha1.LabelKyma: "some-kyma", v1alpha1.LabelModule: fmt.Sprint(k)}},
					Spec:       v1alpha1.HelmComponentSpec{ComponentName: "istio", Namespace: "istio-system"},
				}, metav1.CreateOptions{})
				if err != nil {
					b.Fatal(err)
				}
				objects[i] = append(objects[i], hc)
			}
		}
		begin, serverBefore, ownBefore := time.Now(), cpuOf(b, server), cpuOf(b, self)
		var group errgroup.Group
		for _, own := range objects {
			group.Go(func() error {
				for n := range writes {
					k := n % perWriter
					hc := own[k].DeepCopy()
					now := metav1.NewTime(begin.Add(time.Duration(n) * time.Minute))
					hc.Status = v1alpha1.HelmComponentStatus{
						Status: v1alpha1.ComponentStarted, LastReconciliation: &now, ObservedGeneration: 1, ManifestDigest: fmt.Sprintf("sha256:%064d", n),
					}
					hc, err := write(b.Context(), hc)
					if err != nil {
						return err
					}
					own[k] = hc
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
		took += time.Since(begin)
		serverCPU += cpuOf(b, server) - serverBefore
		ownCPU += cpuOf(b, self) - ownBefore
		if err := l.components.DeleteCollection(b.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	n := time.Duration(b.N * writers * writes)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64((serverCPU / n).Microseconds()), "server-us/write")
	b.ReportMetric(float64((ownCPU / n).Microseconds()), "client-us/write")
	b.ReportMetric(float64(n)/took.Seconds(), "writes/s")
}

func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := sampler.ReadProc(pid)
	if err != nil {
		b.Fatal(err)
	}
	return stat.CPU
}

// makeStatusAtomic changes the CRD of the HelmComponents so that the server
// keeps the owner of the whole status, or of each of its fields, and waits until
// it does.
func (l *lab) makeStatusAtomic(b *testing.B, atomic bool) {
	b.Helper()
	client, err := apiextensions.NewForConfig(l.plane.RESTConfig())
	if err != nil {
		b.Fatal(err)
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	crd, err := crds.Get(b.Context(), "helmcomponents."+v1alpha1.GroupName, metav1.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range crd.Spec.Versions {
		schema := crd.Spec.Versions[i].Schema.OpenAPIV3Schema
		status := schema.Properties["status"]
		status.XMapType = nil
		if atomic {
			status.XMapType = new("atomic")
		}
		schema.Properties["status"] = status
	}
	if _, err := crds.Update(b.Context(), crd, metav1.UpdateOptions{}); err != nil {
		b.Fatal(err)
	}
	eventually(b, "the changed schema is served", func(ctx context.Context) string {
		name := fmt.Sprintf("probe-%d", time.Now().UnixNano())
		hc, err := l.components.Create(ctx, &v1alpha1.HelmComponent{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.HelmComponentSpec{ComponentName: "istio", Namespace: "istio-system"},
		}, metav1.CreateOptions{})
		if err != nil {
			return err.Error()
		}
		hc.Status.Status = v1alpha1.ComponentStarted
		if hc, err = l.components.UpdateStatus(ctx, hc, metav1.UpdateOptions{}); err != nil {
			return err.Error()
		}
		for _, managed := range hc.ManagedFields {
			if whole := string(managed.FieldsV1.GetRawBytes()) == `{"f:status":{}}`; managed.Subresource == "status" && whole == atomic {
				return ""
			}
		}
		return "the owners are kept as before"
	})
}
