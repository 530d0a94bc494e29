// Package helmcomponent drives each HelmComponent through its lifecycle.
//
// It keeps true: states move forward along the timeline and never early; a
// status is written if and only if it differs; a restart or a failover changes
// nothing, because the timeline is a function of the object and the time; a
// slow chart holds up nobody but the components that want it.
package helmcomponent

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
	"github.com/kyma-incubator/kymactl/pkg/render"
)

// Name of the controller, its queue and its metrics.
const Name = "helmcomponent"

const (
	// staleDelay is how long a sync waits for the cache to catch up.
	staleDelay = 30 * time.Millisecond
	// patience is how long an intermediate state may be put off in all.
	patience = time.Minute
	// renderPatience bounds how long a worker waits for a chart.
	renderPatience = 20 * time.Millisecond
)

// Key is a HelmComponent on the queue.
type Key struct{ cache.ObjectName }

// Options are the settings of the controller.
type Options struct {
	Workers      int
	Retry        queue.Retry
	ResyncPeriod time.Duration
	Timeline     lifecycle.Timeline
	// Coalesce writes only the latest of several states that are due.
	Coalesce bool
	// AlwaysWrite turns the comparison of statuses off, for the experiment that
	// shows what it is worth.
	AlwaysWrite bool
}

// Metrics is what the controller reports.
type Metrics interface {
	commit.Metrics
	Reconciled(controller string, took time.Duration, err error)
	Late(state string, late time.Duration)
}

// Dependencies are what the controller works with.
type Dependencies struct {
	PutStatus  commit.Put[v1alpha1.HelmComponentStatus]
	Current    commit.Current
	Components *informers.HelmComponents
	Renderer   render.Renderer
	Throttle   *throttle.Throttle
	Clock      clock.WithTicker
	Metrics    Metrics
	Queues     workqueue.MetricsProvider
}

// +kubebuilder:rbac:groups=inventory.kyma-project.io,resources=helmcomponents,verbs=list;watch
// +kubebuilder:rbac:groups=inventory.kyma-project.io,resources=helmcomponents/status,verbs=update

// Controller drives HelmComponents.
type Controller struct {
	Dependencies
	options   Options
	policy    policy
	queue     *queue.Queue[Key]
	status    *commit.Committer[v1alpha1.HelmComponentStatus]
	rendering *rendering
}

// New wires a controller; it starts nothing.
func New(d Dependencies, o Options) (*Controller, error) {
	c := &Controller{Dependencies: d, options: o, policy: policy{timeline: o.Timeline, coalesce: o.Coalesce}}
	c.status = commit.New(commit.Config[v1alpha1.HelmComponentStatus]{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HelmComponent"},
		Put:      d.PutStatus,
		Current:  d.Current,
		Equal:    equal,
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
	c.rendering = newRendering(d.Renderer, d.Clock, renderPatience, c.queue.Add)
	if _, err := d.Components.AddTypedEventHandler(c.events()); err != nil {
		return nil, fmt.Errorf("watch helmcomponents: %w", err)
	}
	return c, nil
}

// Run works the queue until ctx ends; syncs in flight then are finished under
// the context work. The informer must be synced.
func (c *Controller) Run(ctx, work context.Context) {
	go queue.Resync(ctx, c.Clock, c.options.ResyncPeriod, func() []Key {
		return queue.Keys(c.Components.GetStore(), func(name cache.ObjectName) Key { return Key{name} })
	}, c.queue.Add)
	c.queue.Run(ctx, work, func(flight context.Context, key Key) (time.Duration, error) {
		return c.sync(flight, ctx, key)
	})
	c.rendering.wait()
}

func (c *Controller) events() cache.TypedResourceEventHandler[*v1alpha1.HelmComponent] {
	return cache.TypedResourceEventHandlerFuncs[*v1alpha1.HelmComponent]{
		AddFunc: func(hc *v1alpha1.HelmComponent) {
			// There is nothing to do for nearly all of a fleet when the operator starts.
			if !lifecycle.Succeeded(hc) {
				c.queue.Add(keyOf(hc))
			}
		},
		UpdateFunc: func(_, hc *v1alpha1.HelmComponent) {
			if !c.status.Own(cache.MetaObjectToName(hc), hc.ResourceVersion) {
				c.queue.Add(keyOf(hc))
			}
		},
		DeleteFunc: func(gone cache.DeletedObject[*v1alpha1.HelmComponent]) { c.queue.Add(Key{gone.GetObjectName()}) },
	}
}

func keyOf(hc *v1alpha1.HelmComponent) Key { return Key{cache.MetaObjectToName(hc)} }

// deadline orders the queue: a final state by when it was due, an intermediate
// one after patience, so that it comes first only when it was put off for long.
func (c *Controller) deadline(key Key) time.Time {
	now := c.Clock.Now()
	hc, err := c.Components.Lister.HelmComponents(key.Namespace).Get(key.Name)
	if err != nil {
		return now
	}
	// The chart makes no difference to the order: assume that it is there.
	d := decide(hc, &rendered{digest: "assumed"}, now, c.policy)
	if d.optional {
		return d.due.Add(patience)
	}
	return d.due
}
