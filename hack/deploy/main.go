// Command deploy does what `kubectl apply -k` and `kubectl delete -k` do, on
// machines that have no kubectl, and sets the operator's image on the way.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kyma-incubator/kymactl/hack/deploy/manifests"
)

const usage = `usage: deploy [flags] apply|delete|render DIRECTORY
  apply   bring the kustomization into the cluster and wait until it runs
  delete  remove it and wait until it is gone
  render  write it to stdout
`

type options struct {
	action, dir string
	kubeconfig  string
	image       string
	dryRun      bool
	keepCRDs    bool
	timeout     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("deploy", flag.ContinueOnError)
	fs.Usage = func() { fmt.Fprint(fs.Output(), usage); fs.PrintDefaults() }
	fs.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig; as kubectl finds it where empty")
	fs.StringVar(&o.image, "image", "", "the operator's image; as in the manifests where empty")
	fs.BoolVar(&o.dryRun, "dry-run", false, "apply on the server without keeping anything; the namespace must be there")
	fs.BoolVar(&o.keepCRDs, "keep-crds", false, "delete leaves the CRDs and with them every Kyma")
	fs.DurationVar(&o.timeout, "timeout", 3*time.Minute, "give up after this time")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() != 2 {
		return o, fmt.Errorf("needs an action and a directory\n%s", usage)
	}
	o.action, o.dir = fs.Arg(0), fs.Arg(1)
	if !slices.Contains([]string{"apply", "delete", "render"}, o.action) {
		return o, fmt.Errorf("unknown action %q\n%s", o.action, usage)
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.action == "render" {
		return manifests.Write(os.Stdout, o.dir, o.image)
	}
	objects, err := manifests.Build(o.dir, o.image)
	if err != nil {
		return err
	}
	client, err := connect(o.kubeconfig)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.action == "delete" {
		return remove(ctx, client, objects, o.keepCRDs)
	}
	if err := client.Apply(ctx, objects, manifests.ApplyOptions{DryRun: o.dryRun, Each: say("applied")}); err != nil || o.dryRun {
		return err
	}
	fmt.Println("waiting for all replicas to be ready")
	return client.WaitReady(ctx, objects)
}

func connect(kubeconfig string) (*manifests.Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return manifests.NewClient(config)
}

func remove(ctx context.Context, client *manifests.Client, objects []*unstructured.Unstructured, keepCRDs bool) error {
	if keepCRDs {
		objects = slices.DeleteFunc(objects, func(object *unstructured.Unstructured) bool {
			return object.GetKind() == "CustomResourceDefinition"
		})
	}
	return client.Delete(ctx, objects, say("deleted"))
}

func say(verb string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) { fmt.Println(verb, manifests.Describe(object)) }
}
