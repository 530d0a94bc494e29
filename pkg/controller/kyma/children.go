package kyma

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
)

// children is what the controller did to components and the cache has yet to
// show: creations and corrections by resourceVersion, deletions by UID.
type children struct {
	writes *commit.Tracker

	mu      sync.Mutex
	deleted map[types.UID]struct{}
	// awaited are names that others hold, each with the Kyma that needs it.
	awaited map[cache.ObjectName]Key
}

func newChildren() *children {
	return &children{writes: commit.NewTracker(), deleted: map[types.UID]struct{}{}, awaited: map[cache.ObjectName]Key{}}
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

// await remembers that a Kyma needs a name that another object holds.
func (c *children) await(name cache.ObjectName, key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited[name] = key
}

// freed returns the Kyma that needs the name of an object that is gone.
func (c *children) freed(name cache.ObjectName) (Key, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ok := c.awaited[name]
	delete(c.awaited, name)
	return key, ok
}
