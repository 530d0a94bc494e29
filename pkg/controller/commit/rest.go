package commit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// REST puts statuses through the client of a generated clientset, past its
// typed methods: the reply is read for its resourceVersion alone, and the
// server is asked not to look for unknown fields, which the types exclude.
func REST[S any](client rest.Interface, resource string) Put[S] {
	return func(ctx context.Context, body Body[S]) (string, error) {
		data, err := json.Marshal(body)
		if err != nil {
			return "", fmt.Errorf("encode: %w", err)
		}
		return send(ctx, client.Put().
			Namespace(body.Metadata.Namespace).Resource(resource).Name(body.Metadata.Name).SubResource("status"), data)
	}
}

// Create makes an object and returns its resourceVersion.
type Create[T metav1.Object] func(ctx context.Context, obj T) (resourceVersion string, err error)

// RESTCreate creates objects as REST puts statuses. They must say their kind.
func RESTCreate[T metav1.Object](client rest.Interface, resource string) Create[T] {
	return func(ctx context.Context, obj T) (string, error) {
		data, err := json.Marshal(obj)
		if err != nil {
			return "", fmt.Errorf("encode: %w", err)
		}
		return send(ctx, client.Post().Namespace(obj.GetNamespace()).Resource(resource), data)
	}
}

func send(ctx context.Context, request *rest.Request, body []byte) (string, error) {
	result := request.
		Param("fieldValidation", metav1.FieldValidationIgnore).
		SetHeader("Content-Type", "application/json").
		Body(body).Do(ctx)
	// Raw alone would leave out why the server refuses.
	if err := result.Error(); err != nil {
		return "", err
	}
	reply, err := result.Raw()
	if err != nil {
		return "", err
	}
	return resourceVersion(reply)
}

// resourceVersion finds the version in an object without decoding it, which
// would cost as much as the write itself. A quote within a JSON string is
// escaped, so the first match is the field of the object's own metadata.
func resourceVersion(object []byte) (string, error) {
	_, after, found := bytes.Cut(object, []byte(`"resourceVersion":"`))
	version, _, closed := bytes.Cut(after, []byte(`"`))
	if !found || !closed {
		return "", errors.New("the reply has no resourceVersion")
	}
	return string(version), nil
}

// RESTCurrent reads metadata through the client of a generated clientset. It
// lists by name, because the operator may list and need not get as well.
func RESTCurrent(client rest.Interface, resource string) Current {
	const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	return func(ctx context.Context, name cache.ObjectName) (metav1.Object, error) {
		reply, err := client.Get().Namespace(name.Namespace).Resource(resource).
			Param("fieldSelector", fields.OneTermEqualSelector("metadata.name", name.Name).String()).
			SetHeader("Accept", metadataOnly).
			Do(ctx).Raw()
		if err != nil {
			return nil, err
		}
		var found metav1.PartialObjectMetadataList
		if err := json.Unmarshal(reply, &found); err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
		if len(found.Items) == 0 {
			return nil, apierrors.NewNotFound(schema.GroupResource{Resource: resource}, name.Name)
		}
		return &found.Items[0], nil
	}
}
