package manifests

import (
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// splitImage takes name[:tag][@digest] apart. A colon before the last slash
// belongs to a registry's port.
func splitImage(image string) types.Image {
	var out types.Image
	name, digest, _ := strings.Cut(image, "@")
	out.Digest = digest
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name, out.NewTag = name[:colon], name[colon+1:]
	}
	out.NewName = name
	if out.NewTag == "" && digest == "" {
		out.NewTag = "latest"
	}
	return out
}
