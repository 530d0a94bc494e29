package controlplane

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/kyma-incubator/kymactl/e2e/controlplane/crds"
)

// InstallCRDs applies the repository's manifests/crds and waits until all of them are served. It then restarts the
// controller manager: its garbage collector looks for new kinds only every 30 seconds, and until then no owner's
// deletion would reach our objects.
func (c *ControlPlane) InstallCRDs(ctx context.Context) error {
	root, err := RepositoryRoot()
	if err != nil {
		return err
	}
	if err := crds.Install(ctx, c.config, filepath.Join(root, "manifests", "crds")); err != nil {
		return fmt.Errorf("control plane %s: %w", c.Name, err)
	}
	if err := c.StopComponent(ctx, ControllerManager); err != nil {
		return err
	}
	if err := c.ensureControllers(ctx); err != nil {
		return c.withLogs(err)
	}
	return nil
}
