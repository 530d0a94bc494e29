package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// dockerManifest is what docker load reads; its paths lead into the OCI layout.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// writeArchive writes an OCI image layout as a tar file that also carries
// docker's manifest.json, as docker save does since version 25: containerd
// (kind, ctr, nerdctl), podman and skopeo read the one, any docker the other. It
// returns the archive's size in bytes.
func writeArchive(path, reference string, image v1.Image) (int, error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return 0, fmt.Errorf("parse image name: %w", err)
	}
	contents, err := archiveContents(reference, tag, image)
	if err != nil {
		return 0, fmt.Errorf("lay out the archive: %w", err)
	}
	raw, err := tarOf(contents)
	if err != nil {
		return 0, err
	}
	// Written aside first: whoever reads the archive meanwhile gets a whole one.
	if err := os.WriteFile(path+".tmp", raw, 0o644); err != nil {
		return 0, fmt.Errorf("write the archive: %w", err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return 0, fmt.Errorf("name the archive: %w", err)
	}
	return len(raw), nil
}

func archiveContents(reference string, tag name.Tag, image v1.Image) ([]entry, error) {
	blobs := &blobs{}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return nil, err
	}
	docker := dockerManifest{Config: blobs.add(image.ConfigName, config), RepoTags: []string{reference}}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		content, err := compressed(layer)
		if err != nil {
			return nil, err
		}
		docker.Layers = append(docker.Layers, blobs.add(layer.Digest, content))
	}
	blobs.add(image.Digest, manifest)
	if blobs.err != nil {
		return nil, blobs.err
	}
	index, err := layoutIndex(tag, image)
	if err != nil {
		return nil, err
	}
	files := []entry{
		{name: "oci-layout", mode: 0o644, content: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "blobs/", mode: 0o755},
		{name: "blobs/sha256/", mode: 0o755},
	}
	files = append(files, blobs.files...)
	for _, document := range []struct {
		name  string
		value any
	}{{"index.json", index}, {"manifest.json", []dockerManifest{docker}}} {
		content, err := json.Marshal(document.value)
		if err != nil {
			return nil, err
		}
		files = append(files, entry{name: document.name, mode: 0o644, content: content})
	}
	return files, nil
}

// layoutIndex names the image twice: by its tag, as the OCI layout has it, and
// by its full name, which is what containerd imports it as.
func layoutIndex(tag name.Tag, image v1.Image) (*v1.IndexManifest, error) {
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	size, err := image.Size()
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	return &v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: types.OCIManifestSchema1, Digest: digest, Size: size, Platform: config.Platform(),
			Annotations: map[string]string{
				"io.containerd.image.name":          containerdName(tag),
				"org.opencontainers.image.ref.name": tag.TagStr(),
			},
		}},
	}, nil
}

// containerdName is the full name: what a kubelet makes of a short one.
func containerdName(tag name.Tag) string {
	registry := tag.RegistryStr()
	if registry == name.DefaultRegistry {
		registry = "docker.io"
	}
	return registry + "/" + tag.RepositoryStr() + ":" + tag.TagStr()
}

// blobs collects content under the path of its digest.
type blobs struct {
	files []entry
	err   error
}

func (b *blobs) add(digest func() (v1.Hash, error), content []byte) string {
	hash, err := digest()
	if err != nil {
		b.err = err
		return ""
	}
	path := "blobs/" + hash.Algorithm + "/" + hash.Hex
	b.files = append(b.files, entry{name: path, mode: 0o644, content: content})
	return path
}

func compressed(layer v1.Layer) ([]byte, error) {
	reader, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return io.ReadAll(reader)
}
