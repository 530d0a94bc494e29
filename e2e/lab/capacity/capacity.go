// Package capacity measures how many status writes a second the API server and
// etcd take, on a custom resource of the lab's own that looks like a
// HelmComponent, labels and owner included, and what a watcher of them costs.
// Nothing of it is left behind.
package capacity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apihelpers"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	client "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

const (
	group   = "loadlab.kyma-project.io"
	plural  = "capacityprobes"
	crdName = plural + "." + group
	// writers write at the same time, each to objects of its own: enough to keep
	// several cores busy, few enough not to measure queueing.
	writers   = 16
	perWriter = 4
	// watchedShare is the part of the time in which a watcher looks on.
	watchedShare = 4
)

// Result of the probe.
type Result struct {
	// Capacity is in writes a second, without a watcher.
	Capacity float64
	// CPUPerWrite and WatchCPUPerWrite are CPU of the API server; nil where its
	// metrics cannot be read.
	CPUPerWrite, WatchCPUPerWrite *time.Duration
	Writes                        int64
}

// Probe measures for the given time, and a quarter of it more with a watcher.
type Probe struct {
	Config    *rest.Config
	Client    rest.Interface // without limits of its own
	Clock     clock.Clock
	Metrics   sampler.Source // of the API server; may be nil
	Namespace string
}

// Run makes the custom resource, measures, and removes it again.
func (p *Probe) Run(ctx context.Context, d time.Duration) (_ *Result, err error) {
	ext, err := apiextensions.NewForConfig(p.Config)
	if err != nil {
		return nil, fmt.Errorf("make client for the capacity probe: %w", err)
	}
	crds := ext.ApiextensionsV1().CustomResourceDefinitions()
	crd, err := define(ctx, crds)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", crdName, err)
	}
	defer func() {
		// Also after an interrupt: nothing may be left behind.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if e := crds.Delete(ctx, crdName, metav1.DeleteOptions{}); e != nil {
			err = errors.Join(err, fmt.Errorf("delete %s: %w", crdName, e))
		}
	}()
	versions, err := p.makeObjects(ctx, crd.UID)
	if err != nil {
		return nil, err
	}
	plain, err := p.measure(ctx, d, versions)
	if err != nil {
		return nil, err
	}
	result := &Result{Capacity: float64(plain.writes) / plain.took.Seconds(), Writes: plain.writes, CPUPerWrite: plain.cpuPerWrite()}
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := p.watch(watchCtx); err != nil {
		return nil, err
	}
	watched, err := p.measure(ctx, max(d/watchedShare, time.Second), versions)
	if err != nil {
		return nil, err
	}
	result.Writes += watched.writes
	if a, b := watched.cpuPerWrite(), result.CPUPerWrite; a != nil && b != nil {
		extra := max(*a-*b, 0)
		result.WatchCPUPerWrite = &extra
	}
	return result, nil
}

// define creates the custom resource. One that is there, left by a probe that was
// killed or deleted by the last one, has to be gone first.
func define(ctx context.Context, crds client.CustomResourceDefinitionInterface) (crd *apiextensionsv1.CustomResourceDefinition, err error) {
	const every, most = 100 * time.Millisecond, 30 * time.Second
	err = wait.PollUntilContextTimeout(ctx, every, most, true, func(ctx context.Context) (bool, error) {
		crd, err = crds.Create(ctx, definition(), metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			return err == nil, err
		}
		err = crds.Delete(ctx, crdName, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			err = nil
		}
		return false, err
	})
	if wait.Interrupted(err) {
		err = fmt.Errorf("what another probe left is not gone: %w", err)
	}
	if err != nil {
		return nil, err
	}
	err = wait.PollUntilContextTimeout(ctx, every, most, true, func(ctx context.Context) (bool, error) {
		crd, err = crds.Get(ctx, crdName, metav1.GetOptions{})
		return err == nil && apihelpers.IsCRDConditionTrue(crd, apiextensionsv1.Established), err
	})
	if err != nil {
		return nil, fmt.Errorf("wait until it is established: %w", err)
	}
	return crd, nil
}

// makeObjects waits until the resource is served and creates the objects, with
// as much metadata as a HelmComponent has; it returns their versions.
func (p *Probe) makeObjects(ctx context.Context, owner types.UID) ([][]string, error) {
	versions := make([][]string, writers)
	for w := range writers {
		for i := range perWriter {
			body := fmt.Sprintf(`{"apiVersion":"%s/v1","kind":"CapacityProbe","metadata":{"name":%q,`+
				`"labels":{%q:"capacity-probe",%q:"capacity-probe"},`+
				`"ownerReferences":[{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","name":%q,"uid":%q,"controller":true,"blockOwnerDeletion":true}]},`+
				`"spec":{"componentName":"probe","namespace":"kyma-system"}}`, group, name(w, i), v1alpha1.LabelKyma, v1alpha1.LabelModule, crdName, owner)
			var version string
			err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
				var err error
				version, err = answered(p.Client.Post().AbsPath(p.path("")).Body([]byte(body)).Do(ctx))
				if apierrors.IsNotFound(err) {
					return false, nil // not served yet
				}
				return err == nil, err
			})
			if err != nil {
				return nil, fmt.Errorf("create object of the capacity probe: %w", err)
			}
			versions[w] = append(versions[w], version)
		}
	}
	return versions, nil
}

// measured is one stretch of writing.
type measured struct {
	writes int64
	took   time.Duration
	cpu    *float64
}

func (m measured) cpuPerWrite() *time.Duration {
	if m.cpu == nil || m.writes == 0 {
		return nil
	}
	d := time.Duration(*m.cpu / float64(m.writes) * float64(time.Second))
	return &d
}

func (p *Probe) measure(ctx context.Context, d time.Duration, versions [][]string) (measured, error) {
	before := p.cpu(ctx)
	start := p.Clock.Now()
	end := start.Add(d)
	var writes atomic.Int64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 0; p.Clock.Now().Before(end) && ctx.Err() == nil; n++ {
				i := n % perWriter
				version, err := p.write(ctx, name(w, i), versions[w][i], p.Clock.Now())
				if err != nil {
					errs[w] = err
					return
				}
				versions[w][i] = version
				writes.Add(1)
			}
		})
	}
	wg.Wait()
	m := measured{writes: writes.Load(), took: p.Clock.Since(start), cpu: sampler.Difference(p.cpu(ctx), before)}
	if err := errors.Join(errs...); err != nil {
		return m, fmt.Errorf("measure write capacity: %w", err)
	}
	return m, ctx.Err()
}

// write is a status write as the operator makes it: a minimal PUT.
func (p *Probe) write(ctx context.Context, name, version string, now time.Time) (string, error) {
	body := fmt.Sprintf(`{"apiVersion":"%s/v1","kind":"CapacityProbe","metadata":{"name":%q,"resourceVersion":%q},`+
		`"status":{"status":"started","lastReconciliation":%q,"observedGeneration":1,`+
		`"manifestDigest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","message":"%d"}}`,
		group, name, version, now.UTC().Format(time.RFC3339), now.UnixNano())
	return answered(p.Client.Put().AbsPath(p.path(name)+"/status").Param("fieldValidation", "Ignore").Body([]byte(body)).Do(ctx))
}

// watch opens a watch and reads it to nowhere, until the context ends.
func (p *Probe) watch(ctx context.Context) error {
	body, err := p.Client.Get().AbsPath(p.path("")).Param("watch", "true").Stream(ctx)
	if err != nil {
		return fmt.Errorf("watch the objects of the capacity probe: %w", err)
	}
	go func() {
		defer func() { _ = body.Close() }()
		// It ends when the context does.
		_, _ = io.Copy(io.Discard, body)
	}()
	return nil
}

// cpu is the CPU time that the API server has used, in seconds.
func (p *Probe) cpu(ctx context.Context) *float64 {
	if p.Metrics == nil {
		return nil
	}
	m, err := sampler.Read(ctx, p.Metrics, []string{"process_cpu_seconds_total"}, nil)
	if err != nil {
		return nil
	}
	return m.Sum("process_cpu_seconds_total", nil)
}

func (p *Probe) path(name string) string {
	path := "/apis/" + group + "/v1/namespaces/" + p.Namespace + "/" + plural
	if name != "" {
		path += "/" + name
	}
	return path
}

func name(writer, i int) string { return fmt.Sprintf("probe-%d-%d", writer, i) }

// answered is the resourceVersion of the object that a write returned.
func answered(result rest.Result) (string, error) {
	// Raw alone would leave out why the server refuses.
	if err := result.Error(); err != nil {
		return "", err
	}
	data, err := result.Raw()
	if err != nil {
		return "", err
	}
	var answer metav1.PartialObjectMetadata
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", fmt.Errorf("parse answer: %w", err)
	}
	return answer.ResourceVersion, nil
}

// definition has the same shape and the same structural schema as HelmComponent.
func definition() *apiextensionsv1.CustomResourceDefinition {
	text := func() apiextensionsv1.JSONSchemaProps { return apiextensionsv1.JSONSchemaProps{Type: "string"} }
	atomic := "atomic"
	object := func(fields map[string]apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "object", Properties: fields, XMapType: &atomic}
	}
	schema := apiextensionsv1.JSONSchemaProps{Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
		"spec": object(map[string]apiextensionsv1.JSONSchemaProps{"componentName": text(), "namespace": text()}),
		"status": object(map[string]apiextensionsv1.JSONSchemaProps{
			"status": text(), "lastReconciliation": {Type: "string", Format: "date-time"}, "manifestDigest": text(),
			"message": text(), "observedGeneration": {Type: "integer", Format: "int64"},
		}),
	}}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: crdName},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: "capacityprobe", Kind: "CapacityProbe", ListKind: "CapacityProbeList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema:       &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &schema},
			}},
		},
	}
}
