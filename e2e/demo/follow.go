package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/cache"

	inventory "github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	"github.com/kyma-incubator/kymactl/pkg/generated/informers/externalversions"
)

// senders is how many creates are on their way at once.
const senders = 8

// create sends the Kymas.
func create(ctx context.Context, client versioned.Interface, sample *inventory.Kyma, t *tracker) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for _, name := range t.order {
		group.Go(func() error {
			object := sample.DeepCopy()
			object.Name = name
			t.sending(name)
			if _, err := client.InventoryV1alpha1().Kymas(sample.Namespace).Create(ctx, object, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("create kyma %s/%s: %w", sample.Namespace, name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// follow watches the Kymas, and the components of those that the table shows, until stop is called.
func follow(ctx context.Context, client versioned.Interface, namespace string, t *tracker) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	kymas := externalversions.NewSharedInformerFactoryWithOptions(client, 0,
		externalversions.WithNamespace(namespace), externalversions.WithTransform(lean))
	components := externalversions.NewSharedInformerFactoryWithOptions(client, 0,
		externalversions.WithNamespace(namespace), externalversions.WithTransform(lean),
		externalversions.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = ofKymas(t.watched()) }))
	stop = func() {
		cancel()
		kymas.Shutdown()
		components.Shutdown()
	}
	for _, add := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{kymas.Inventory().V1alpha1().Kymas().Informer(), on(t.sawKyma)},
		{components.Inventory().V1alpha1().HelmComponents().Informer(), on(t.sawComponent)},
	} {
		if _, err := add.informer.AddEventHandler(add.handler); err != nil {
			stop()
			return nil, fmt.Errorf("watch: %w", err)
		}
	}
	for _, factory := range []externalversions.SharedInformerFactory{kymas, components} {
		factory.Start(ctx.Done())
		for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
			if !synced {
				stop()
				return nil, fmt.Errorf("watch %v: %w", kind, context.Cause(ctx))
			}
		}
	}
	return stop, nil
}

func on[T any](saw func(T)) cache.ResourceEventHandler {
	handle := func(object any) {
		if typed, ok := object.(T); ok {
			saw(typed)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: handle, UpdateFunc: func(_, object any) { handle(object) }}
}

// lean keeps of an object what the table needs.
func lean(object any) (any, error) {
	switch o := object.(type) {
	case *inventory.Kyma:
		o.ManagedFields, o.Spec, o.Status.Conditions = nil, inventory.KymaSpec{}, nil
	case *inventory.HelmComponent:
		o.ManagedFields, o.OwnerReferences, o.Spec = nil, nil, inventory.HelmComponentSpec{}
	}
	return object, nil
}

func ofKymas(names sets.Set[string]) string {
	return inventory.LabelKyma + " in (" + strings.Join(sets.List(names), ",") + ")"
}
