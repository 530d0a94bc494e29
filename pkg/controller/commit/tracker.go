package commit

import (
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"
)

// Tracker remembers the resourceVersion of the operator's own last write to
// each object, until the cache has caught up with it. A decision taken from an
// older object would repeat what was just done.
type Tracker struct {
	mu     sync.Mutex
	writes map[cache.ObjectName]string
}

// NewTracker makes a Tracker.
func NewTracker() *Tracker {
	return &Tracker{writes: map[cache.ObjectName]string{}}
}

// Wrote records a write that returned resourceVersion.
func (t *Tracker) Wrote(name cache.ObjectName, resourceVersion string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes[name] = resourceVersion
}

// Behind tells whether a cache that is at resourceVersion has yet to see the
// own last write to the object. Once it has, the write is forgotten.
func (t *Tracker) Behind(name cache.ObjectName, resourceVersion string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	written, ok := t.writes[name]
	if !ok {
		return false
	}
	if older(resourceVersion, written) {
		return true
	}
	delete(t.writes, name)
	return false
}

// Own tells whether an object of that resourceVersion is exactly what the own
// last write made, and so brings no news.
func (t *Tracker) Own(name cache.ObjectName, resourceVersion string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	written, ok := t.writes[name]
	if !ok {
		return false
	}
	if !older(resourceVersion, written) {
		delete(t.writes, name)
	}
	return resourceVersion == written
}

// Forget drops what is known of an object that is gone.
func (t *Tracker) Forget(name cache.ObjectName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.writes, name)
}

// Len is the number of writes that the cache has yet to catch up with.
func (t *Tracker) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.writes)
}

// older compares resourceVersions; versions that cannot be compared are taken
// as current, because waiting for them could last for ever.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
