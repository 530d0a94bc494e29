package kyma

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
)

// children is what the controller did to components and the cache has yet to
// show: creations and corrections by resourceVersion, deletions by UID.
type children struct {
	writes *commit.Tracker

	mu      sync.Mutex
	deleted map[types.UID]struct{}
}

func newChildren() *children {
	return &children{writes: commit.NewTracker(), deleted: map[types.UID]struct{}{}}
}

func (c *children) wasDeleted(hc *v1alpha1.HelmComponent) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.deleted[hc.UID]
	return ok
}

func (c *children) delete(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deleted[uid] = struct{}{}
}

func (c *children) forget(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.deleted, uid)
}
