package integration

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	kymacontroller "github.com/kyma-incubator/kymactl/pkg/controller/kyma"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
	"github.com/kyma-incubator/kymactl/pkg/controller/stream"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	generated "github.com/kyma-incubator/kymactl/pkg/generated/informers/externalversions/inventory/v1alpha1"
)

// BenchmarkCaches fills caches from the real API server, with converged
// components: through a generated informer as it is, and as the operator does.
// It reports the heap and the time of each component.
func BenchmarkCaches(b *testing.B) {
	l := newLab(b)
	const kymas = 100
	l.converged(b, kymas)
	for name, fill := range map[string]func(*testing.B) cache.SharedIndexInformer{
		"plain": func(b *testing.B) cache.SharedIndexInformer {
			client, err := versioned.NewForConfig(l.plane.RESTConfig())
			if err != nil {
				b.Fatal(err)
			}
			return generated.NewHelmComponentInformer(client, l.namespace, 0, cache.Indexers{})
		},
		"operator": func(b *testing.B) cache.SharedIndexInformer {
			return l.operatorCache(b)
		},
	} {
		b.Run(name, func(b *testing.B) {
			const n = kymas * 18
			var took time.Duration
			var bytes uint64
			for b.Loop() {
				before := heap()
				informer := fill(b)
				ctx, stop := context.WithCancel(b.Context())
				begin := time.Now()
				go informer.RunWithContext(ctx)
				if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) || len(informer.GetStore().ListKeys()) != n {
					b.Fatalf("%d of %d components", len(informer.GetStore().ListKeys()), n)
				}
				took += time.Since(begin)
				bytes += max(heap(), before) - before
				runtime.KeepAlive(informer)
				stop()
			}
			b.ReportMetric(float64(bytes)/float64(b.N*n), "bytes/component")
			b.ReportMetric(float64(took.Microseconds())/float64(b.N*n), "us/component")
		})
	}
}

// A cache over a list that was read as a stream has what the server has, and
// follows what happens after.
func TestCacheOfManyComponents(t *testing.T) {
	l := newLab(t)
	const kymas = 60
	l.converged(t, kymas)
	informer := l.operatorCache(t)
	go informer.RunWithContext(t.Context())
	if !cache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) {
		t.Fatal("the cache is not filled")
	}
	list, err := l.components.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != kymas*18 || len(informer.GetStore().ListKeys()) != kymas*18 {
		t.Errorf("the cache has %d components, the server %d, want %d", len(informer.GetStore().ListKeys()), len(list.Items), kymas*18)
	}
	for i := range list.Items {
		want := &list.Items[i]
		got, err := informer.Lister.HelmComponents(l.namespace).Get(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.UID != want.UID || got.ResourceVersion != want.ResourceVersion || got.Spec != want.Spec ||
			!lifecycle.Succeeded(got) || informers.LabelsDrifted(got) {
			t.Fatalf("the cache has %+v, the server %+v", got, want)
		}
	}
	if err := l.components.Delete(t.Context(), list.Items[0].Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a deletion after the list", func(context.Context) string {
		if n := len(informer.GetStore().ListKeys()); n != kymas*18-1 {
			return fmt.Sprintf("%d components", n)
		}
		return ""
	})
}

// operatorCache is the operator's informer of components, not started.
func (l *lab) operatorCache(t testing.TB) *informers.HelmComponents {
	t.Helper()
	client, err := stream.NewForConfig(l.plane.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	informer, err := informers.NewHelmComponents(client, informers.Options{Namespace: l.namespace})
	if err != nil {
		t.Fatal(err)
	}
	return informer
}

// converged makes the components of Kymas, each in success, without an operator.
func (l *lab) converged(b testing.TB, kymas int) {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for k := range kymas {
		ky, err := l.kymas.Create(b.Context(), &v1alpha1.Kyma{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("kyma%05d", k)},
			Spec:       v1alpha1.KymaSpec{Components: v1alpha1.StandardComponents()},
		}, metav1.CreateOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for _, module := range ky.Spec.Components {
			group.Go(func() error {
				hc, err := l.components.Create(b.Context(), &v1alpha1.HelmComponent{
					ObjectMeta: metav1.ObjectMeta{
						Name: names.Child(ky.Name, module.Name), Labels: names.Labels(ky.Name, module.Name),
						OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(ky, schema.GroupVersion(v1alpha1.GroupVersion).WithKind("Kyma"))},
					},
					Spec: kymacontroller.ComponentSpec(module),
				}, metav1.CreateOptions{})
				if err != nil {
					return err
				}
				now := metav1.Now()
				hc.Status = v1alpha1.HelmComponentStatus{
					Status: v1alpha1.ComponentSuccess, LastReconciliation: &now, ObservedGeneration: 1, ManifestDigest: fmt.Sprintf("sha256:%064d", len(module.Name)),
				}
				_, err = l.components.UpdateStatus(b.Context(), hc, metav1.UpdateOptions{})
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

// heap is what is alive on it.
func heap() uint64 {
	// Twice: what the first collection only unlinks, the second frees.
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
