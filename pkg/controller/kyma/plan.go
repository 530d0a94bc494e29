package kyma

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// plan is what has to be done so that a Kyma's components equal its spec.
type plan struct {
	// create are the modules without a component, longest timeline first: they
	// decide when the whole Kyma is done.
	create []v1alpha1.KymaComponent
	// correct are the components that drifted, with the module each belongs to.
	correct []drift
	// remove are the components that no module asks for.
	remove []*v1alpha1.HelmComponent
	// taken are the names of missing components that another object holds.
	taken []string
	// present are the components that are as they should be, by module.
	present map[string]*v1alpha1.HelmComponent
}

type drift struct {
	component *v1alpha1.HelmComponent
	module    v1alpha1.KymaComponent
}

// view is what a plan is made from.
type view struct {
	owned []*v1alpha1.HelmComponent
	// written tells whether a component of that name was created or corrected
	// already and the cache has yet to see it.
	written func(name string) bool
	// deleted tells whether the component was deleted already.
	deleted func(*v1alpha1.HelmComponent) bool
	// foreign tells whether an object of that name is there that the Kyma does
	// not own.
	foreign func(name string) bool
}

// makePlan decides; it changes nothing.
func makePlan(ky *v1alpha1.Kyma, v view, timeline lifecycle.Timeline) plan {
	p := plan{present: make(map[string]*v1alpha1.HelmComponent, len(v.owned))}
	owned := make(map[string]*v1alpha1.HelmComponent, len(v.owned))
	for _, hc := range v.owned {
		owned[hc.Name] = hc
	}
	for _, module := range ky.Spec.Components {
		name := names.Child(ky.Name, module.Name)
		hc, ok := owned[name]
		delete(owned, name)
		switch {
		case ok && (hc.DeletionTimestamp != nil || v.deleted(hc)):
			// Its name is free once it is gone; that event leads back here.
		case ok && drifted(hc, module) && v.written(name):
		case ok && drifted(hc, module):
			p.correct = append(p.correct, drift{hc, module})
		case ok:
			p.present[module.Name] = hc
		case v.written(name):
		case v.foreign(name):
			p.taken = append(p.taken, name)
		default:
			p.create = append(p.create, module)
		}
	}
	for _, hc := range owned {
		if hc.DeletionTimestamp == nil && !v.deleted(hc) {
			p.remove = append(p.remove, hc)
		}
	}
	slices.SortStableFunc(p.create, func(a, b v1alpha1.KymaComponent) int {
		return int(timeline.Duration(b.Name) - timeline.Duration(a.Name))
	})
	return p
}

func drifted(hc *v1alpha1.HelmComponent, module v1alpha1.KymaComponent) bool {
	return hc.Spec != ComponentSpec(module) || informers.LabelsDrifted(hc)
}

// ComponentSpec is the spec of a module's component.
func ComponentSpec(module v1alpha1.KymaComponent) v1alpha1.HelmComponentSpec {
	namespace := module.Namespace
	if namespace == "" {
		namespace = v1alpha1.DefaultNamespace
	}
	return v1alpha1.HelmComponentSpec{
		ComponentName: module.Name, ChartLocation: module.ChartLocation, Version: module.Version, Namespace: namespace,
	}
}

// newComponent is the component of a Kyma's module.
func newComponent(ky *v1alpha1.Kyma, module v1alpha1.KymaComponent) *v1alpha1.HelmComponent {
	return &v1alpha1.HelmComponent{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HelmComponent"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      names.Child(ky.Name, module.Name),
			Namespace: ky.Namespace,
			Labels:    names.Labels(ky.Name, module.Name),
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(ky, schema.GroupVersion(v1alpha1.GroupVersion).WithKind("Kyma")),
			},
		},
		Spec: ComponentSpec(module),
	}
}

// createBy is how urgent the creation of a module is: the longer its timeline,
// the earlier it has to begin for the Kyma to end in time.
func createBy(ky *v1alpha1.Kyma, module string, timeline lifecycle.Timeline) time.Time {
	return ky.CreationTimestamp.Add(-timeline.Duration(module))
}

// finishBy is when a Kyma would be success if nothing were ever late.
func finishBy(ky *v1alpha1.Kyma, timeline lifecycle.Timeline) time.Time {
	return ky.CreationTimestamp.Add(timeline.Longest(ky.Spec.Components))
}
