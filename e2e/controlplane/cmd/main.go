// Command controlplane starts and stops the embedded control plane for `make control-plane-up` and
// `make control-plane-down`, and installs the CRDs for `make install`, so that neither needs kubectl.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/controlplane/crds"
)

const usage = `usage: controlplane up        [-name NAME] [-disable-qps-limits] [-feature-gates A=true,…]
       controlplane down      [-name NAME]
       controlplane install   [-kubeconfig FILE] [-crds FOLDER]
       controlplane uninstall [-kubeconfig FILE] [-crds FOLDER]
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		os.Exit(130)
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	var o controlplane.Options
	flags.StringVar(&o.Name, "name", "kyma", "name of the control plane, and of its folder below .run")
	flags.BoolVar(&o.DisableQPSLimits, "disable-qps-limits", false, "switch off priority and fairness and in-flight limits")
	flags.StringVar(&o.FeatureGates, "feature-gates", "", "feature gates of the API server and the controller manager")
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig; default: $KUBECONFIG, then ~/.kube/config")
	dir := flags.String("crds", filepath.Join("manifests", "crds"), "folder of the CustomResourceDefinitions")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 0 {
		return errUsage
	}
	switch args[0] {
	case "up":
		return up(ctx, o)
	case "down":
		return down(ctx, o)
	case "install":
		return onCluster(ctx, *kubeconfig, *dir, "installed", crds.Install)
	case "uninstall":
		return onCluster(ctx, *kubeconfig, *dir, "removed", crds.Uninstall)
	default:
		return errUsage
	}
}

func up(ctx context.Context, o controlplane.Options) error {
	c, err := controlplane.Attach(ctx, o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "starting control plane %s\n", o.Name)
		if c, err = controlplane.Start(ctx, o); err != nil {
			return err
		}
		if err := c.Release(); err != nil {
			return errors.Join(err, c.Stop(ctx))
		}
	}
	for _, component := range controlplane.Components() {
		fmt.Fprintf(os.Stderr, "%-24s process %d, log %s\n", component, c.PID(component), c.LogPath(component))
	}
	fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig)
	return nil
}

func down(ctx context.Context, o controlplane.Options) error {
	if err := controlplane.Remove(ctx, o); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "control plane %s is down\n", o.Name)
	return nil
}

func onCluster(ctx context.Context, kubeconfig, dir, done string,
	do func(context.Context, *rest.Config, string) error,
) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	if err := do(ctx, config, dir); err != nil {
		return fmt.Errorf("%s: %w", config.Host, err)
	}
	fmt.Fprintf(os.Stderr, "%s: the definitions in %s are %s\n", config.Host, dir, done)
	return nil
}
