package kyma

import (
	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

func (c *Controller) kymaEvents() cache.TypedResourceEventHandler[*v1alpha1.Kyma] {
	return cache.TypedResourceEventHandlerFuncs[*v1alpha1.Kyma]{
		AddFunc: func(ky *v1alpha1.Kyma) { c.queue.Add(keyOf(ky)) },
		UpdateFunc: func(_, ky *v1alpha1.Kyma) {
			if !c.status.Own(cache.MetaObjectToName(ky), ky.ResourceVersion) {
				c.queue.Add(keyOf(ky))
			}
		},
		DeleteFunc: func(gone cache.DeletedObject[*v1alpha1.Kyma]) { c.queue.Add(Key{gone.GetObjectName()}) },
	}
}

// componentEvents lead back to the owner only when they can change something
// there.
func (c *Controller) componentEvents() cache.TypedResourceEventHandler[*v1alpha1.HelmComponent] {
	return cache.TypedResourceEventHandlerDetailedFuncs[*v1alpha1.HelmComponent]{
		AddFunc: func(hc *v1alpha1.HelmComponent, isInInitialList bool) {
			own := c.children.writes.Own(cache.MetaObjectToName(hc), hc.ResourceVersion)
			// At the start each Kyma's own event comes as well.
			if !own && !isInInitialList {
				c.enqueueOwner(hc, false)
			}
		},
		UpdateFunc: func(old, hc *v1alpha1.HelmComponent) {
			plan := concernsPlan(old, hc)
			if plan || concernsStatus(old, hc) {
				c.enqueueOwner(hc, !plan)
			}
		},
		DeleteFunc: func(gone cache.DeletedObject[*v1alpha1.HelmComponent]) {
			c.children.writes.Forget(gone.GetObjectName())
			if waiting, ok := c.children.freed(gone.GetObjectName()); ok {
				c.queue.Add(waiting)
			}
			if hc := gone.OptionalObj; hc != nil {
				c.children.forget(hc.UID)
				c.enqueueOwner(hc, false)
			}
		},
	}
}

// concernsPlan tells whether a change can change what has to be done about the
// owner's components.
func concernsPlan(old, hc *v1alpha1.HelmComponent) bool {
	return old.UID != hc.UID ||
		old.Spec != hc.Spec ||
		informers.LabelsDrifted(old) != informers.LabelsDrifted(hc) ||
		(old.DeletionTimestamp == nil) != (hc.DeletionTimestamp == nil)
}

// concernsStatus tells whether a change can change the owner's status alone.
func concernsStatus(old, hc *v1alpha1.HelmComponent) bool {
	return lifecycle.Succeeded(old) != lifecycle.Succeeded(hc) || old.Status.Message != hc.Status.Message
}

// enqueueOwner gathers what happens to a Kyma's components for a while, but for
// the success of the last one, which waits for nothing. What concerns the status
// alone may be gathered for longer while the Kyma is parked: it is woken, to look
// at everything, when there is capacity to write it.
func (c *Controller) enqueueOwner(hc *v1alpha1.HelmComponent, statusOnly bool) {
	owner := informers.OwnerKyma(hc)
	if owner == nil {
		return
	}
	// By name: a Kyma that was made again under this name may wait for the
	// component of its predecessor to go.
	key := Key{cache.ObjectName{Namespace: hc.Namespace, Name: owner.Name}}
	switch {
	case c.allSucceeded(hc):
		c.queue.Add(key)
	case statusOnly && c.Throttle.Parked(key):
		c.queue.AddAfter(key, busyDelay)
	default:
		c.queue.AddAfter(key, coalesceDelay)
	}
}

func (c *Controller) allSucceeded(hc *v1alpha1.HelmComponent) bool {
	owned, err := c.Components.OwnedBy(informers.OwnerKyma(hc).UID)
	if err != nil {
		return false
	}
	for _, sibling := range owned {
		// One that is being deleted belongs to no module any more.
		if sibling.DeletionTimestamp == nil && !lifecycle.Succeeded(sibling) {
			return false
		}
	}
	return true
}

func keyOf(ky *v1alpha1.Kyma) Key { return Key{cache.MetaObjectToName(ky)} }
