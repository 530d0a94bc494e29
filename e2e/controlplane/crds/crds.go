// Package crds installs and removes the CustomResourceDefinitions of a folder, for machines without kubectl.
package crds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	fieldManager = "kymactl-install"
	pollInterval = 50 * time.Millisecond
	timeout      = time.Minute
)

// Install applies every definition in dir (server-side, so that a second call changes nothing) and waits until objects
// of each kind can be listed.
func Install(ctx context.Context, config *rest.Config, dir string) error {
	return each(ctx, config, dir, func(ctx context.Context, client clientset.Interface, f file) error {
		force := true
		if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Patch(ctx, f.crd.Name, types.ApplyPatchType, f.json,
			metav1.PatchOptions{FieldManager: fieldManager, Force: &force}); err != nil {
			return fmt.Errorf("apply customresourcedefinition %s: %w", f.crd.Name, err)
		}
		return waitServed(ctx, config, client, &f.crd)
	})
}

// Uninstall deletes every definition in dir, and with it all objects of its kind, and waits until they are gone.
func Uninstall(ctx context.Context, config *rest.Config, dir string) error {
	return each(ctx, config, dir, func(ctx context.Context, client clientset.Interface, f file) error {
		definitions := client.ApiextensionsV1().CustomResourceDefinitions()
		if err := definitions.Delete(ctx, f.crd.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete customresourcedefinition %s: %w", f.crd.Name, err)
		}
		err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
			_, err := definitions.Get(ctx, f.crd.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return true, nil
			}
			return false, err
		})
		if err != nil {
			return fmt.Errorf("wait for the end of customresourcedefinition %s: %w", f.crd.Name, err)
		}
		return nil
	})
}

type file struct {
	crd  apiextensionsv1.CustomResourceDefinition
	json []byte
}

func each(ctx context.Context, config *rest.Config, dir string,
	do func(context.Context, clientset.Interface, file) error,
) error {
	files, err := load(dir)
	if err != nil {
		return err
	}
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range files {
		group.Go(func() error { return do(ctx, client, f) })
	}
	return group.Wait()
}

func load(dir string) ([]file, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("list %s: no *.yaml in it", dir)
	}
	files := make([]file, 0, len(paths))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var f file
		if err := yaml.UnmarshalStrict(data, &f.crd); err != nil {
			return nil, fmt.Errorf("decode %s: %w", path, err)
		}
		if f.crd.Kind != "CustomResourceDefinition" {
			return nil, fmt.Errorf("decode %s: is a %q, not a CustomResourceDefinition", path, f.crd.Kind)
		}
		if f.json, err = yaml.YAMLToJSON(data); err != nil {
			return nil, fmt.Errorf("decode %s: %w", path, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// waitServed waits until the definition is established and then until a LIST succeeds: the handler follows the
// condition by a moment, and until then the API answers 404.
func waitServed(ctx context.Context, config *rest.Config, client clientset.Interface,
	crd *apiextensionsv1.CustomResourceDefinition,
) error {
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		current, err := client.ApiextensionsV1().CustomResourceDefinitions().Get(ctx, crd.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, condition := range current.Status.Conditions {
			if condition.Type == apiextensionsv1.NamesAccepted && condition.Status == apiextensionsv1.ConditionFalse {
				return false, errors.New(condition.Message)
			}
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return served(ctx, objects, current)
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait for customresourcedefinition %s to be served: %w", crd.Name, err)
	}
	return nil
}

func served(ctx context.Context, objects dynamic.Interface, crd *apiextensionsv1.CustomResourceDefinition) (bool, error) {
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		resource := schema.GroupVersionResource{Group: crd.Spec.Group, Version: version.Name, Resource: crd.Spec.Names.Plural}
		_, err := objects.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
