package manifests

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// fieldManager owns the fields that are applied, so that a field which a later
// release drops from its manifests goes from the cluster as well.
const fieldManager = "kyma-operator-deploy"

const pollInterval = 500 * time.Millisecond

// Client applies and deletes objects.
type Client struct {
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper
}

// NewClient makes a client for the cluster of the config.
func NewClient(config *rest.Config) (*Client, error) {
	config = rest.CopyConfig(config)
	// A person waits for this; there are a few dozen requests.
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a discovery client: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	return &Client{dynamic: client, mapper: mapper}, nil
}

// Resource returns the interface to objects like the given one.
func (c *Client) Resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		// The kind may have come with a CRD since the last look.
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("find kind %s: %w", kind.GroupKind(), err)
	}
	resource := c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return resource.Namespace(object.GetNamespace()), nil
	}
	return resource, nil
}

// ApplyOptions say how objects are applied.
type ApplyOptions struct {
	// DryRun lets the server do everything but keep the objects.
	DryRun bool
	// Each is called with what the server made of each object.
	Each func(*unstructured.Unstructured)
}

// Apply brings the objects into the cluster by server-side apply, in their
// order. Fields that the server does not know are an error.
func (c *Client) Apply(ctx context.Context, objects []*unstructured.Unstructured, options ApplyOptions) error {
	// Strict also where the server would only warn: a misspelt field of a manifest is a setting that does not act.
	patch := metav1.PatchOptions{FieldManager: fieldManager, Force: new(true), FieldValidation: metav1.FieldValidationStrict}
	if options.DryRun {
		patch.DryRun = []string{metav1.DryRunAll}
	}
	for _, object := range objects {
		resource, err := c.Resource(object)
		if err != nil {
			return err
		}
		body, err := object.MarshalJSON()
		if err != nil {
			return fmt.Errorf("encode %s: %w", Describe(object), err)
		}
		applied, err := resource.Patch(ctx, object.GetName(), "application/apply-patch+yaml", body, patch)
		if err != nil {
			return fmt.Errorf("apply %s: %w", Describe(object), err)
		}
		if object.GetKind() == "CustomResourceDefinition" && !options.DryRun {
			if err := c.waitEstablished(ctx, resource, object); err != nil {
				return err
			}
		}
		if options.Each != nil {
			options.Each(applied)
		}
	}
	return nil
}

func (c *Client) waitEstablished(ctx context.Context, resource dynamic.ResourceInterface, crd *unstructured.Unstructured) error {
	err := wait.PollUntilContextTimeout(ctx, pollInterval/5, time.Minute, true, func(ctx context.Context) (bool, error) {
		current, err := resource.Get(ctx, crd.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return condition(current, "Established"), nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s to be served: %w", Describe(crd), err)
	}
	return nil
}

// Delete removes the objects in the reverse of their order and returns when the
// last of them is gone. What is not there is no error.
func (c *Client) Delete(ctx context.Context, objects []*unstructured.Unstructured, each func(*unstructured.Unstructured)) error {
	foreground := metav1.DeletePropagationForeground
	for _, object := range slices.Backward(objects) {
		resource, err := c.Resource(object)
		if meta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return err
		}
		err = resource.Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &foreground})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete %s: %w", Describe(object), err)
		}
		if each != nil {
			each(object)
		}
	}
	for _, object := range slices.Backward(objects) {
		if err := c.waitGone(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) waitGone(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := c.Resource(object)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		_, err := resource.Get(ctx, object.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("wait for %s to be gone: %w", Describe(object), err)
	}
	return nil
}

// WaitReady returns when every Deployment among the objects has all its replicas
// updated and ready.
func (c *Client) WaitReady(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		resource, err := c.Resource(object)
		if err != nil {
			return err
		}
		state := "not seen yet"
		err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
			current, err := resource.Get(ctx, object.GetName(), metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			var ready bool
			ready, state = rolledOut(current)
			return ready, nil
		})
		if err != nil {
			return fmt.Errorf("wait for %s (%s): %w", Describe(object), state, err)
		}
	}
	return nil
}

// rolledOut says whether a Deployment is where its spec wants it.
func rolledOut(deployment *unstructured.Unstructured) (bool, string) {
	number := func(path ...string) int64 {
		n, _, _ := unstructured.NestedInt64(deployment.Object, path...)
		return n
	}
	want := number("spec", "replicas")
	updated, ready, all := number("status", "updatedReplicas"), number("status", "readyReplicas"), number("status", "replicas")
	seen := number("status", "observedGeneration") >= deployment.GetGeneration()
	done := seen && updated == want && ready == want && all == want
	return done, fmt.Sprintf("%d of %d replicas updated, %d ready", updated, want, ready)
}

func condition(object *unstructured.Unstructured, name string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, entry := range conditions {
		if c, ok := entry.(map[string]any); ok && c["type"] == name {
			return c["status"] == "True"
		}
	}
	return false
}

// Describe names an object as kubectl does.
func Describe(object *unstructured.Unstructured) string {
	name := object.GetName()
	if object.GetNamespace() != "" {
		name = object.GetNamespace() + "/" + name
	}
	return object.GetKind() + " " + name
}
