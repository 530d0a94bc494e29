package deploy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
)

// stepTimeout bounds a step that nothing refuses. stepGrace is what a step gets
// once the API server has refused a request: time to show that it fails.
const (
	stepTimeout = 20 * time.Second
	stepGrace   = 1500 * time.Millisecond
)

// trial takes the operator through everything it needs permissions for.
type trial struct {
	kube      kubernetes.Interface
	inventory versioned.Interface
	audit     *auditLog
	operator  *operatorProcess
	namespace string
	// reader and stranger are tokens with and without permission to read metrics.
	reader, stranger string
}

// step is something that the operator does. check returns an empty string when
// it is done.
type step struct {
	name  string
	begin func(context.Context) error
	check func(context.Context) string
}

// The steps of a trial, in their order.
const (
	stepStarts    = "starts: fills its caches and is ready"
	stepWatches   = "follows changes on a watch instead of listing again and again"
	stepLeads     = "becomes the leader"
	stepCreates   = "creates a component per module"
	stepDrives    = "brings the components to success"
	stepReports   = "reports the Kyma as success"
	stepCorrects  = "corrects a component when its module changes"
	stepRemoves   = "removes the component of a removed module"
	stepEvents    = "writes an event about the Kyma"
	stepMetrics   = "serves metrics to those who may read them, and to nobody else"
	stepRenews    = "renews its lease"
	stepHandsOver = "ends and gives the lease back"
)

func (r *trial) steps() []step {
	return []step{
		{name: stepStarts, check: r.operator.ready},
		{name: stepWatches, check: r.watches},
		{name: stepLeads, check: r.leads},
		{name: stepCreates, begin: r.createKyma, check: r.hasComponents(2)},
		{name: stepDrives, check: r.componentsSucceed},
		{name: stepReports, check: r.kymaSucceeds},
		{name: stepCorrects, begin: r.changeModule, check: r.componentCorrected},
		{name: stepRemoves, begin: r.removeModule, check: r.hasComponents(1)},
		{name: stepEvents, check: r.hasEvent},
		{name: stepMetrics, check: r.metricsGuarded},
		{name: stepRenews, check: r.leaseRenewed()},
		{name: stepHandsOver, begin: r.stop, check: r.leaseReleased},
	}
}

// run returns the name of the step that failed and why; both are empty if the
// operator can do all of them.
func (r *trial) run(ctx context.Context) (name, reason string) {
	for _, s := range r.steps() {
		if s.begin != nil {
			if err := s.begin(ctx); err != nil {
				return s.name, err.Error()
			}
		}
		if reason := r.await(ctx, s.check); reason != "" {
			return s.name, reason
		}
	}
	return "", ""
}

func (r *trial) await(ctx context.Context, check func(context.Context) string) string {
	last := "not checked yet"
	deadline := time.Now().Add(stepTimeout)
	denied := false
	_ = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, stepTimeout, true, func(ctx context.Context) (bool, error) {
		// Once its time is over, that is all that a check says.
		if reason := check(ctx); ctx.Err() == nil {
			last = reason
		}
		if last == "" {
			return true, nil
		}
		if !denied {
			if refusals, err := r.audit.requests(refused); err == nil && len(refusals) > 0 {
				denied, deadline = true, time.Now().Add(stepGrace)
			}
		}
		return time.Now().After(deadline), nil
	})
	return last
}

func (r *trial) watches(context.Context) string {
	for _, resource := range []string{"kymas", "helmcomponents"} {
		found, err := r.audit.requests(watched(resource))
		if err != nil {
			return err.Error()
		}
		if len(found) == 0 {
			return "no watch of " + resource
		}
	}
	return ""
}

func (r *trial) lease(ctx context.Context) (holder string, renewed time.Time, err error) {
	lease, err := r.kube.CoordinationV1().Leases(operatorName).Get(ctx, leaseName, metav1.GetOptions{})
	if err != nil {
		return "", time.Time{}, err
	}
	if lease.Spec.HolderIdentity != nil {
		holder = *lease.Spec.HolderIdentity
	}
	if lease.Spec.RenewTime != nil {
		renewed = lease.Spec.RenewTime.Time
	}
	return holder, renewed, nil
}

func (r *trial) leads(ctx context.Context) string {
	holder, _, err := r.lease(ctx)
	switch {
	case err != nil:
		return err.Error()
	case holder == "":
		return "nobody holds the lease"
	}
	return ""
}

// leaseRenewed wants a renewal after the one that it sees first.
func (r *trial) leaseRenewed() func(context.Context) string {
	var first time.Time
	return func(ctx context.Context) string {
		_, renewed, err := r.lease(ctx)
		switch {
		case err != nil:
			return err.Error()
		case first.IsZero():
			first = renewed
			return "not renewed yet"
		case !renewed.After(first):
			return "not renewed since " + first.String()
		}
		return ""
	}
}

func (r *trial) leaseReleased(ctx context.Context) string {
	holder, _, err := r.lease(ctx)
	switch {
	case err != nil:
		return err.Error()
	case holder != "":
		return holder + " still holds the lease"
	}
	return ""
}

func (r *trial) stop(context.Context) error { return r.operator.stop(10 * time.Second) }

func (r *trial) createKyma(ctx context.Context) error {
	kyma := &v1alpha1.Kyma{
		ObjectMeta: metav1.ObjectMeta{Name: "kyma", Namespace: r.namespace},
		Spec:       v1alpha1.KymaSpec{Components: []v1alpha1.KymaComponent{{Name: "istio", Namespace: "istio-system"}, {Name: "tracing"}}},
	}
	_, err := r.inventory.InventoryV1alpha1().Kymas(r.namespace).Create(ctx, kyma, metav1.CreateOptions{})
	return err
}

func (r *trial) updateKyma(ctx context.Context, change func(*v1alpha1.KymaSpec)) error {
	kymas := r.inventory.InventoryV1alpha1().Kymas(r.namespace)
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		kyma, err := kymas.Get(ctx, "kyma", metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(&kyma.Spec)
		_, err = kymas.Update(ctx, kyma, metav1.UpdateOptions{})
		return err
	})
}

func (r *trial) changeModule(ctx context.Context) error {
	return r.updateKyma(ctx, func(spec *v1alpha1.KymaSpec) { spec.Components[1].Namespace = "moved" })
}

func (r *trial) removeModule(ctx context.Context) error {
	return r.updateKyma(ctx, func(spec *v1alpha1.KymaSpec) { spec.Components = spec.Components[:1] })
}

func (r *trial) components(ctx context.Context) ([]v1alpha1.HelmComponent, error) {
	list, err := r.inventory.InventoryV1alpha1().HelmComponents(r.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func (r *trial) hasComponents(want int) func(context.Context) string {
	return func(ctx context.Context) string {
		components, err := r.components(ctx)
		if err != nil {
			return err.Error()
		}
		if len(components) != want {
			return fmt.Sprintf("%d components, want %d", len(components), want)
		}
		return ""
	}
}

func (r *trial) componentsSucceed(ctx context.Context) string {
	components, err := r.components(ctx)
	if err != nil {
		return err.Error()
	}
	for i := range components {
		if state := components[i].Status.Status; state != v1alpha1.ComponentSuccess {
			return fmt.Sprintf("%s is %s", components[i].Name, state)
		}
	}
	return ""
}

func (r *trial) kymaSucceeds(ctx context.Context) string {
	kyma, err := r.inventory.InventoryV1alpha1().Kymas(r.namespace).Get(ctx, "kyma", metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	if kyma.Status.Status != v1alpha1.KymaSuccess {
		return fmt.Sprintf("the Kyma is %q", kyma.Status.Status)
	}
	return ""
}

func (r *trial) componentCorrected(ctx context.Context) string {
	components, err := r.components(ctx)
	if err != nil {
		return err.Error()
	}
	for i := range components {
		if components[i].Spec.Namespace == "moved" {
			return ""
		}
	}
	return "no component has the module's new namespace"
}

func (r *trial) hasEvent(ctx context.Context) string {
	events, err := r.kube.EventsV1().Events(r.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	for i := range events.Items {
		if events.Items[i].Regarding.Kind == "Kyma" {
			return ""
		}
	}
	return "no event about the Kyma"
}

func (r *trial) metricsGuarded(ctx context.Context) string {
	for token, want := range map[string]int{
		r.reader: http.StatusOK, r.stranger: http.StatusForbidden, "": http.StatusUnauthorized, "nonsense": http.StatusUnauthorized,
	} {
		code, err := scrape(ctx, "https://"+r.operator.metrics+"/metrics", token)
		if err != nil {
			return err.Error()
		}
		if code != want {
			return fmt.Sprintf("metrics answer with %d, want %d", code, want)
		}
	}
	return ""
}

func scrape(ctx context.Context, url, token string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The operator's certificate is its own, made in memory.
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // see above
	}}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
