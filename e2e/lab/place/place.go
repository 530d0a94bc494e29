// Package place gives the lab a cluster to work on: the embedded control plane,
// or any other through a kubeconfig.
package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// Names of the places.
const (
	Embedded = "embedded"
	Kind     = "kind"
	Existing = "existing"
)

// startTimeout is for a machine that is busy with something else as well.
const startTimeout = 5 * time.Minute

// Place is a cluster.
type Place struct {
	Name, Kubeconfig, Version string
	// Fairness is on, off or unknown.
	Fairness string
	Config   *rest.Config
	// Client talks to any path, without limits of its own.
	Client rest.Interface
	Kube   kubernetes.Interface
	// API and Etcd serve metrics; nil where they are out of reach.
	API, Etcd sampler.Source
	// PIDs of the control plane's processes on this machine.
	PIDs func() map[string]int
	// Close takes down what Open brought up.
	Close func(context.Context) error
}

// StartEmbedded starts a control plane of the lab's own, with the CRDs. One that
// is kept outlives the lab; `make control-plane-down` stops it.
func StartEmbedded(ctx context.Context, name string, limitsOff, keep bool) (*Place, error) {
	plane, err := controlplane.Start(ctx, controlplane.Options{Name: name, DisableQPSLimits: limitsOff, StartTimeout: startTimeout})
	if err != nil {
		return nil, err
	}
	if err := plane.InstallCRDs(ctx); err != nil {
		return nil, errors.Join(err, plane.Stop(context.WithoutCancel(ctx)))
	}
	p, err := connect(ctx, Embedded, plane.Kubeconfig)
	if err != nil {
		return nil, errors.Join(err, plane.Stop(context.WithoutCancel(ctx)))
	}
	p.Fairness = "on"
	if limitsOff {
		p.Fairness = "off"
	}
	p.Etcd = sampler.HTTPSource(http.DefaultClient, plane.EtcdMetricsURL())
	p.PIDs = func() map[string]int {
		out := map[string]int{}
		for component, pid := range plane.PIDs() {
			out[string(component)] = pid
		}
		return out
	}
	p.Close = plane.Stop
	if keep {
		p.Close = func(context.Context) error { return plane.Release() }
	}
	return p, nil
}

// Open connects to a cluster by its kubeconfig.
func Open(ctx context.Context, name, kubeconfig string) (*Place, error) {
	p, err := connect(ctx, name, kubeconfig)
	if err != nil {
		return nil, err
	}
	p.Fairness = "unknown"
	if _, err := p.Kube.FlowcontrolV1().FlowSchemas().Get(ctx, "catch-all", metav1.GetOptions{}); err == nil {
		p.Fairness = "on"
	}
	p.PIDs = func() map[string]int { return nil }
	p.Close = func(context.Context) error { return nil }
	return p, nil
}

func connect(ctx context.Context, name, kubeconfig string) (*Place, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS = -1
	config.DisableCompression = true
	config.UserAgent = "kyma-load-lab"
	p := &Place{Name: name, Kubeconfig: kubeconfig, Config: config}
	if p.Kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if p.Client, err = rawClient(config); err != nil {
		return nil, err
	}
	version, err := p.Kube.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("reach the API server of %s: %w", kubeconfig, err)
	}
	p.Version = version.GitVersion
	if err := p.served(); err != nil {
		return nil, err
	}
	p.API = func(ctx context.Context) (io.ReadCloser, error) {
		return p.Client.Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").Stream(ctx)
	}
	if _, err := sampler.Read(ctx, p.API, []string{"process_cpu_seconds_total"}, nil); err != nil {
		p.API = nil // without the right to read /metrics, or hidden by the provider
	}
	return p, nil
}

func (p *Place) served() error {
	group := v1alpha1.GroupVersion.String()
	resources, err := p.Kube.Discovery().ServerResourcesForGroupVersion(group)
	if err != nil || len(resources.APIResources) == 0 {
		return fmt.Errorf("the cluster of %s does not serve %s: `kubectl apply -k manifests/operator` installs it", p.Kubeconfig, group)
	}
	return nil
}

// rawClient sends to absolute paths and leaves the bodies alone.
func rawClient(config *rest.Config) (rest.Interface, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion = &schema.GroupVersion{}
	c.NegotiatedSerializer = serializer.WithoutConversionCodecFactory{CodecFactory: scheme.Codecs}
	c.ContentType, c.AcceptContentTypes = "application/json", "application/json"
	client, err := rest.UnversionedRESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("make raw client: %w", err)
	}
	return client, nil
}

// The label by which the lab knows its own namespaces.
const (
	managedBy = "app.kubernetes.io/managed-by"
	us        = "kyma-load-lab"
)

// MakeNamespace creates a namespace unless it is there, and tells whether it is
// the lab's own: only such a one may be deleted afterwards.
func (p *Place) MakeNamespace(ctx context.Context, name string) (ours bool, err error) {
	namespaces := p.Kube.CoreV1().Namespaces()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{managedBy: us}}}
	_, err = namespaces.Create(ctx, ns, metav1.CreateOptions{})
	if err == nil {
		return true, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return false, fmt.Errorf("create namespace %s: %w", name, err)
	}
	if ns, err = namespaces.Get(ctx, name, metav1.GetOptions{}); err != nil {
		return false, fmt.Errorf("get namespace %s: %w", name, err)
	}
	if ns.DeletionTimestamp != nil {
		return false, fmt.Errorf("namespace %s is being deleted; try again when it is gone", name)
	}
	return ns.Labels[managedBy] == us, nil
}

// RemoveNamespace deletes a namespace with everything in it and waits until it
// is gone.
func (p *Place) RemoveNamespace(ctx context.Context, name string, timeout time.Duration) error {
	namespaces := p.Kube.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		_, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the end of namespace %s: %w", name, err)
	}
	return nil
}
