package integration

import (
	"os"
	"testing"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/internal/process"
)

func TestMain(m *testing.M) {
	code := controlplane.Main(m)
	process.RemoveOperator()
	os.Exit(code)
}
