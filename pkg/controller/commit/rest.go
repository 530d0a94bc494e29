package commit

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
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
		reply, err := client.Put().
			Namespace(body.Metadata.Namespace).Resource(resource).Name(body.Metadata.Name).SubResource("status").
			Param("fieldValidation", metav1.FieldValidationIgnore).
			SetHeader("Content-Type", "application/json").
			Body(data).Do(ctx).Raw()
		if err != nil {
			return "", err
		}
		var version struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(reply, &version); err != nil {
			return "", fmt.Errorf("decode: %w", err)
		}
		return version.Metadata.ResourceVersion, nil
	}
}
