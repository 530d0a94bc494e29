package kyma

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Reasons of the Ready condition.
const (
	reasonSuccess              = "Success"
	reasonReconciling          = "Reconciling"
	reasonModuleFailing        = "ModuleFailing"
	reasonNameTaken            = "NameTaken"
	reasonNamespaceTerminating = "NamespaceTerminating"
	reasonWriteRefused         = "WriteRefused"
)

// maxMessage keeps a condition's message far below the schema's bound, however
// many modules fail.
const maxMessage = 1024

// refusal is an answer of the API server that a repetition alone will not
// change. It belongs into the Ready condition, in words that stay the same.
type refusal struct {
	reason, message string
}

func (r *refusal) Error() string { return r.message }

// refused turns a write's error into a refusal if it is one.
func refused(action string, err error) error {
	wrapped := fmt.Errorf("%s: %w", action, err)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return errors.Join(&refusal{reasonNamespaceTerminating, "the namespace is being terminated"}, wrapped)
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsNotFound(err), apierrors.IsRequestEntityTooLargeError(err):
		return errors.Join(&refusal{reasonWriteRefused, action + ": " + string(apierrors.ReasonForError(err))}, wrapped)
	}
	return wrapped
}

// statusOf is the status that a Kyma should have. problem is what kept the plan
// from being carried out, nil if nothing did.
func statusOf(ky *v1alpha1.Kyma, p plan, problem error, now time.Time) v1alpha1.KymaStatus {
	var waiting, failing []string
	for _, module := range ky.Spec.Components {
		hc := p.present[module.Name]
		if hc == nil || !lifecycle.Succeeded(hc) {
			waiting = append(waiting, module.Name)
		}
		if hc != nil && hc.Status.Message != "" {
			failing = append(failing, module.Name+": "+hc.Status.Message)
		}
	}
	status := v1alpha1.KymaStatus{
		Status:             v1alpha1.KymaReconciling,
		WaitingFor:         waiting,
		Components:         fmt.Sprintf("%d/%d", len(ky.Spec.Components)-len(waiting), len(ky.Spec.Components)),
		ObservedGeneration: ky.Generation,
		Conditions:         slices.Clone(ky.Status.Conditions),
	}
	if len(waiting) == 0 {
		status.Status = v1alpha1.KymaSuccess
	}
	condition := ready(failing, problem)
	if condition.Status == "" {
		condition.Status, condition.Reason = metav1.ConditionFalse, reasonReconciling
		if len(waiting) == 0 {
			condition.Status, condition.Reason = metav1.ConditionTrue, reasonSuccess
		}
	}
	condition.ObservedGeneration = ky.Generation
	condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
	meta.SetStatusCondition(&status.Conditions, condition)
	return status
}

// equalStatus tells whether two statuses need no write between them.
func equalStatus(a, b *v1alpha1.KymaStatus) bool { return equality.Semantic.DeepEqual(a, b) }

// ready is the Ready condition of a Kyma that something is wrong with, without
// a status otherwise.
func ready(failing []string, problem error) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady}
	var refusal *refusal
	switch {
	case errors.As(problem, &refusal):
		condition.Reason, condition.Message = refusal.reason, refusal.message
	case len(failing) > 0:
		condition.Reason, condition.Message = reasonModuleFailing, strings.Join(failing, "; ")
	default:
		return condition
	}
	condition.Status = metav1.ConditionFalse
	if len(condition.Message) > maxMessage {
		condition.Message = strings.ToValidUTF8(condition.Message[:maxMessage-3], "") + "..."
	}
	return condition
}
