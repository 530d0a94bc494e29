package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	"github.com/kyma-incubator/kymactl/pkg/controller/helmcomponent"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	"github.com/kyma-incubator/kymactl/pkg/controller/kyma"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/metrics"
	"github.com/kyma-incubator/kymactl/pkg/controller/stream"
	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
	"github.com/kyma-incubator/kymactl/pkg/render"
)

// operator is everything that runs, wired.
type operator struct {
	options    *Options
	config     *rest.Config
	registry   *prometheus.Registry
	fence      *fence
	kymas      *informers.Kymas
	components *informers.HelmComponents
	renderer   render.Renderer
	kyma       *kyma.Controller
	component  *helmcomponent.Controller
	stopping   atomic.Bool
}

// run runs the operator until ctx ends or it can go on no longer.
func run(ctx context.Context, o *Options, logs io.Writer) error {
	logger := newLogger(logs, o.LogFormat, o.Verbosity)
	ctx = klog.NewContext(ctx, logger)
	config, err := restConfig(o)
	if err != nil {
		return err
	}
	if err := checkCRDs(ctx, config); err != nil {
		return err
	}
	op, err := newOperator(ctx, o, config)
	if err != nil {
		return err
	}
	// Not earlier: the processes that render charts may have all cores.
	limitProcs(os.Getenv)
	logger.Info("Starting", "version", version, "revision", commitOf(), "server", config.Host)
	return op.run(ctx)
}

func newOperator(ctx context.Context, o *Options, config *rest.Config) (*operator, error) {
	wall := clock.RealClock{}
	op := &operator{options: o, config: config, registry: prometheus.NewRegistry(), fence: newFence(wall)}
	op.registerProcess()
	m := metrics.New(op.registry)
	metrics.RegisterClientGo(op.registry)
	queues := metrics.NewQueues(op.registry)
	writes := throttle.New(throttle.Options{
		QPS: o.KubeAPIQPS, Burst: o.KubeAPIBurst, MaxInFlight: o.WriteConcurrency, Clock: wall,
	})
	var wrap []func(http.RoundTripper) http.RoundTripper
	if o.LeaderElection.Enabled {
		wrap = append(wrap, op.fence.transport)
	}
	client, err := stream.NewForConfig(controllerConfig(config, writes, wall, wrap...))
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	if err := op.addInformers(client); err != nil {
		return nil, err
	}
	op.registry.MustRegister(&metrics.Fleet{Kymas: op.kymas.GetStore(), HelmComponents: op.components.GetStore(), WriteSlots: writes.Usage})
	op.renderer, err = render.New(render.Options{ChartsDir: o.Charts, Cache: o.RenderCache, DigestOnly: true, Metrics: renderMetrics{m}})
	if err != nil {
		return nil, fmt.Errorf("set up rendering: %w", err)
	}
	events, err := newRecorder(ctx, config)
	if err != nil {
		return nil, err
	}
	timeline := lifecycle.Timeline{Unit: o.LifecycleUnit}
	api := client.InventoryV1alpha1()
	op.kyma, err = kyma.New(kyma.Dependencies{
		Client:    api,
		Create:    commit.RESTCreate[*v1alpha1.HelmComponent](api.RESTClient(), "helmcomponents"),
		PutStatus: commit.REST[v1alpha1.KymaStatus](api.RESTClient(), "kymas"), Current: commit.RESTCurrent(api.RESTClient(), "kymas"),
		Kymas: op.kymas, Components: op.components,
		Throttle: writes, Clock: wall, Metrics: m, Queues: queues, Recorder: events,
	}, kyma.Options{
		Workers: o.KymaWorkers, Retry: o.Retry, ResyncPeriod: o.KymaResyncPeriod,
		Timeline: timeline, AlwaysWrite: !o.StatusDedup,
	})
	if err != nil {
		return nil, err
	}
	op.component, err = helmcomponent.New(helmcomponent.Dependencies{
		PutStatus:  commit.REST[v1alpha1.HelmComponentStatus](api.RESTClient(), "helmcomponents"),
		Current:    commit.RESTCurrent(api.RESTClient(), "helmcomponents"),
		Components: op.components, Renderer: op.renderer,
		Throttle: writes, Clock: wall, Metrics: m, Queues: queues,
	}, helmcomponent.Options{
		Workers: o.HelmComponentWorkers, Retry: o.Retry, ResyncPeriod: o.HelmComponentResyncPeriod,
		Timeline: timeline, Coalesce: o.CoalesceTransitions, AlwaysWrite: !o.StatusDedup,
	})
	return op, err
}

func (op *operator) registerProcess() {
	op.registry.MustRegister(op.buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func (op *operator) buildInfo() prometheus.Collector {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "kyma_operator_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": commitOf(), "goversion": runtime.Version()},
	})
	build.Set(1)
	return build
}

func (op *operator) addInformers(client versioned.Interface) error {
	name, err := cache.NewInformerName("kyma-operator")
	if err != nil {
		return fmt.Errorf("name informers: %w", err)
	}
	o := informers.Options{Namespace: op.options.Namespace, Name: name}
	if op.kymas, err = informers.NewKymas(client, o); err != nil {
		return err
	}
	op.components, err = informers.NewHelmComponents(client, o)
	return err
}

// run serves, watches and, while it leads, works.
func (op *operator) run(ctx context.Context) error {
	// Servers and informers outlive the signal to stop, until the workers are done.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { op.stopping.Store(true) })()
	if err := op.startServers(serving); err != nil {
		return err
	}
	var watching sync.WaitGroup
	watching.Go(func() { op.kymas.RunWithContext(serving) })
	watching.Go(func() { op.components.RunWithContext(serving) })
	defer watching.Wait()
	defer stop()

	logger := klog.FromContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), op.kymas.HasSynced, op.components.HasSynced) {
		logger.Info("Stopped before the caches were filled")
		return nil
	}
	logger.Info("Caches are filled", "kymas", len(op.kymas.GetStore().ListKeys()), "helmcomponents", len(op.components.GetStore().ListKeys()))
	if op.options.RenderCache {
		go op.warm(serving)
	}
	go giveBack(serving)
	if op.options.LeaderElection.Enabled {
		return lead(ctx, op.config, op.options.LeaderElection, op.fence, op.work)
	}
	op.work(ctx)
	return nil
}

// warm renders the charts of the standard modules before anyone waits for them:
// the first Kymas of a fleet come all at once, and a cold render takes longer
// than they have.
func (op *operator) warm(ctx context.Context) {
	var renders sync.WaitGroup
	for _, module := range v1alpha1.StandardComponents() {
		renders.Go(func() {
			// A chart that is broken is reported by the component that wants it.
			_, _ = op.renderer.Render(ctx, helmcomponent.Request(kyma.ComponentSpec(module)))
		})
	}
	renders.Wait()
	klog.FromContext(ctx).V(1).Info("Charts of the standard modules are rendered")
}

// work runs both controllers until ctx ends, and then gives what is in flight
// the shutdown timeout to end.
func (op *operator) work(ctx context.Context) {
	logger := klog.FromContext(ctx)
	logger.Info("Working", "kymaWorkers", op.options.KymaWorkers, "helmcomponentWorkers", op.options.HelmComponentWorkers)
	flight, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		logger.Info("Stopping: finishing what is in flight", "timeout", op.options.ShutdownTimeout)
		time.AfterFunc(op.options.ShutdownTimeout, cut)
	})()
	var controllers sync.WaitGroup
	controllers.Go(func() { op.kyma.Run(ctx, flight) })
	controllers.Go(func() { op.component.Run(ctx, flight) })
	controllers.Wait()
	logger.Info("Stopped")
}

func (op *operator) startServers(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	if err := healthServer(op.options.HealthProbeBindAddress, op.ready).start(ctx, logger); err != nil {
		return err
	}
	if op.options.MetricsBindAddress == disabled {
		return nil
	}
	guard, err := newGuard(op.config)
	if err != nil {
		return err
	}
	handler := promhttp.HandlerFor(op.registry, promhttp.HandlerOpts{})
	server, err := metricsServer(op.options, handler, guard.wrap)
	if err != nil {
		return err
	}
	return server.start(ctx, logger)
}

// renderMetrics gives the renderer's metrics their labels.
type renderMetrics struct{ *metrics.Metrics }

func (m renderMetrics) Looked(result render.Lookup) { m.CacheLooked(result.String()) }

func (m renderMetrics) Rendered(kind render.Kind, took time.Duration) {
	m.Metrics.Rendered(cmp.Or(string(kind), "success"), took)
}

// ready is nil when the caches are filled, on a standby as well, until the
// process is told to stop.
func (op *operator) ready() error {
	switch {
	case op.stopping.Load():
		return errors.New("stopping")
	case !op.kymas.HasSynced() || !op.components.HasSynced():
		return errors.New("caches are not filled yet")
	}
	return nil
}
