package main

import (
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

type platformImage struct {
	platform *v1.Platform
	image    v1.Image
}

// assemble puts the binary on top of the base layer and describes the result.
func assemble(binary string, bill []byte, platform *v1.Platform, rev revision) (v1.Image, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, part := range []struct {
		files   []entry
		comment string
	}{
		{files: baseFiles(), comment: "users, CA certificates, /tmp"},
		{files: operatorFiles(content, bill), comment: "kyma-operator " + rev.version},
	} {
		made, err := layer(part.files)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: made,
			History: v1.History{
				Created: v1.Time{Time: rev.time}, CreatedBy: "hack/image", Comment: part.comment,
			},
		})
		if err != nil {
			return nil, fmt.Errorf("append layer: %w", err)
		}
	}
	image, err = mutate.ConfigFile(image, configure(image, platform, rev))
	if err != nil {
		return nil, fmt.Errorf("configure the image: %w", err)
	}
	return image, nil
}

func configure(image v1.Image, platform *v1.Platform, rev revision) *v1.ConfigFile {
	file, err := image.ConfigFile()
	if err != nil {
		// An image made of layers in memory always has its configuration.
		panic(fmt.Sprintf("configuration of an image in memory: %v", err))
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = platform.OS, platform.Architecture
	if platform.Architecture == "arm64" {
		file.Variant = "v8"
	}
	file.Created = v1.Time{Time: rev.time}
	file.Config = v1.Config{
		Entrypoint: []string{"/kyma-operator"},
		User:       fmt.Sprintf("%d:%d", nonRoot, nonRoot),
		WorkingDir: "/",
		StopSignal: "SIGTERM",
		Env: []string{
			"PATH=/",
			"HOME=/tmp",
			"SSL_CERT_FILE=/" + certificatesPath,
		},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "kyma-operator",
			"org.opencontainers.image.description": "Drives thousands of Kyma clusters from one control plane",
			"org.opencontainers.image.source":      "https://github.com/kyma-incubator/kymactl",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     rev.version,
			"org.opencontainers.image.revision":    rev.commit,
			"org.opencontainers.image.created":     rev.time.Format(time.RFC3339),
		},
	}
	return file
}
