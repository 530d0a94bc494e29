package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/internal/process"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	inventory "github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/typed/inventory/v1alpha1"
)

const (
	// unit is the lifecycle's unit: the standard modules take 67 of them.
	unit = 50 * time.Millisecond
	// patience is how long a test waits for what must come; on an idle machine
	// all of it comes within a fraction.
	patience = 90 * time.Second
	// pollInterval is for what cannot be watched.
	pollInterval = 50 * time.Millisecond
)

var timeline = lifecycle.Timeline{Unit: unit}

// lab is a namespace with its record, and what starts operators for it.
type lab struct {
	testing.TB
	plane      *controlplane.ControlPlane
	kube       kubernetes.Interface
	namespace  string
	kymas      inventory.KymaInterface
	components inventory.HelmComponentInterface
	history    *history
	charts     string
}

var namespaces atomic.Int32

// newLab makes a namespace of the test's own on the shared control plane.
func newLab(t testing.TB) *lab {
	t.Helper()
	return newLabOn(t, controlplane.Shared(t))
}

func newLabOn(t testing.TB, plane *controlplane.ControlPlane) *lab {
	t.Helper()
	kube, err := kubernetes.NewForConfig(plane.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	client, err := versioned.NewForConfig(plane.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	namespace := fmt.Sprintf("lab-%d", namespaces.Add(1))
	_, err = kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{
		TB: t, plane: plane, kube: kube, namespace: namespace,
		kymas:      client.InventoryV1alpha1().Kymas(namespace),
		components: client.InventoryV1alpha1().HelmComponents(namespace),
		history:    record(t, etcdOf(plane), namespace),
		charts:     t.TempDir(),
	}
	for _, module := range v1alpha1.StandardComponents() {
		l.chart(module.Name, "")
	}
	return l
}

// chart writes a module's chart; template is added to what is always in it.
func (l *lab) chart(module, template string) {
	l.Helper()
	dir := filepath.Join(l.charts, module)
	files := map[string]string{
		"Chart.yaml":        "apiVersion: v2\nname: " + module + "\nversion: 1.0.0\n",
		"templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\n" + template,
	}
	if err := os.MkdirAll(filepath.Join(dir, "templates"), 0o755); err != nil {
		l.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			l.Fatal(err)
		}
	}
}

// start starts an operator for the namespace and waits until it is ready.
func (l *lab) start(args ...string) *operatorProcess {
	l.Helper()
	return l.startAs(l.plane.RESTConfig(), args...)
}

func (l *lab) startAs(config *rest.Config, args ...string) *operatorProcess {
	l.Helper()
	p := l.spawn(config, args...)
	l.eventually("the operator is ready", p.ready)
	return p
}

// spawn starts an operator and does not wait.
func (l *lab) spawn(config *rest.Config, args ...string) *operatorProcess {
	l.Helper()
	return launch(l.TB, os.Environ(), append([]string{
		"--kubeconfig=" + process.Kubeconfig(l.TB, config),
		"--namespace=" + l.namespace,
		"--lifecycle-unit=" + unit.String(),
		"--charts=" + l.charts,
		"--metrics-bind-address=127.0.0.1:0",
		"--health-probe-bind-address=127.0.0.1:0",
	}, args...)...)
}

// kyma makes a Kyma of modules that have charts.
func kyma(name string, modules ...string) *v1alpha1.Kyma {
	ky := &v1alpha1.Kyma{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, module := range modules {
		ky.Spec.Components = append(ky.Spec.Components, v1alpha1.KymaComponent{Name: module})
	}
	return ky
}

// standard makes a Kyma of the 18 standard modules.
func standard(name string) *v1alpha1.Kyma {
	ky := kyma(name)
	ky.Spec.Components = v1alpha1.StandardComponents()
	return ky
}

func (l *lab) create(kymas ...*v1alpha1.Kyma) {
	l.Helper()
	for _, ky := range kymas {
		if _, err := l.kymas.Create(l.Context(), ky, metav1.CreateOptions{}); err != nil {
			l.Fatal(err)
		}
	}
}

// update changes a Kyma's spec.
func (l *lab) update(name string, change func(*v1alpha1.Kyma)) {
	l.Helper()
	l.eventually("update Kyma "+name, func(ctx context.Context) string {
		ky, err := l.kymas.Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			change(ky)
			_, err = l.kymas.Update(ctx, ky, metav1.UpdateOptions{})
		}
		return text(err)
	})
}

// success waits until Kymas say success about their present spec.
func (l *lab) success(names ...string) {
	l.Helper()
	for _, name := range names {
		l.eventually("Kyma "+name+" is success", func(ctx context.Context) string {
			ky, err := l.kymas.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if ky.Status.Status != v1alpha1.KymaSuccess || ky.Status.ObservedGeneration != ky.Generation {
				return fmt.Sprintf("generation %d, status %+v", ky.Generation, ky.Status)
			}
			return ""
		})
	}
}

// reason waits until a Kyma's Ready condition has a reason, and returns it.
func (l *lab) reason(name, reason string) metav1.Condition {
	l.Helper()
	var ready metav1.Condition
	l.eventually("Kyma "+name+" says "+reason, func(ctx context.Context) string {
		ky, err := l.kymas.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if found := meta.FindStatusCondition(ky.Status.Conditions, v1alpha1.ConditionReady); found != nil {
			ready = *found
		}
		if ready.Reason != reason {
			return fmt.Sprintf("it says %+v", ready)
		}
		return ""
	})
	return ready
}

// component returns the component of a Kyma's module.
func (l *lab) component(kyma, module string) *v1alpha1.HelmComponent {
	l.Helper()
	hc, err := l.components.Get(l.Context(), names.Child(kyma, module), metav1.GetOptions{})
	if err != nil {
		l.Fatal(err)
	}
	return hc
}

func (l *lab) eventually(what string, check func(context.Context) string) {
	l.Helper()
	eventually(l.TB, what, check)
}

// eventually waits until check returns an empty string; what it returned last is
// the reason for failing.
func eventually(t testing.TB, what string, check func(context.Context) string) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), pollInterval, patience, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("not within %s: %s: %s", patience, what, strings.TrimSpace(last))
	}
}

// text is an error's words, "" for nil.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
