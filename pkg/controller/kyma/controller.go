// Package kyma makes the HelmComponents of each Kyma equal its spec and keeps
// the Kyma's status.
//
// It keeps true: a component is created once for each module, however stale the
// cache; what is deleted is exactly the object that was looked at (by UID); a
// status is written only when it differs; the final success is never delayed,
// while what comes before it is gathered for coalesceDelay, or for as long as the
// API server has no capacity to spare.
package kyma

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/queue"
	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
	inventory "github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/typed/inventory/v1alpha1"
)

// Name of the controller, its queue and its metrics.
const Name = "kyma"

const (
	// coalesceDelay gathers the changes of a Kyma's components into one status.
	coalesceDelay = 500 * time.Millisecond
	// staleDelay is how long a sync waits for the cache to catch up.
	staleDelay = 30 * time.Millisecond
	// busyDelay bounds the wait for capacity to spare, which ends as soon as
	// there is some.
	busyDelay = 10 * time.Second
	// patience is how long an optional status write may be put off in all.
	patience = time.Minute
	// createBatch is how many components a sync creates while other Kymas wait.
	// Fewer order the creations of a fleet better, more cost fewer syncs.
	createBatch = 3
	// createParallelism bounds the components that one sync creates at once.
	createParallelism = 6
)

// Key is a Kyma on the queue.
type Key struct{ cache.ObjectName }

// Options are the settings of the controller.
type Options struct {
	Workers      int
	Retry        queue.Retry
	ResyncPeriod time.Duration
	Timeline     lifecycle.Timeline
	// AlwaysWrite turns the comparison of statuses off, for the experiment that
	// shows what it is worth.
	AlwaysWrite bool
}

// Metrics is what the controller reports.
type Metrics interface {
	commit.Metrics
	Reconciled(controller string, took time.Duration, err error)
}

// Recorder tells people of a Kyma whose Ready condition has a new reason or
// message; before is nil on a Kyma that had none.
type Recorder interface {
	KymaChanged(ky *v1alpha1.Kyma, before *metav1.Condition, ready metav1.Condition)
}

// Dependencies are what the controller works with.
type Dependencies struct {
	Client     inventory.HelmComponentsGetter
	Create     commit.Create[*v1alpha1.HelmComponent]
	PutStatus  commit.Put[v1alpha1.KymaStatus]
	Current    commit.Current
	Kymas      *informers.Kymas
	Components *informers.HelmComponents
	Throttle   *throttle.Throttle
	Clock      clock.WithTicker
	Metrics    Metrics
	Queues     workqueue.MetricsProvider
	Recorder   Recorder
}

// The permission on finalizers is what OwnerReferencesPermissionEnforcement asks
// of whoever sets blockOwnerDeletion.
//
// +kubebuilder:rbac:groups=inventory.kyma-project.io,resources=kymas,verbs=list;watch
// +kubebuilder:rbac:groups=inventory.kyma-project.io,resources=kymas/status,verbs=update
// +kubebuilder:rbac:groups=inventory.kyma-project.io,resources=kymas/finalizers,verbs=update
// +kubebuilder:rbac:groups=inventory.kyma-project.io,resources=helmcomponents,verbs=list;watch;create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create

// Controller drives Kymas.
type Controller struct {
	Dependencies
	options  Options
	queue    *queue.Queue[Key]
	status   *commit.Committer[v1alpha1.KymaStatus]
	children *children
}

// New wires a controller; it starts nothing.
func New(d Dependencies, o Options) (*Controller, error) {
	c := &Controller{Dependencies: d, options: o, children: newChildren()}
	c.status = commit.New(commit.Config[v1alpha1.KymaStatus]{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kyma"},
		Put:      d.PutStatus,
		Current:  d.Current,
		Equal:    equalStatus,
		Throttle: d.Throttle,
		Metrics:  d.Metrics,
		Clock:    d.Clock,
		Always:   o.AlwaysWrite,
	})
	c.queue = queue.New(queue.Config[Key]{
		Name: Name, Workers: o.Workers, Retry: o.Retry, Clock: d.Clock, Metrics: d.Queues,
		Deadline: c.deadline,
		Observe:  func(took time.Duration, err error) { d.Metrics.Reconciled(Name, took, err) },
		LogKey:   Name,
	})
	if _, err := d.Kymas.AddTypedEventHandler(c.kymaEvents()); err != nil {
		return nil, fmt.Errorf("watch kymas: %w", err)
	}
	if _, err := d.Components.AddTypedEventHandler(c.componentEvents()); err != nil {
		return nil, fmt.Errorf("watch helmcomponents: %w", err)
	}
	return c, nil
}

// Run works the queue until ctx ends; syncs in flight then are finished under
// the context work. The informers must be synced.
func (c *Controller) Run(ctx, work context.Context) {
	go queue.Resync(ctx, c.Clock, c.options.ResyncPeriod, func() []Key {
		return queue.Keys(c.Kymas.GetStore(), func(name cache.ObjectName) Key { return Key{name} })
	}, c.queue.Add)
	c.queue.Run(ctx, work, c.sync)
}

// deadline orders the queue: creations by the length of the timeline they
// begin, the final success by when it was due, everything else after patience.
func (c *Controller) deadline(key Key) time.Time {
	now := c.Clock.Now()
	ky, err := c.Kymas.Lister.Kymas(key.Namespace).Get(key.Name)
	if err != nil {
		return now
	}
	plan, err := c.plan(ky)
	if err != nil {
		return now
	}
	switch {
	case len(plan.create) > 0:
		return createBy(ky, plan.create[0].Name, c.options.Timeline)
	case len(plan.correct) > 0, len(plan.remove) > 0:
		return now
	case statusOf(ky, plan, nil, now).Status == v1alpha1.KymaSuccess:
		return finishBy(ky, c.options.Timeline)
	}
	return now.Add(patience)
}
