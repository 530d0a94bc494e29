package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/moderate"
	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
)

// restConfig finds the API server: by flag, by $KUBECONFIG and its defaults, or
// by the pod's service account.
func restConfig(o *Options) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, usagef("no usable kubeconfig: %w; set --kubeconfig or $KUBECONFIG", err)
	}
	config.UserAgent = "kyma-operator/" + version
	// On a cluster's own network compression costs more than it saves.
	config.DisableCompression = true
	config.WarningHandlerWithContext = rest.NoWarnings{}
	return config, nil
}

// controllerConfig is for the controllers: the throttle budgets their writes, so
// client-go's own first-come-first-served limiter is off, and no write leaves
// once the lease is gone. Answers and events are read at intervals while it
// writes; requests for the lease have a connection of their own, which is not.
func controllerConfig(base *rest.Config, writes *throttle.Throttle, wall clock.Clock, wrap ...func(http.RoundTripper) http.RoundTripper) *rest.Config {
	config := rest.CopyConfig(base)
	config.QPS = -1
	// With the bounds of client-go's own dialer.
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	config.Dial = moderate.Dialer(dialer.DialContext, wall, func() time.Duration { return readPause(writes.Latency()) })
	config.Wrap(writes.Observed)
	for _, w := range wrap {
		config.Wrap(w)
	}
	return config
}

// readPause is how long what the server sends may gather, when a write takes
// latency: no longer than half of it, so that the server has always writes to work
// on, and little against a state's time.
func readPause(latency time.Duration) time.Duration {
	return min(latency/2, 15*time.Millisecond)
}

// checkCRDs makes sure that the kinds are served before anything waits for them.
func checkCRDs(ctx context.Context, config *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("create discovery client: %w", err)
	}
	groupVersion := v1alpha1.GroupVersion.String()
	served, err := client.ServerResourcesForGroupVersionWithContext(ctx, groupVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reach API server %s: %w", config.Host, err)
	}
	missing := map[string]bool{"kymas": true, "helmcomponents": true}
	if served != nil {
		for _, resource := range served.APIResources {
			delete(missing, resource.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the API server does not serve %s: install the CRDs with 'make install' or 'kubectl apply -f manifests/crds'", groupVersion)
	}
	return nil
}
