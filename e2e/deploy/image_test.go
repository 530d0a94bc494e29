package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/internal/tail"
)

// maxArchive is what the archive may have at most, in bytes; it has 18 MiB.
const maxArchive = 40 << 20

// TestImageOfTheOperator builds the image of this machine's architecture, unpacks
// it and runs it. What the builder promises in general (equal builds, both archive
// formats, push) is tested in hack/image.
func TestImageOfTheOperator(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an image; -short is set")
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-out", out, "-version", "v0-test", "-platforms", "linux/"+runtime.GOARCH)
	cmd.Dir = repository(t, "hack", "image")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("build the image: %v\n%s", err, text)
	}
	t.Logf("%s", text)
	archive := filepath.Join(out, "kyma-operator-"+runtime.GOARCH+".tar")
	info, err := os.Stat(archive)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxArchive {
		t.Errorf("the archive has %d MiB", info.Size()>>20)
	}
	t.Run("unpacked", func(t *testing.T) { runUnpacked(t, archive) })
	t.Run("docker", func(t *testing.T) { runInDocker(t, archive) })
}

// versionAndRender are the two things that need no cluster. A chart is rendered
// in a child process, so the image has to be able to run its own program.
var versionAndRender = map[string]struct {
	args []string
	want string
}{
	"version": {[]string{"--version"}, "v0-test"},
	"render":  {[]string{"render", "istio", "--namespace", "istio-system"}, "kind: "},
}

func runUnpacked(t *testing.T, archive string) {
	if os.Getuid() != 0 {
		t.Skip("chroot needs root")
	}
	root, err := os.MkdirTemp("", "image-root-") //nolint:usetesting // the image's own user cannot get into t.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, layer := range layersOf(t, archive) {
		extract(t, layer, root)
	}
	binary, err := elf.Open(filepath.Join(root, "kyma-operator"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if libraries, err := binary.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the binary imports %v (%v)", libraries, err)
	}
	provideRuntime(t, root)
	for name, c := range versionAndRender {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/kyma-operator", c.args...)
			cmd.Dir, cmd.Env = "/", []string{"HOME=/tmp"}
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
			got, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(got), c.want) {
				t.Errorf("%v; printed\n%s", err, tail.Lines(string(got), 5))
			}
		})
	}
}

// provideRuntime adds what every container runtime does: /dev/null and /proc.
func provideRuntime(t *testing.T, root string) {
	t.Helper()
	for _, dir := range []string{"dev", "proc"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "dev/null"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "dev/null"), 0o666); err != nil {
		t.Fatal(err)
	}
	proc := filepath.Join(root, "proc")
	if err := syscall.Mount("proc", proc, "proc", 0, ""); err != nil {
		t.Skipf("mount /proc for the unpacked image: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(proc, 0); err != nil {
			t.Error(err)
		}
	})
}

// runInDocker loads and runs the archive with the engine, if there is one.
func runInDocker(t *testing.T, archive string) {
	if err := exec.CommandContext(t.Context(), "docker", "version").Run(); err != nil {
		t.Skip("no container engine answers to docker")
	}
	loaded, err := exec.CommandContext(t.Context(), "docker", "load", "-i", archive).CombinedOutput()
	if err != nil {
		t.Fatalf("docker load: %v\n%s", err, loaded)
	}
	const image = "kyma-operator:v0-test"
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "docker", "image", "rm", image).Run() })
	for name, c := range versionAndRender {
		t.Run(name, func(t *testing.T) {
			// As the Deployment has it: nothing may be written but /tmp, and there are no capabilities.
			args := []string{"run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", image}
			got, err := exec.CommandContext(t.Context(), "docker", append(args, c.args...)...).CombinedOutput()
			if err != nil || !strings.Contains(string(got), c.want) {
				t.Errorf("%v; printed\n%s", err, tail.Lines(string(got), 5))
			}
		})
	}
}

// layersOf reads the layers of an archive by docker's manifest.
func layersOf(t *testing.T, archive string) [][]byte {
	t.Helper()
	content, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	eachFile(t, bytes.NewReader(content), func(header *tar.Header, content []byte) { files[header.Name] = content })
	var manifests []struct{ Layers []string }
	if err := json.Unmarshal(files["manifest.json"], &manifests); err != nil {
		t.Fatal(err)
	}
	var layers [][]byte
	for _, name := range manifests[0].Layers {
		layers = append(layers, files[name])
	}
	return layers
}

func extract(t *testing.T, layer []byte, root string) {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	eachFile(t, plain, func(header *tar.Header, content []byte) {
		path := filepath.Join(root, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, content, 0o600)
		}
		if err == nil {
			err = os.Chmod(path, header.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func eachFile(t *testing.T, archive io.Reader, do func(*tar.Header, []byte)) {
	t.Helper()
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		do(header, content)
	}
}
