// Command image builds the operator's container images without a container
// engine: a static binary per architecture, put into an image from scratch
// together with CA certificates, a non-root user and a bill of materials.
//
// The same sources give the same bytes, wherever and whenever they are built:
// nothing is taken from the host, and every time stamp is that of the commit.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

type options struct {
	source    string
	out       string
	name      string
	version   string
	platforms string
	push      string
	insecure  bool
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	fs.StringVar(&o.source, "source", "../..", "the operator's repository")
	fs.StringVar(&o.out, "out", "../../dist", "the folder to write archives to")
	fs.StringVar(&o.name, "name", "kyma-operator", "the image's name in the archives, without a tag")
	fs.StringVar(&o.version, "version", "", "version and tag; that of the newest git tag where empty")
	fs.StringVar(&o.platforms, "platforms", "linux/amd64,linux/arm64", "what to build for")
	fs.StringVar(&o.push, "push", "", "push all platforms under this reference as well, like registry.example/kyma-operator:v1")
	fs.BoolVar(&o.insecure, "push-insecure", false, "push over plain HTTP")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	rev, err := readRevision(ctx, o.source, o.version)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return fmt.Errorf("make the folder for archives: %w", err)
	}
	var images []platformImage
	for name := range strings.SplitSeq(o.platforms, ",") {
		image, err := buildPlatform(ctx, o, name, rev)
		if err != nil {
			return fmt.Errorf("build for %s: %w", name, err)
		}
		images = append(images, image)
	}
	if o.push == "" {
		return nil
	}
	return push(ctx, o.push, o.insecure, images)
}

// buildPlatform builds the binary, the image and its archive, and says on
// stdout what it made.
func buildPlatform(ctx context.Context, o options, name string, rev revision) (platformImage, error) {
	platform, err := parsePlatform(name)
	if err != nil {
		return platformImage{}, err
	}
	work, err := os.MkdirTemp("", "kyma-operator-image-")
	if err != nil {
		return platformImage{}, fmt.Errorf("make a work folder: %w", err)
	}
	defer os.RemoveAll(work)

	binary := filepath.Join(work, "kyma-operator")
	if err := compile(ctx, o.source, binary, platform, rev); err != nil {
		return platformImage{}, err
	}
	bill, err := billOfMaterials(binary, rev)
	if err != nil {
		return platformImage{}, err
	}
	image, err := assemble(binary, bill, platform, rev)
	if err != nil {
		return platformImage{}, err
	}

	base := filepath.Join(o.out, "kyma-operator-"+platform.Architecture)
	if err := os.WriteFile(base+".cdx.json", bill, 0o644); err != nil {
		return platformImage{}, fmt.Errorf("write bill of materials: %w", err)
	}
	size, err := writeArchive(base+".tar", o.name+":"+rev.version, image)
	if err != nil {
		return platformImage{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return platformImage{}, fmt.Errorf("digest of the image: %w", err)
	}
	fmt.Printf("%s.tar  %s:%s  %s  %.1f MiB  %s\n", base, o.name, rev.version, name, float64(size)/(1<<20), digest)
	return platformImage{platform: platform, image: image}, nil
}
