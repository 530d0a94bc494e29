package main

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// push uploads all platforms under one name, with the credentials that docker
// login or podman login left.
func push(ctx context.Context, reference string, insecure bool, images []platformImage) error {
	options := []name.Option{name.StrictValidation}
	if insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(reference, options...)
	if err != nil {
		return fmt.Errorf("parse %q to push to: %w", reference, err)
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, made := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        made.image,
			Descriptor: v1.Descriptor{Platform: made.platform},
		})
	}
	err = remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("digest of the index: %w", err)
	}
	fmt.Printf("%s@%s\n", ref.Context(), digest)
	return nil
}
