package entry

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// standIn records its call, and then does what FAIL_… and the like ask for.
const standIn = `#!/usr/bin/env bash
name=${0##*/}
echo "$name $*" >>"$RECORD"
case "$name $*" in
"go env GOHOSTARCH") echo amd64 ;;
"go build"*) mkdir -p bin/tools && cp "$STANDINS/load" bin/tools/load ;;
"git describe"*) echo abc123 ;;
"kind get clusters") echo "$CLUSTERS" ;;
esac
if [ -n "${FAIL:-}" ] && [[ "$name $*" =~ $FAIL ]]; then exit "${FAIL_CODE:-1}"; fi
if [ "$name" = load ] && [ -n "${LAB_WAITS:-}" ]; then
  trap 'echo "load interrupted" >>"$RECORD"; exit 130' TERM
  echo ready >"$LAB_WAITS"
  while :; do sleep 0.05; done
fi
`

// script is one call of load.sh in a repository of its own.
type script struct {
	t           *testing.T
	repo, tools string
	record      string
	env         []string
}

func newScript(t *testing.T, without ...string) *script {
	t.Helper()
	s := &script{t: t, repo: t.TempDir(), tools: t.TempDir()}
	s.record = filepath.Join(s.tools, "record")
	for _, file := range []string{"load.sh", "kind-load.yaml"} {
		data, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Join(s.repo, "e2e", file), string(data))
	}
	for _, name := range []string{"docker", "kind", "make", "go", "git", "load"} {
		if !strings.Contains(strings.Join(without, " "), name) {
			s.write(filepath.Join(s.tools, name), standIn)
		}
	}
	for _, name := range []string{"bash", "env", "sed", "grep", "mkdir", "mktemp", "rm", "date", "dirname", "cat", "cp", "sleep"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(s.tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.env = []string{"PATH=" + s.tools, "RECORD=" + s.record, "STANDINS=" + s.tools, "HOME=" + s.tools, "TMPDIR=" + s.tools}
	return s
}

func (s *script) write(path, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil { //nolint:gosec // a program
		s.t.Fatal(err)
	}
}

// run calls the script and returns its exit code and what it printed.
func (s *script) run(args ...string) (int, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func (s *script) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.repo, "e2e", "load.sh"), args...)
	cmd.Env, cmd.Dir = s.env, s.tools
	return cmd
}

var volatile = regexp.MustCompile(`load-[0-9]+|/[^ ]*/kubeconfig`)

// calls returns what was recorded, without what differs each time.
func (s *script) calls() []string {
	s.t.Helper()
	data, err := os.ReadFile(s.record)
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		line = volatile.ReplaceAllStringFunc(strings.TrimSpace(line), func(m string) string {
			if strings.HasPrefix(m, "load-") {
				return "VERSION"
			}
			return "KUBECONFIG"
		})
		if !strings.HasPrefix(line, "git ") && line != "go env GOHOSTARCH" {
			out = append(out, line)
		}
	}
	return out
}

const (
	buildLab    = "go build -o bin/tools/load ./e2e/lab/cmd/load"
	image       = "make image VERSION=VERSION PLATFORMS=linux/amd64"
	create      = "kind create cluster --name kyma-load --image kindest/node:v1.36.1 --config e2e/kind-load.yaml --kubeconfig KUBECONFIG --wait 120s"
	loadImage   = "kind load image-archive dist/kyma-operator-amd64.tar --name kyma-load"
	deploy      = "go run ./hack/deploy -image kyma-operator:VERSION apply manifests/overlays/kind"
	runLab      = "load --cluster=kind --kubeconfig=KUBECONFIG"
	deleteIt    = "kind delete cluster --name kyma-load"
	checkEngine = "docker version"
	clusters    = "kind get clusters"
)

func TestCalls(t *testing.T) {
	tests := map[string]struct {
		args    []string
		env     []string
		without string
		code    int
		says    string
		calls   []string
	}{
		"kind": {
			args:  []string{"--cluster", "kind", "--kymas", "7", "--scenario=rate"},
			calls: []string{checkEngine, buildLab, clusters, image, create, loadImage, deploy, runLab + " --kymas=7 --scenario=rate", deleteIt},
		},
		"kind with a node image, a config and a name": {
			args: []string{"--cluster=kind", "--node-image", "mirror/node:1", "--kind-config", "my.yaml", "--name", "mine"},
			calls: []string{
				checkEngine, buildLab, clusters, image,
				"kind create cluster --name mine --image mirror/node:1 --config TOOLS/my.yaml --kubeconfig KUBECONFIG --wait 120s",
				"kind load image-archive dist/kyma-operator-amd64.tar --name mine", deploy, runLab, "kind delete cluster --name mine",
			},
		},
		"kind that is kept": {
			args: []string{"--cluster=kind", "--keep"}, says: "kind delete cluster --name kyma-load removes it",
			calls: []string{checkEngine, buildLab, clusters, image, create, loadImage, deploy, runLab + " --keep"},
		},
		"a broken invariant": {
			args: []string{"--cluster=kind"}, env: []string{"FAIL=^load", "FAIL_CODE=4"}, code: 4,
			calls: []string{checkEngine, buildLab, clusters, image, create, loadImage, deploy, runLab, deleteIt},
		},
		"no cluster": {
			args: []string{"--cluster=kind"}, env: []string{"FAIL=kind create"}, code: 1,
			calls: []string{checkEngine, buildLab, clusters, image, create, deleteIt},
		},
		"the image does not load": {
			args: []string{"--cluster=kind"}, env: []string{"FAIL=kind load"}, code: 1,
			calls: []string{checkEngine, buildLab, clusters, image, create, loadImage, deleteIt},
		},
		"the manifests do not apply": {
			args: []string{"--cluster=kind"}, env: []string{"FAIL=hack/deploy"}, code: 1,
			calls: []string{checkEngine, buildLab, clusters, image, create, loadImage, deploy, deleteIt},
		},
		"no image": {
			args: []string{"--cluster=kind"}, env: []string{"FAIL=make image"}, code: 1,
			calls: []string{checkEngine, buildLab, clusters, image},
		},
		"somebody else's cluster is left alone": {
			args: []string{"--cluster=kind"}, env: []string{"CLUSTERS=kyma-load"}, code: 1, says: "already there",
			calls: []string{checkEngine, buildLab, clusters},
		},
		"no docker":                 {args: []string{"--cluster=kind"}, without: "docker", code: 1, says: "needs docker, which is not here; --cluster embedded needs nothing"},
		"no kind":                   {args: []string{"--cluster=kind"}, without: "kind", code: 1, says: "needs kind, which is not here; --cluster embedded"},
		"no engine":                 {args: []string{"--cluster=kind"}, env: []string{"FAIL=docker version"}, code: 1, says: "needs a running container engine", calls: []string{checkEngine}},
		"embedded":                  {args: []string{"--kymas", "5", "--out", "here"}, calls: []string{buildLab, "make control-plane build", "load --cluster=embedded --name=kyma-load --kymas=5 --out=TOOLS/here"}},
		"operator args in one word": {args: []string{"--operator-args", "--a=1 --b=2"}, calls: []string{buildLab, "make control-plane build", "load --cluster=embedded --name=kyma-load --operator-args=--a=1 --b=2"}},
		"existing":                  {args: []string{"--cluster=existing", "--kubeconfig=k"}, calls: []string{buildLab, "load --cluster=existing --kubeconfig=TOOLS/k"}},
		"existing without":          {args: []string{"--cluster=existing"}, code: 1, says: "needs --kubeconfig", calls: []string{buildLab}},
		"an unknown place":          {args: []string{"--cluster=moon"}, code: 1, says: "none of embedded, kind, existing"},
		"a value is missing":        {args: []string{"--kymas"}, code: 1, says: "--kymas needs a value"},
		"help":                      {args: []string{"--help"}, says: "--node-image IMAGE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.without)
			s.env = append(s.env, tt.env...)
			s.write(filepath.Join(s.tools, "my.yaml"), "kind: Cluster")
			code, out := s.run(tt.args...)
			if code != tt.code || !strings.Contains(out, tt.says) {
				t.Errorf("exit code %d, want %d; printed %q, want %q", code, tt.code, out, tt.says)
			}
			got := strings.ReplaceAll(strings.Join(s.calls(), "\n"), s.tools, "TOOLS")
			if want := strings.Join(tt.calls, "\n"); got != want {
				t.Errorf("calls:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Ctrl-C reaches the lab, which writes its report; then the cluster goes.
func TestInterrupt(t *testing.T) {
	s := newScript(t)
	waiting := filepath.Join(s.tools, "waiting")
	s.env = append(s.env, "LAB_WAITS="+waiting)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx, "--cluster=kind")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextCancel(ctx, 10*time.Millisecond, true, func(context.Context) (bool, error) {
		_, err := os.Stat(waiting)
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d (%v), want 130", code, err)
	}
	calls := s.calls()
	if n := len(calls); n < 2 || calls[n-2] != "load interrupted" || calls[n-1] != deleteIt {
		t.Errorf("calls: %s", strings.Join(calls, "\n"))
	}
}
