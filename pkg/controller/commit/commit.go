// Package commit is the one home of status writes: it compares before it
// writes, skips what is equal, counts what it did, and knows its own last write
// to each object, so that a stale cache never leads to a second one.
package commit

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
)

// Body is what a status write sends: the API server takes all but the status
// from what it has stored, so nothing else is worth its bytes.
type Body[S any] struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        Metadata `json:"metadata"`
	Status          S        `json:"status"`
}

// Metadata names the object and the version that the status was decided from.
type Metadata struct {
	Name            string    `json:"name"`
	Namespace       string    `json:"namespace"`
	UID             types.UID `json:"uid"`
	ResourceVersion string    `json:"resourceVersion"`
}

// Put writes a Body to an object's status and returns its new resourceVersion.
type Put[S any] func(ctx context.Context, body Body[S]) (resourceVersion string, err error)

// Current reads an object's metadata as it is now, past the cache.
type Current func(ctx context.Context, name cache.ObjectName) (metav1.Object, error)

// Metrics counts what became of status writes: written, skipped, coalesced,
// conflict or error.
type Metrics interface {
	StatusWrite(kind, result string, n int)
}

// Result is what became of a status.
type Result int

const (
	// Skipped means that the status is so already.
	Skipped Result = iota
	// Written means that it is now.
	Written
	// Busy means that an optional write found no capacity to spare.
	Busy
	// Conflict means that somebody else wrote the object first.
	Conflict
)

// Change is a status that an object should have.
type Change[S any] struct {
	Object   metav1.Object
	Old, New S
	// Deadline says how urgent the write is.
	Deadline time.Time
	// Optional writes are made only with capacity to spare, until their
	// deadline has passed.
	Optional bool
	// Passed is the number of states that this write passes over.
	Passed int
}

// Config makes a Committer.
type Config[S any] struct {
	TypeMeta metav1.TypeMeta
	Put      Put[S]
	// Current serves the second try after a conflict.
	Current Current
	// Equal says whether two statuses need no write between them.
	Equal    func(a, b *S) bool
	Throttle *throttle.Throttle
	Metrics  Metrics
	Clock    clock.PassiveClock
	// Always writes statuses that are equal, too: the experiment that shows
	// what comparing is worth.
	Always bool
}

// Committer writes the statuses of one kind.
type Committer[S any] struct {
	*Tracker
	config Config[S]
}

// New makes a Committer.
func New[S any](config Config[S]) *Committer[S] {
	return &Committer[S]{Tracker: NewTracker(), config: config}
}

// Commit makes the status so. It blocks while more urgent writes go first. An
// object that is gone counts as Skipped.
func (c *Committer[S]) Commit(ctx context.Context, change Change[S]) (Result, error) {
	if !c.config.Always && c.config.Equal(&change.Old, &change.New) {
		c.count("skipped", 1)
		return Skipped, nil
	}
	release, err := c.acquire(ctx, change)
	if errors.Is(err, throttle.ErrBusy) {
		return Busy, nil
	}
	if err != nil {
		return Skipped, fmt.Errorf("wait to write status: %w", err)
	}
	defer release()
	return c.put(ctx, change)
}

func (c *Committer[S]) acquire(ctx context.Context, change Change[S]) (func(), error) {
	if change.Optional && c.config.Clock.Now().Before(change.Deadline) {
		return c.config.Throttle.TryAcquire()
	}
	return c.config.Throttle.Acquire(ctx, change.Deadline)
}

func (c *Committer[S]) put(ctx context.Context, change Change[S]) (Result, error) {
	version, err := c.send(ctx, change.Object, change.New)
	if apierrors.IsConflict(err) {
		version, err = c.again(ctx, change)
	}
	switch {
	case err == nil:
		c.Wrote(cache.MetaObjectToName(change.Object), version)
		c.count("written", 1)
		c.count("coalesced", change.Passed)
		return Written, nil
	case apierrors.IsConflict(err):
		return Conflict, nil
	case apierrors.IsNotFound(err):
		return Skipped, nil
	default:
		c.count("error", 1)
		return Skipped, fmt.Errorf("write status of %s %s/%s: %w", c.config.TypeMeta.Kind, change.Object.GetNamespace(), change.Object.GetName(), err)
	}
}

func (c *Committer[S]) send(ctx context.Context, obj metav1.Object, status S) (string, error) {
	version, err := c.config.Put(ctx, Body[S]{
		TypeMeta: c.config.TypeMeta,
		Metadata: Metadata{
			Name: obj.GetName(), Namespace: obj.GetNamespace(),
			UID: obj.GetUID(), ResourceVersion: obj.GetResourceVersion(),
		},
		Status: status,
	})
	if apierrors.IsConflict(err) {
		c.count("conflict", 1)
	}
	return version, err
}

// again tries once more from the object as it is now. An object that others
// change faster than the cache follows would otherwise conflict for ever. The
// decision still holds if the spec that it was taken from does.
func (c *Committer[S]) again(ctx context.Context, change Change[S]) (string, error) {
	name := cache.MetaObjectToName(change.Object)
	current, err := c.config.Current(ctx, name)
	if err != nil {
		return "", fmt.Errorf("read after a conflict: %w", err)
	}
	if current.GetUID() != change.Object.GetUID() || current.GetGeneration() != change.Object.GetGeneration() {
		return "", apierrors.NewConflict(schema.GroupResource{Resource: c.config.TypeMeta.Kind}, name.String(), errChanged)
	}
	return c.send(ctx, current, change.New)
}

var errChanged = errors.New("the spec is another now")

func (c *Committer[S]) count(result string, n int) {
	if n > 0 {
		c.config.Metrics.StatusWrite(c.config.TypeMeta.Kind, result, n)
	}
}
