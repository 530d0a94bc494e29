// Package manifests turns kustomizations into objects and brings them into a
// cluster, so that deploying needs neither kubectl nor kustomize on the machine
// and tests deploy exactly what users do.
package manifests

import (
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// ImageName is what the operator's image is called in the manifests.
const ImageName = "kyma-operator"

// Build renders the kustomization in dir, in the order in which kubectl apply -k
// sends it. A non-empty image (name[:tag][@digest]) takes the operator's place.
func Build(dir, image string) ([]*unstructured.Unstructured, error) {
	rendered, err := render(dir, image)
	if err != nil {
		return nil, err
	}
	objects := make([]*unstructured.Unstructured, 0, rendered.Size())
	for _, resource := range rendered.Resources() {
		content, err := resource.Map()
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", resource.CurId(), dir, err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects, nil
}

// Write renders the kustomization as one YAML stream.
func Write(out io.Writer, dir, image string) error {
	rendered, err := render(dir, image)
	if err != nil {
		return err
	}
	text, err := rendered.AsYaml()
	if err != nil {
		return fmt.Errorf("write %s as YAML: %w", dir, err)
	}
	_, err = out.Write(text)
	return err
}

func render(dir, image string) (resmap.ResMap, error) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("build kustomization %s: %w", dir, err)
	}
	if image == "" {
		return rendered, nil
	}
	tag := splitImage(image)
	tag.Name = ImageName
	filter := imagetag.Filter{ImageTag: tag, FsSlice: types.FsSlice{{Path: "spec/template/spec/containers[]/image"}}}
	if err := rendered.ApplyFilter(filter); err != nil {
		return nil, fmt.Errorf("set image %s in %s: %w", image, dir, err)
	}
	return rendered, nil
}
