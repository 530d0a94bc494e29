package kyma

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// sync brings one Kyma's components and status to where they should be.
func (c *Controller) sync(ctx context.Context, key Key) (time.Duration, error) {
	c.Throttle.Leave(key)
	ky, err := c.Kymas.Lister.Kymas(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		c.status.Forget(key.ObjectName)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("get kyma %s: %w", key, err)
	}
	if ky.DeletionTimestamp != nil {
		return 0, nil
	}
	if c.status.Behind(key.ObjectName, ky.ResourceVersion) {
		return staleDelay, nil
	}
	plan, err := c.plan(ky)
	if err != nil {
		return 0, err
	}
	left, problem := c.apply(ctx, ky, plan)
	if left && problem == nil {
		// The next module's turn comes when no other Kyma's is more urgent.
		c.queue.Add(key)
		return 0, nil
	}
	return c.commit(ctx, ky, plan, problem)
}

func (c *Controller) plan(ky *v1alpha1.Kyma) (plan, error) {
	owned, err := c.Components.OwnedBy(ky.UID)
	if err != nil {
		return plan{}, err
	}
	version := c.Components.Version()
	child := func(name string) cache.ObjectName { return cache.ObjectName{Namespace: ky.Namespace, Name: name} }
	return makePlan(ky, view{
		owned: owned,
		written: func(name string) bool {
			return c.children.writes.Behind(child(name), version)
		},
		deleted: c.children.wasDeleted,
		foreign: func(name string) bool {
			// Not by the lister, which makes an error for each that is not there.
			_, exists, err := c.Components.GetStore().GetByKey(child(name).String())
			return exists && err == nil
		},
	}, c.options.Timeline), nil
}

// apply carries the plan out. With other Kymas on the queue it creates only the
// modules with the longest timelines, so that all Kymas' longest modules begin
// first; left says that there are more.
func (c *Controller) apply(ctx context.Context, ky *v1alpha1.Kyma, p plan) (left bool, err error) {
	create := p.create
	if c.queue.Len() > 0 && len(create) > createBatch {
		create, left = create[:createBatch], true
	}
	var group errgroup.Group
	group.SetLimit(createParallelism)
	for _, module := range create {
		group.Go(func() error { return c.create(ctx, ky, module) })
	}
	for _, d := range p.correct {
		group.Go(func() error { return c.correct(ctx, d) })
	}
	for _, hc := range p.remove {
		group.Go(func() error { return c.remove(ctx, hc) })
	}
	err = group.Wait()
	for _, name := range p.taken {
		c.children.await(cache.ObjectName{Namespace: ky.Namespace, Name: name}, keyOf(ky))
	}
	if err == nil && len(p.taken) > 0 {
		err = &refusal{reasonNameTaken, "held by objects that this Kyma does not own: " + strings.Join(p.taken, ", ")}
	}
	return left, err
}

func (c *Controller) create(ctx context.Context, ky *v1alpha1.Kyma, module v1alpha1.KymaComponent) error {
	hc := newComponent(ky, module)
	return c.write(ctx, createBy(ky, module.Name, c.options.Timeline), "create helmcomponent "+hc.Name, func() error {
		version, err := c.Create(ctx, hc)
		if err == nil {
			c.children.writes.Wrote(cache.MetaObjectToName(hc), version)
		}
		return err
	})
}

// correct sends only what is the operator's, so that annotations, finalizers
// and foreign fields, which the cache does not keep, stay as they are.
func (c *Controller) correct(ctx context.Context, d drift) error {
	hc := d.component
	patch, err := correction(hc, d.module)
	if err != nil {
		return err
	}
	return c.write(ctx, c.Clock.Now(), "correct helmcomponent "+hc.Name, func() error {
		patched, err := c.Client.HelmComponents(hc.Namespace).Patch(ctx, hc.Name, types.MergePatchType, patch, metav1.PatchOptions{
			FieldValidation: metav1.FieldValidationIgnore,
		})
		if err == nil {
			c.children.writes.Wrote(cache.MetaObjectToName(patched), patched.ResourceVersion)
		}
		return err
	})
}

// correction is the merge patch that gives a component its module's spec and
// its labels, as long as nobody else has changed it since it was looked at.
func correction(hc *v1alpha1.HelmComponent, module v1alpha1.KymaComponent) ([]byte, error) {
	spec := ComponentSpec(module)
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"uid":             hc.UID,
			"resourceVersion": hc.ResourceVersion,
			"labels":          names.Labels(metav1.GetControllerOfNoCopy(hc).Name, module.Name),
		},
		"spec": map[string]any{
			"componentName": spec.ComponentName,
			"namespace":     spec.Namespace,
			"chartLocation": orNull(spec.ChartLocation),
			"version":       orNull(spec.Version),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encode correction of helmcomponent %s: %w", hc.Name, err)
	}
	return patch, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (c *Controller) remove(ctx context.Context, hc *v1alpha1.HelmComponent) error {
	background := metav1.DeletePropagationBackground
	return c.write(ctx, c.Clock.Now(), "delete helmcomponent "+hc.Name, func() error {
		err := c.Client.HelmComponents(hc.Namespace).Delete(ctx, hc.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &hc.UID}, PropagationPolicy: &background,
		})
		if err == nil {
			c.children.delete(hc.UID)
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// write makes one API call when its turn comes.
func (c *Controller) write(ctx context.Context, deadline time.Time, action string, call func() error) error {
	release, err := c.Throttle.Acquire(ctx, deadline)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	defer release()
	if err := call(); err != nil {
		return refused(action, err)
	}
	return nil
}

// commit writes the Kyma's status if it differs. All but the final success and
// what is wrong may wait for capacity to spare.
func (c *Controller) commit(ctx context.Context, ky *v1alpha1.Kyma, p plan, problem error) (time.Duration, error) {
	now := c.Clock.Now()
	status := statusOf(ky, p, problem, now)
	final := status.Status == v1alpha1.KymaSuccess
	change := commit.Change[v1alpha1.KymaStatus]{
		Object: ky, Old: ky.Status, New: status,
		Deadline: finishBy(ky, c.options.Timeline),
		Optional: !final && problem == nil,
	}
	if change.Optional {
		change.Deadline = c.latest(ky, p).Add(patience)
	}
	result, err := c.status.Commit(ctx, change)
	if result == commit.Written {
		c.record(ctx, ky, status)
	}
	switch {
	case err != nil:
		return 0, err
	case problem != nil:
		return 0, problem
	case result == commit.Busy:
		key := keyOf(ky)
		c.Throttle.Park(key, change.Deadline, func() { c.queue.Add(key) })
		return busyDelay, nil
	case result == commit.Conflict:
		return staleDelay, nil
	}
	return 0, nil
}

// latest is when the last thing happened that an intermediate status can be
// about: the last success of a component, else the creation.
func (c *Controller) latest(ky *v1alpha1.Kyma, p plan) time.Time {
	latest := ky.CreationTimestamp.Time
	for _, hc := range p.present {
		if !lifecycle.Succeeded(hc) {
			continue
		}
		if at := lifecycle.Origin(hc).Add(c.options.Timeline.Duration(hc.Spec.ComponentName)); at.After(latest) {
			latest = at
		}
	}
	return latest
}

// record tells of a transition; what is as before is not worth an event.
func (c *Controller) record(ctx context.Context, ky *v1alpha1.Kyma, status v1alpha1.KymaStatus) {
	logger := klog.FromContext(ctx)
	was := meta.FindStatusCondition(ky.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if was != nil && was.Reason == is.Reason && was.Message == is.Message {
		return
	}
	logger.V(2).Info("Kyma changed", "status", status.Status, "components", status.Components, "reason", is.Reason)
	c.Recorder.KymaChanged(ky, was, *is)
}
