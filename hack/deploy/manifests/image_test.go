package manifests

import (
	"testing"

	"sigs.k8s.io/kustomize/api/types"
)

func TestSplitImage(t *testing.T) {
	for image, want := range map[string]types.Image{
		"kyma-operator":                   {NewName: "kyma-operator", NewTag: "latest"},
		"kyma-operator:v1":                {NewName: "kyma-operator", NewTag: "v1"},
		"registry.example:5000/team/op":   {NewName: "registry.example:5000/team/op", NewTag: "latest"},
		"registry.example:5000/op:v1":     {NewName: "registry.example:5000/op", NewTag: "v1"},
		"registry.example/op@sha256:abcd": {NewName: "registry.example/op", Digest: "sha256:abcd"},
		"op:v1@sha256:abcd":               {NewName: "op", NewTag: "v1", Digest: "sha256:abcd"},
	} {
		t.Run(image, func(t *testing.T) {
			if got := splitImage(image); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
