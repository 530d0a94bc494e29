package stream

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/scheme"
)

// NewForConfig makes a clientset as versioned.NewForConfig does, but for how its
// watches are read. It has no discovery client.
func NewForConfig(config *rest.Config) (versioned.Interface, error) {
	config = rest.CopyConfig(config)
	groupVersion := schema.GroupVersion(v1alpha1.GroupVersion)
	config.GroupVersion, config.APIPath = &groupVersion, "/apis"
	config.NegotiatedSerializer = Serializer(scheme.Codecs.WithoutConversion(), kinds()...)
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("create REST client: %w", err)
	}
	return versioned.New(client), nil
}

// kinds are the inventory's objects, each saying what it is.
func kinds() []runtime.Object {
	of := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
	}
	return []runtime.Object{&v1alpha1.Kyma{TypeMeta: of("Kyma")}, &v1alpha1.HelmComponent{TypeMeta: of("HelmComponent")}}
}
