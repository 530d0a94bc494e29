package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/internal/process"
)

func TestMain(m *testing.M) {
	code := controlplane.Main(m)
	process.RemoveOperator()
	os.Exit(code)
}

func repository(t testing.TB, elements ...string) string {
	t.Helper()
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elements...)...)
}
