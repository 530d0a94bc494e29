package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

func TestMain(m *testing.M) {
	code := controlplane.Main(m)
	if binary.path != "" {
		_ = os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(code)
}

var binary struct {
	sync.Once
	path string
	err  error
}

// operatorBinary builds the operator once for all tests.
func operatorBinary(t testing.TB) string {
	t.Helper()
	root := repository(t)
	binary.Do(func() {
		dir, err := os.MkdirTemp("", "kyma-operator-integration-") //nolint:usetesting // It outlives the test that comes first.
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "kyma-operator")
		// The same flags as make build, so that the two share Go's build cache.
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary.path, "./cmd/kyma-operator")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("build the operator: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func repository(t testing.TB, elements ...string) string {
	t.Helper()
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elements...)...)
}
