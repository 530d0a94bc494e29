package app

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/scheme"
)

const (
	eventQPS   = 5
	eventBurst = 50
)

// recorder writes events on Kymas through a client of its own, so that they
// never take the controllers' share. What exceeds its rate is dropped before it
// costs anything: an event is a courtesy, the status is the truth.
type recorder struct {
	events.EventRecorder
	limiter flowcontrol.PassiveRateLimiter
}

func newRecorder(ctx context.Context, base *rest.Config) (*recorder, error) {
	config := rest.CopyConfig(base)
	config.QPS, config.Burst = eventQPS, eventBurst
	client, err := eventsv1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("create event client: %w", err)
	}
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return nil, fmt.Errorf("start recording events: %w", err)
	}
	return &recorder{
		EventRecorder: broadcaster.NewRecorder(scheme.Scheme, "kyma-operator"),
		limiter:       flowcontrol.NewTokenBucketPassiveRateLimiter(eventQPS, eventBurst),
	}, nil
}

// KymaChanged implements kyma.Recorder. That a new Kyma is on its way is no news.
func (r *recorder) KymaChanged(ky *v1alpha1.Kyma, before *metav1.Condition, ready metav1.Condition) {
	kind := corev1.EventTypeNormal
	if ready.Message != "" {
		kind = corev1.EventTypeWarning
	}
	if before == nil && kind == corev1.EventTypeNormal && ready.Status == metav1.ConditionFalse || !r.limiter.TryAccept() {
		return
	}
	note := ready.Message
	if note == "" {
		note = "Kyma is " + ready.Reason
	}
	r.Eventf(ky, nil, kind, ready.Reason, "Reconcile", "%s", note)
}
