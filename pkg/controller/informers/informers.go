// Package informers makes the operator's view of the API: one shared informer
// per kind that keeps only what the controllers read, because at 76,000 objects
// each byte of an object is 76 KB of the process.
package informers

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	"github.com/kyma-incubator/kymactl/pkg/generated/informers/externalversions/internalinterfaces"
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
	// The informer is made past the factory, which would add an index by namespace.
	informer := generated.NewTypedKymaInformerWithOptions(client, o.Namespace, internalinterfaces.InformerOptions{
		InformerName: o.Name, Indexers: cache.Indexers{},
	})
	if err := informer.SetTransform(stripKyma); err != nil {
		return nil, fmt.Errorf("set transform of kymas: %w", err)
	}
	return &Kymas{informer, listers.NewKymaLister(informer.GetIndexer())}, nil
}

// NewHelmComponents makes the informer of the HelmComponents.
func NewHelmComponents(client versioned.Interface, o Options) (*HelmComponents, error) {
	informer := generated.NewTypedHelmComponentInformerWithOptions(client, o.Namespace, internalinterfaces.InformerOptions{
		InformerName: o.Name,
		Indexers:     cache.TypedIndexersToIndexers(generated.HelmComponentIndexers{byOwner: ownerUID}),
	})
	if err := informer.SetTransform(stripHelmComponent); err != nil {
		return nil, fmt.Errorf("set transform of helmcomponents: %w", err)
	}
	return &HelmComponents{informer, listers.NewHelmComponentLister(informer.GetIndexer())}, nil
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
