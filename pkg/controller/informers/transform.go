package informers

import (
	"slices"
	"sync/atomic"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// The transforms run on each object on its way into the cache, twice on those of
// a list, so they are idempotent. What they take away is never written back: statuses
// are put alone, and a corrected spec is sent with the labels made anew.

// drifted stands for labels that are not what the operator sets.
var drifted = map[string]string{}

// LabelsDrifted tells whether a cached component's labels differ from those
// that names.Labels gives it. Labels that are right are not kept.
func LabelsDrifted(hc *v1alpha1.HelmComponent) bool { return hc.Labels != nil }

func stripKyma(obj any) (any, error) {
	ky, ok := obj.(*v1alpha1.Kyma)
	if !ok {
		return obj, nil
	}
	ky.TypeMeta = metav1.TypeMeta{}
	ky.ManagedFields = nil
	ky.Annotations = nil
	ky.Labels = nil
	ky.Namespace = intern(ky.Namespace)
	ky.Spec.Components = sharedModules(ky.Spec.Components)
	for i, name := range ky.Status.WaitingFor {
		ky.Status.WaitingFor[i] = intern(name)
	}
	return ky, nil
}

func stripHelmComponent(obj any) (any, error) {
	hc, ok := obj.(*v1alpha1.HelmComponent)
	if !ok {
		return obj, nil
	}
	stripLabels(hc)
	hc.TypeMeta = metav1.TypeMeta{}
	hc.ManagedFields = nil
	hc.Annotations = nil
	hc.Namespace = intern(hc.Namespace)
	hc.Spec.ComponentName = intern(hc.Spec.ComponentName)
	hc.Spec.ChartLocation = intern(hc.Spec.ChartLocation)
	hc.Spec.Version = intern(hc.Spec.Version)
	hc.Spec.Namespace = intern(hc.Spec.Namespace)
	hc.Status.Status = intern(hc.Status.Status)
	hc.Status.ManifestDigest = intern(hc.Status.ManifestDigest)
	hc.Status.Message = intern(hc.Status.Message)
	// No decision depends on the time of the last write.
	hc.Status.LastReconciliation = nil
	stripOwner(hc)
	return hc, nil
}

// lastModules is the list of modules that came last.
var lastModules atomic.Pointer[[]v1alpha1.KymaComponent]

// sharedModules lets Kymas that follow one another share one list of modules,
// as most of a fleet have the same.
func sharedModules(modules []v1alpha1.KymaComponent) []v1alpha1.KymaComponent {
	if last := lastModules.Load(); last != nil && slices.Equal(*last, modules) {
		return *last
	}
	modules = slices.Clone(modules)
	for i := range modules {
		c := &modules[i]
		c.Name, c.Namespace = intern(c.Name), intern(c.Namespace)
		c.ChartLocation, c.Version = intern(c.ChartLocation), intern(c.Version)
	}
	lastModules.Store(&modules)
	return modules
}

var isTrue = true

func stripOwner(hc *v1alpha1.HelmComponent) {
	// Of their own: others may share and read those that are there.
	hc.OwnerReferences = slices.Clone(hc.OwnerReferences)
	for i := range hc.OwnerReferences {
		ref := &hc.OwnerReferences[i]
		ref.APIVersion, ref.Kind = intern(ref.APIVersion), intern(ref.Kind)
		ref.Name, ref.UID = intern(ref.Name), intern(ref.UID)
		for _, flag := range []**bool{&ref.Controller, &ref.BlockOwnerDeletion} {
			if *flag != nil && **flag {
				*flag = &isTrue
			}
		}
	}
	if len(hc.OwnerReferences) == 1 {
		hc.OwnerReferences = owners.share(hc.OwnerReferences[0])
	}
}

// stripLabels drops labels that are right and marks those that are not. Labels
// that are missing are right only if they were dropped before: what comes from
// the server has managed fields.
func stripLabels(hc *v1alpha1.HelmComponent) {
	owner := OwnerKyma(hc)
	switch {
	case hc.Labels == nil && hc.ManagedFields == nil:
	case owner != nil && contains(hc.Labels, names.Labels(owner.Name, hc.Spec.ComponentName)):
		hc.Labels = nil
	default:
		hc.Labels = drifted
	}
}

// contains tells whether labels has all of want; more are anybody's to set.
func contains(labels, want map[string]string) bool {
	for key, value := range want {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// intern returns the one copy of a string that all objects share.
func intern[S ~string](s S) S { return unique.Make(s).Value() }
