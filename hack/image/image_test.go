package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program stands in for the operator: it says its version and starts itself
// again, which is what the operator does to render charts.
const program = `package app

import (
	"fmt"
	"os"
	"os/exec"
)

var version, revision = "unset", "unset"

func Main() {
	fmt.Println(version, len(os.Args), os.Getuid())
	if len(os.Args) > 1 {
		return
	}
	out, err := exec.Command(os.Args[0], "child").CombinedOutput()
	fmt.Print(string(out))
	if err != nil {
		fmt.Println(err)
	}
	if err := os.WriteFile(os.TempDir()+"/x", nil, 0o600); err != nil {
		fmt.Println(err)
	}
}
`

const mainProgram = `package main

import "github.com/kyma-incubator/kymactl/cmd/kyma-operator/app"

func main() { app.Main() }
`

func writeSources(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "cmd/kyma-operator/app"), 0o755); err != nil {
		return err
	}
	for path, content := range map[string]string{
		"go.mod":                       "module github.com/kyma-incubator/kymactl\n\ngo 1.26.0\n",
		"cmd/kyma-operator/main.go":    mainProgram,
		"cmd/kyma-operator/app/app.go": program,
	} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func build(t *testing.T, args ...string) string {
	t.Helper()
	source, out := t.TempDir(), t.TempDir()
	if err := writeSources(source); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--source", source, "--out", out, "--version", "v1.2.3"}, args...)
	if err := run(t.Context(), args); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTwoBuildsAreEqual(t *testing.T) {
	// At another place, and with a build cache of its own, or the second build
	// would be a copy of the first.
	t.Setenv("GOCACHE", t.TempDir())
	again := build(t, "--platforms", "linux/amd64")
	for _, file := range []string{"kyma-operator-amd64.tar", "kyma-operator-amd64.cdx.json"} {
		if !bytes.Equal(read(t, filepath.Join(built, file)), read(t, filepath.Join(again, file))) {
			t.Errorf("%s differs between two builds of the same sources", file)
		}
	}
}

// built is where TestMain put the images of both platforms, for all tests that
// only look at them.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "image-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		built = filepath.Join(dir, "dist")
		if err := writeSources(dir); err != nil {
			panic(err)
		}
		os.Setenv("SOURCE_DATE_EPOCH", "1700000000")
		if err := run(context.Background(), []string{"--source", dir, "--out", built, "--version", "v1.2.3"}); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

func TestArchiveIsBothDockerAndOCI(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		archive := filepath.Join(built, "kyma-operator-"+arch+".tar")
		tag, err := name.NewTag("kyma-operator:v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		docker, err := tarball.ImageFromPath(archive, &tag)
		if err != nil {
			t.Fatalf("%s as docker's archive: %v", arch, err)
		}
		oci := openLayout(t, archive)
		for kind, image := range map[string]v1.Image{"docker": docker, "oci": oci} {
			if err := validate.Image(image); err != nil {
				t.Errorf("%s as %s: %v", arch, kind, err)
			}
		}
		if a, b := configName(t, docker), configName(t, oci); a != b {
			t.Errorf("%s: docker reads image %s, OCI %s", arch, a, b)
		}
		config, err := oci.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != arch || config.OS != "linux" {
			t.Errorf("image for %s/%s, want linux/%s", config.OS, config.Architecture, arch)
		}
		if config.Config.User != "65532:65532" {
			t.Errorf("user %q", config.Config.User)
		}
		if got := config.Config.Labels["org.opencontainers.image.version"]; got != "v1.2.3" {
			t.Errorf("version label %q", got)
		}
	}
}

func TestBinaryIsStatic(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		root := unpack(t, openLayout(t, filepath.Join(built, "kyma-operator-"+arch+".tar")))
		binary, err := elf.Open(filepath.Join(root, "kyma-operator"))
		if err != nil {
			t.Fatal(err)
		}
		if binary.Machine != machine {
			t.Errorf("%s: built for %v", arch, binary.Machine)
		}
		if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) > 0 {
			t.Errorf("%s: imports %v (%v)", arch, libraries, err)
		}
		if binary.Section(".symtab") != nil || binary.Section(".debug_info") != nil {
			t.Errorf("%s: not stripped", arch)
		}
		binary.Close()
	}
}

func TestBillNamesTheStandardLibrary(t *testing.T) {
	var bill cdx.BOM
	if err := json.Unmarshal(read(t, filepath.Join(built, "kyma-operator-amd64.cdx.json")), &bill); err != nil {
		t.Fatal(err)
	}
	if bill.Metadata.Component.Version != "v1.2.3" {
		t.Errorf("version %q", bill.Metadata.Component.Version)
	}
	if bill.Components == nil || len(*bill.Components) == 0 || (*bill.Components)[0].Name != "std" {
		t.Errorf("components %v", bill.Components)
	}
}

func TestCertificatesParse(t *testing.T) {
	count := 0
	for rest := certificates(); ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Errorf("certificate %d: %v", count, err)
		}
	}
	if count < 80 {
		t.Errorf("%d certificates; Mozilla has more than 80", count)
	}
}

func TestRunsInItsImage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chroot needs root")
	}
	root := unpack(t, openLayout(t, filepath.Join(built, "kyma-operator-"+goArch(t)+".tar")))
	// What a container runtime brings along.
	if err := os.MkdirAll(filepath.Join(root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "dev/null"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/kyma-operator")
	cmd.Env = []string{"HOME=/tmp"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nonRoot, Gid: nonRoot}}
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("run in the image: %v\n%s", err, got)
	}
	if want := "v1.2.3 1 65532\nv1.2.3 2 65532\n"; string(got) != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	target := strings.TrimPrefix(server.URL, "http://") + "/team/kyma-operator:v1.2.3"
	build(t, "--push", target, "--push-insecure")
	ref, err := name.ParseReference(target, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, image := range manifest.Manifests {
		platforms = append(platforms, image.Platform.String())
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("pushed %q", got)
	}
}

func TestBadArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"platform":  {"--platforms", "windows/amd64"},
		"variant":   {"--platforms", "linux/arm/v7"},
		"argument":  {"more"},
		"flag":      {"--no-such-flag"},
		"no source": {"--source", "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), append([]string{"--out", t.TempDir()}, args...)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func goArch(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOHOSTARCH").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func configName(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	hash, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func openLayout(t *testing.T, archive string) v1.Image {
	t.Helper()
	dir := t.TempDir()
	untar(t, dir, bytes.NewReader(read(t, archive)))
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d images in the archive", len(manifest.Manifests))
	}
	if got := manifest.Manifests[0].Annotations["io.containerd.image.name"]; got != "docker.io/library/kyma-operator:v1.2.3" {
		t.Errorf("containerd imports it as %q", got)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func unpack(t *testing.T, image v1.Image) string {
	t.Helper()
	// Not t.TempDir: the image's own user has to get in.
	root, err := os.MkdirTemp("", "image-root-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	reader := mutate.Extract(image)
	defer reader.Close()
	untar(t, root, reader)
	return root
}

func untar(t *testing.T, dir string, from io.Reader) {
	t.Helper()
	for reader := tar.NewReader(from); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(reader); err == nil {
				err = os.WriteFile(path, content, 0o644)
			}
		}
		if err == nil {
			err = os.Chmod(path, header.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
