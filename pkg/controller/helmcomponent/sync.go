package helmcomponent

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// sync brings one component to the state that is due. What it has rendered ends
// with renders, which is before ctx when the operator stops: a render leaves
// nothing behind that would have to be finished.
func (c *Controller) sync(ctx, renders context.Context, key Key) (time.Duration, error) {
	c.Throttle.Leave(key)
	hc, err := c.Components.Lister.HelmComponents(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.status.Forget(key.ObjectName)
		c.rendering.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("get helmcomponent %s: %w", key, err)
	}
	if hc.DeletionTimestamp != nil {
		return 0, nil
	}
	if c.status.Behind(key.ObjectName, hc.ResourceVersion) {
		return staleDelay, nil
	}
	now := c.Clock.Now()
	d := decide(hc, nil, now, c.policy)
	if d.render {
		result := c.rendering.get(renders, key, hc)
		if result == nil {
			return 0, nil
		}
		now = c.Clock.Now()
		d = decide(hc, result, now, c.policy)
	}
	return c.commit(ctx, hc, d, now)
}

// commit writes the decided status if it differs. A state that a later one will
// make up for waits for capacity to spare; success, errors and new timelines
// are written in their turn.
func (c *Controller) commit(ctx context.Context, hc *v1alpha1.HelmComponent, d decision, decided time.Time) (time.Duration, error) {
	deadline := d.due
	if d.optional {
		deadline = deadline.Add(patience)
	}
	written := d.status
	now := metav1.NewTime(c.Clock.Now())
	written.LastReconciliation = &now
	result, err := c.status.Commit(ctx, commit.Change[v1alpha1.HelmComponentStatus]{
		Object: hc, Old: hc.Status, New: written,
		Deadline: deadline, Optional: d.optional, Passed: d.passed,
	})
	if err != nil {
		return 0, err
	}
	switch result {
	case commit.Conflict:
		return staleDelay, nil
	case commit.Busy:
		key := keyOf(hc)
		c.Throttle.Park(key, d.due, func() { c.queue.Add(key) })
		return c.untilUrgent(hc, deadline), nil
	case commit.Written:
		c.Metrics.Late(string(d.status.Status), c.Clock.Since(d.due))
		klog.FromContext(ctx).V(4).Info("Component changed", "state", d.status.Status, "message", d.status.Message)
	case commit.Skipped:
	}
	if d.status.Message != "" {
		return 0, errors.New(d.status.Message)
	}
	if d.after > 0 {
		// A write has to wait for its turn; the next state does not wait for it.
		return max(d.after-c.Clock.Since(decided), time.Nanosecond), nil
	}
	return 0, nil
}

// untilUrgent is how long a component that found no capacity may be left alone,
// unless there is some before: until its final state is due, or patience ends
// with the state that is due now.
func (c *Controller) untilUrgent(hc *v1alpha1.HelmComponent, deadline time.Time) time.Duration {
	final := lifecycle.Origin(hc).Add(c.policy.timeline.Duration(hc.Spec.ComponentName))
	if !lifecycle.Succeeded(hc) && final.Before(deadline) {
		deadline = final
	}
	return max(deadline.Sub(c.Clock.Now()), time.Nanosecond)
}
