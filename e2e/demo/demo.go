package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"k8s.io/utils/clock"

	inventory "github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
)

// demo is one run.
type demo struct {
	options
	clock clock.WithTicker
	out   io.Writer
	tty   bool

	plane *controlplane.ControlPlane
}

func (d *demo) run(ctx context.Context) (err error) {
	sample, err := loadSample(filepath.Join(d.root, "manifests", "samples", "kyma.yaml"))
	if err != nil {
		return err
	}
	unit, err := lifecycleUnit(d.operatorArgs)
	if err != nil {
		return err
	}
	d.say("starting etcd, kube-apiserver and kube-controller-manager")
	begin := d.clock.Now()
	d.plane, err = controlplane.Start(ctx, controlplane.Options{Name: d.name})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.takeDown(ctx, err)) }()
	if err := d.plane.InstallCRDs(ctx); err != nil {
		return err
	}
	d.say("ready after %s; starting %s", round(d.clock.Since(begin)), d.operator)
	operator, err := startOperator(ctx, d)
	if err != nil {
		return err
	}
	defer func() {
		operator.stop()
		if ctx.Err() == nil {
			err = operator.explain(err)
		}
	}()
	return d.fleet(ctx, operator, sample, unit)
}

// fleet creates the Kymas, follows them to success and sums up.
func (d *demo) fleet(ctx context.Context, operator *operator, sample *inventory.Kyma, unit time.Duration) error {
	client, err := versioned.NewForConfig(d.plane.RESTConfig())
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	before, err := d.plane.Requests(ctx, inventory.GroupName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.deadline(sample, unit), errTimeout)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go operator.watch(fail)

	t := newTracker(d.clock, names(sample.Name, d.kymas), sample, unit)
	stop, err := follow(ctx, client, sample.Namespace, t)
	if err != nil {
		return err
	}
	defer stop()
	go func() {
		if err := create(ctx, client, sample, t); err != nil {
			fail(err)
		}
	}()
	if err := d.show(ctx, t); err != nil {
		return err
	}
	after, err := d.plane.Requests(ctx, inventory.GroupName)
	if err != nil {
		return err
	}
	operator.stop()
	d.say("%s", summary(t.report(), after.Sub(before), operator.usage()))
	return nil
}

var errTimeout = errors.New("not all Kymas are success in time")

// deadline is generous: the demo shows a time, it does not judge it.
func (d *demo) deadline(sample *inventory.Kyma, unit time.Duration) time.Duration {
	if d.timeout > 0 {
		return d.timeout
	}
	return 3*ideal(sample, unit) + time.Minute + time.Duration(d.kymas)*2*time.Second
}

// takeDown ends the control plane, or with KEEP=1 leaves it up.
func (d *demo) takeDown(ctx context.Context, failed error) error {
	if d.keep && ctx.Err() == nil {
		if err := d.plane.Release(); err != nil {
			return err
		}
		d.say("the control plane stays up (`make control-plane-down NAME=%s` ends it; `make run` runs the operator):\n"+
			"export KUBECONFIG=%s", d.name, d.plane.Kubeconfig)
		return nil
	}
	if failed != nil {
		d.say("taking everything down")
	}
	return d.plane.Stop(context.WithoutCancel(ctx))
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format+"\n", args...)
}

func round(d time.Duration) time.Duration {
	return d.Round(100 * time.Millisecond)
}
