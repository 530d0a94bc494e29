// Package informers makes the operator's view of the API: one shared informer
// per kind that keeps only what the controllers read, because at 76,000 objects
// each byte of an object is 76 KB of the process.
package informers

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	generated "github.com/kyma-incubator/kymactl/pkg/generated/informers/externalversions/inventory/v1alpha1"
	listers "github.com/kyma-incubator/kymactl/pkg/generated/listers/inventory/v1alpha1"
)

// byOwner indexes HelmComponents by the UID of the Kyma that owns them. A name
// would not do: a Kyma that is made again under its old name is another one.
const byOwner = "owner"

// Kymas is the shared informer of all Kymas.
type Kymas struct {
	generated.KymaIndexInformer
	Lister listers.KymaLister
}

// HelmComponents is the shared informer of all HelmComponents.
type HelmComponents struct {
	generated.HelmComponentIndexInformer
	Lister listers.HelmComponentLister
}

// Options of the informers.
type Options struct {
	// Namespace to watch; empty: all.
	Namespace string
	// Name labels the informers' metrics; nil: none are reported.
	Name *cache.InformerName
}

// NewKymas makes the informer of the Kymas.
func NewKymas(client versioned.Interface, o Options) (*Kymas, error) {
	informer, err := newInformer[v1alpha1.Kyma](client, o, "kymas", stripKyma, cache.Indexers{})
	if err != nil {
		return nil, err
	}
	return &Kymas{generated.ToKymaIndexInformer(informer), listers.NewKymaLister(informer.GetIndexer())}, nil
}

// NewHelmComponents makes the informer of the HelmComponents.
func NewHelmComponents(client versioned.Interface, o Options) (*HelmComponents, error) {
	informer, err := newInformer[v1alpha1.HelmComponent](client, o, "helmcomponents", stripHelmComponent,
		cache.TypedIndexersToIndexers(generated.HelmComponentIndexers{byOwner: ownerUID}))
	if err != nil {
		return nil, err
	}
	return &HelmComponents{generated.ToHelmComponentIndexInformer(informer), listers.NewHelmComponentLister(informer.GetIndexer())}, nil
}

// newInformer makes an informer past the generated factory, which would decode
// lists as a whole and add an index by namespace.
func newInformer[T any, P interface {
	*T
	runtime.Object
}](client versioned.Interface, o Options, resource string, strip cache.TransformFunc, indexers cache.Indexers) (cache.SharedIndexInformer, error) {
	lw := listWatch[T](source{client.InventoryV1alpha1().RESTClient, resource, o.Namespace}, strip)
	informer := cache.NewSharedIndexInformerWithOptions(lw, P(new(T)), cache.SharedIndexInformerOptions{
		Indexers:   indexers,
		Identifier: o.Name.WithResource(schema.GroupVersion(v1alpha1.GroupVersion).WithResource(resource)),
	})
	if err := informer.SetTransform(strip); err != nil {
		return nil, fmt.Errorf("set transform of %s: %w", resource, err)
	}
	return informer, nil
}

// OwnedBy returns the HelmComponents of a Kyma, in no order.
func (h *HelmComponents) OwnedBy(uid types.UID) ([]*v1alpha1.HelmComponent, error) {
	owned, err := h.GetTypedIndexer().ByTypedIndex(byOwner, string(uid))
	if err != nil {
		return nil, fmt.Errorf("list helmcomponents by owner: %w", err)
	}
	return owned, nil
}

// Version is the resourceVersion that the informer's store is at.
func (h *HelmComponents) Version() string { return h.GetStore().LastStoreSyncResourceVersion() }

func ownerUID(hc *v1alpha1.HelmComponent) ([]string, error) {
	if owner := OwnerKyma(hc); owner != nil {
		return []string{string(owner.UID)}, nil
	}
	return nil, nil
}

// OwnerKyma returns the reference to the Kyma that controls a component, nil if
// none does.
func OwnerKyma(hc *v1alpha1.HelmComponent) *metav1.OwnerReference {
	owner := metav1.GetControllerOfNoCopy(hc)
	if owner == nil || owner.Kind != "Kyma" || owner.APIVersion != v1alpha1.GroupVersion.String() {
		return nil
	}
	return owner
}
