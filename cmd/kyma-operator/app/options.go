package app

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/kyma-incubator/kymactl/pkg/controller/queue"
)

// disabled is the address that turns a server off.
const disabled = "0"

// Options are all settings of the operator.
type Options struct {
	Kubeconfig string
	Namespace  string

	KymaWorkers          int
	HelmComponentWorkers int
	KubeAPIQPS           float64
	KubeAPIBurst         int
	WriteConcurrency     int
	Retry                queue.Retry

	KymaResyncPeriod          time.Duration
	HelmComponentResyncPeriod time.Duration
	LifecycleUnit             time.Duration
	CoalesceTransitions       bool
	StatusDedup               bool

	Charts      string
	RenderCache bool

	MetricsBindAddress     string
	MetricsSecure          bool
	MetricsCertDir         string
	HealthProbeBindAddress string
	EnablePprof            bool

	LeaderElection  LeaderElection
	ShutdownTimeout time.Duration

	LogFormat string
	Verbosity int
}

// LeaderElection lets several replicas stand by for one that works.
type LeaderElection struct {
	Enabled       bool
	LeaseDuration time.Duration
	RenewDeadline time.Duration
	RetryPeriod   time.Duration
	Namespace     string
	ID            string
}

// newOptions returns the defaults, which live nowhere else.
func newOptions() *Options {
	return &Options{
		KymaWorkers:          20,
		HelmComponentWorkers: 40,
		KubeAPIQPS:           150,
		KubeAPIBurst:         150,
		WriteConcurrency:     24,
		Retry: queue.Retry{
			BaseDelay: time.Second,
			MaxDelay:  1000 * time.Second,
			QPS:       30,
			Burst:     200,
		},
		KymaResyncPeriod:          10 * time.Hour,
		HelmComponentResyncPeriod: 10 * time.Hour,
		LifecycleUnit:             time.Second,
		CoalesceTransitions:       true,
		StatusDedup:               true,
		RenderCache:               true,
		MetricsBindAddress:        ":8080",
		HealthProbeBindAddress:    ":8081",
		LeaderElection: LeaderElection{
			LeaseDuration: 10 * time.Second,
			RenewDeadline: 7 * time.Second,
			// A standby looks after 1 to 2.2 of these, which bounds a clean handover.
			RetryPeriod: 500 * time.Millisecond,
			Namespace:   podNamespace(),
			ID:          "kyma-operator.inventory.kyma-project.io",
		},
		ShutdownTimeout: 25 * time.Second,
		LogFormat:       "text",
	}
}

// AddFlags binds the options to flags.
func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "Path to a kubeconfig; empty: $KUBECONFIG, ~/.kube/config, or the pod's service account.")
	f.StringVar(&o.Namespace, "namespace", o.Namespace, "Work on this namespace alone; empty: on all.")

	f.IntVar(&o.KymaWorkers, "kyma-workers", o.KymaWorkers, "Kymas worked on at once.")
	f.IntVar(&o.HelmComponentWorkers, "helmcomponent-workers", o.HelmComponentWorkers, "HelmComponents worked on at once.")
	f.Float64Var(&o.KubeAPIQPS, "kube-api-qps", o.KubeAPIQPS, "Budget of writes to the API server a second; the most urgent ones get it first. Negative: no limit.")
	f.IntVar(&o.KubeAPIBurst, "kube-api-burst", o.KubeAPIBurst, "Writes that may be made at once from a full budget.")
	f.IntVar(&o.WriteConcurrency, "write-concurrency", o.WriteConcurrency, "Writes in flight at most, fewer while the API server answers slowly or with 429. Keep it below --helmcomponent-workers: with a place for each worker writes hardly ever wait, and intermediate states are written as if there were time.")

	f.DurationVar(&o.Retry.BaseDelay, "retry-base-delay", o.Retry.BaseDelay, "Wait before an object's first retry; it doubles with each.")
	f.DurationVar(&o.Retry.MaxDelay, "retry-max-delay", o.Retry.MaxDelay, "Longest wait before an object's retry.")
	f.Float64Var(&o.Retry.QPS, "retry-qps", o.Retry.QPS, "Retries a second, of all objects of one kind.")
	f.IntVar(&o.Retry.Burst, "retry-burst", o.Retry.Burst, "Retries at once, of all objects of one kind.")

	f.DurationVar(&o.KymaResyncPeriod, "kyma-resync-period", o.KymaResyncPeriod, "Every Kyma is looked at again once in this time, spread evenly; 0: never.")
	f.DurationVar(&o.HelmComponentResyncPeriod, "helmcomponent-resync-period", o.HelmComponentResyncPeriod, "Every HelmComponent is looked at again once in this time, spread evenly; 0: never.")
	f.DurationVar(&o.LifecycleUnit, "lifecycle-unit", o.LifecycleUnit, "Unit of the lifecycle's timeline: success takes 1+3N of it, N the length of the component's name.")
	f.BoolVar(&o.CoalesceTransitions, "coalesce-transitions", o.CoalesceTransitions, "Pass over states of a component that are no longer the latest due one. False: write each, in order.")
	f.BoolVar(&o.StatusDedup, "status-dedup", o.StatusDedup, "Write a status only when it differs. False shows in an experiment what that is worth.")
	must(f.MarkHidden("status-dedup"))

	f.StringVar(&o.Charts, "charts", o.Charts, "Directory of charts; empty: the built-in ones.")
	f.BoolVar(&o.RenderCache, "render-cache", o.RenderCache, "Render equal charts once for all Kymas.")

	f.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress, "Address of the metrics server; 0: none.")
	f.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure, "Serve metrics over TLS, to those whose token may get /metrics.")
	f.StringVar(&o.MetricsCertDir, "metrics-cert-dir", o.MetricsCertDir, "Directory of tls.crt and tls.key for the metrics server; empty: a self-signed certificate.")
	f.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", o.HealthProbeBindAddress, "Address of /healthz and /readyz; 0: none.")
	f.BoolVar(&o.EnablePprof, "enable-pprof", o.EnablePprof, "Serve /debug/pprof beside the metrics.")

	l := &o.LeaderElection
	f.BoolVar(&l.Enabled, "leader-elect", l.Enabled, "Work only while holding a Lease, so that several replicas can run.")
	f.DurationVar(&l.LeaseDuration, "leader-elect-lease-duration", l.LeaseDuration, "How long a Lease that is not renewed is respected.")
	f.DurationVar(&l.RenewDeadline, "leader-elect-renew-deadline", l.RenewDeadline, "How long the leader tries to renew before it gives up.")
	f.DurationVar(&l.RetryPeriod, "leader-elect-retry-period", l.RetryPeriod, "Pause between two tries to get or renew the Lease.")
	f.StringVar(&l.Namespace, "leader-elect-namespace", l.Namespace, "Namespace of the Lease.")
	f.StringVar(&l.ID, "leader-elect-id", l.ID, "Name of the Lease.")

	f.DurationVar(&o.ShutdownTimeout, "shutdown-timeout", o.ShutdownTimeout, "How long writes in flight may take to end after a signal to stop.")
	f.StringVar(&o.LogFormat, "log-format", o.LogFormat, "Format of the log: text or json.")
	f.IntVarP(&o.Verbosity, "v", "v", o.Verbosity, "Verbosity of the log, 0 to 10.")
}

// Validate finds the first flag that cannot be.
func (o *Options) Validate() error {
	checks := []struct {
		ok   bool
		flag string
		want string
	}{
		{o.KymaWorkers >= 1, "kyma-workers", "must be at least 1"},
		{o.HelmComponentWorkers >= 1, "helmcomponent-workers", "must be at least 1"},
		{o.KubeAPIQPS != 0, "kube-api-qps", "must not be 0; negative means no limit"},
		{o.KubeAPIQPS < 0 || o.KubeAPIBurst >= 1, "kube-api-burst", "must be at least 1"},
		{o.WriteConcurrency >= 1, "write-concurrency", "must be at least 1"},
		{o.Retry.BaseDelay > 0, "retry-base-delay", "must be positive"},
		{o.Retry.MaxDelay >= o.Retry.BaseDelay, "retry-max-delay", "must not be below --retry-base-delay"},
		{o.Retry.QPS > 0, "retry-qps", "must be positive"},
		{o.Retry.Burst >= 1, "retry-burst", "must be at least 1"},
		{o.KymaResyncPeriod >= 0, "kyma-resync-period", "must not be negative"},
		{o.HelmComponentResyncPeriod >= 0, "helmcomponent-resync-period", "must not be negative"},
		{o.LifecycleUnit >= time.Millisecond, "lifecycle-unit", "must be at least 1ms"},
		{o.ShutdownTimeout > 0, "shutdown-timeout", "must be positive"},
		{o.LogFormat == "text" || o.LogFormat == "json", "log-format", "must be text or json"},
		{o.Verbosity >= 0 && o.Verbosity <= 10, "v", "must be 0 to 10"},
	}
	for _, check := range checks {
		if !check.ok {
			return usagef("--%s %s", check.flag, check.want)
		}
	}
	return cmp.Or(o.validateAddresses(), o.validatePaths(), o.LeaderElection.validate())
}

func (o *Options) validateAddresses() error {
	for flag, address := range map[string]string{
		"metrics-bind-address": o.MetricsBindAddress, "health-probe-bind-address": o.HealthProbeBindAddress,
	} {
		if address == disabled {
			continue
		}
		if _, err := net.ResolveTCPAddr("tcp", address); err != nil {
			return usagef("--%s must be 0 or an address like :8080: %w", flag, err)
		}
	}
	return nil
}

func (o *Options) validatePaths() error {
	for flag, dir := range map[string]string{"charts": o.Charts, "metrics-cert-dir": o.MetricsCertDir} {
		if dir == "" {
			continue
		}
		if info, err := os.Stat(dir); err != nil {
			return usagef("--%s: %w", flag, err)
		} else if !info.IsDir() {
			return usagef("--%s: %s is not a directory", flag, dir)
		}
	}
	return nil
}

// validate checks what client-go would panic on, and that a leader that still may
// renew is not behind its fence, which counts whole seconds.
func (l *LeaderElection) validate() error {
	if !l.Enabled {
		return nil
	}
	switch {
	case l.RetryPeriod <= 0:
		return usagef("--leader-elect-retry-period must be positive")
	case float64(l.RenewDeadline) <= 1.2*float64(l.RetryPeriod):
		return usagef("--leader-elect-renew-deadline must be above 1.2 times --leader-elect-retry-period")
	case l.LeaseDuration < l.RenewDeadline+time.Second:
		return usagef("--leader-elect-lease-duration must be at least a second above --leader-elect-renew-deadline")
	case l.Namespace == "":
		return usagef("--leader-elect-namespace must be given outside of a cluster")
	case l.ID == "":
		return usagef("--leader-elect-id must not be empty")
	}
	return nil
}

// podNamespace is the namespace of the pod that this runs in, empty elsewhere.
func podNamespace() string {
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return string(data)
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("flags: %v", err))
	}
}
