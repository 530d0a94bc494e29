package invariant

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// childrenOf groups the listed components by the UID of their controller.
func childrenOf(final *history.Final) map[types.UID][]*v1alpha1.HelmComponent {
	out := map[types.UID][]*v1alpha1.HelmComponent{}
	for i := range final.Components {
		hc := &final.Components[i]
		if owner := metav1.GetControllerOf(hc); owner != nil {
			out[owner.UID] = append(out[owner.UID], hc)
		}
	}
	return out
}

// checkChildren is I1.
func checkChildren(in Input, _ *index, f *findings) {
	if in.Final == nil {
		f.cannot("there is no final list")
		return
	}
	children := childrenOf(in.Final)
	for i := range in.Final.Kymas {
		k := &in.Final.Kymas[i]
		if k.DeletionTimestamp != nil {
			continue
		}
		f.checked++
		byModule := map[string][]*v1alpha1.HelmComponent{}
		for _, hc := range children[k.UID] {
			byModule[hc.Spec.ComponentName] = append(byModule[hc.Spec.ComponentName], hc)
		}
		for _, m := range k.Spec.Components {
			compareChild(in, k, m, byModule[m.Name], f)
			delete(byModule, m.Name)
		}
		for module, extra := range byModule {
			for _, hc := range extra {
				if hc.DeletionTimestamp == nil && (in.Converged || k.Status.Status == v1alpha1.KymaSuccess) {
					f.violation("Kyma %s/%s owns %s for module %q, which is not in its spec", k.Namespace, k.Name, hc.Name, module)
				}
			}
		}
	}
}

func compareChild(in Input, k *v1alpha1.Kyma, m v1alpha1.KymaComponent, have []*v1alpha1.HelmComponent, f *findings) {
	switch {
	case len(have) > 1:
		f.violation("Kyma %s/%s owns %d components for module %q", k.Namespace, k.Name, len(have), m.Name)
		return
	case len(have) == 0 && (in.Converged || k.Status.Status == v1alpha1.KymaSuccess):
		f.violation("Kyma %s/%s has no component for module %q", k.Namespace, k.Name, m.Name)
		return
	case len(have) == 0:
		f.cannot("the run ended before every component was made")
		return
	}
	want := v1alpha1.HelmComponentSpec{ComponentName: m.Name, ChartLocation: m.ChartLocation, Version: m.Version, Namespace: m.Namespace}
	if want.Namespace == "" {
		want.Namespace = v1alpha1.DefaultNamespace
	}
	if have[0].Spec != want {
		f.violation("component %s/%s has spec %+v, its Kyma says %+v", have[0].Namespace, have[0].Name, have[0].Spec, want)
	}
}

// checkOrphans is I2.
func checkOrphans(in Input, _ *index, f *findings) {
	if in.Final == nil || in.History == nil {
		f.cannot("there is no final list or no history")
		return
	}
	live := map[types.UID]bool{}
	for i := range in.Final.Kymas {
		live[in.Final.Kymas[i].UID] = true
	}
	for i := range in.Final.Components {
		hc := &in.Final.Components[i]
		owner := metav1.GetControllerOf(hc)
		if owner == nil {
			continue
		}
		f.checked++
		if live[owner.UID] {
			continue
		}
		k := in.History.Kymas[owner.UID]
		switch {
		case k == nil:
			f.violation("component %s/%s is owned by Kyma %s (%s), which does not exist", hc.Namespace, hc.Name, owner.Name, owner.UID)
		case !k.Deleted():
			f.cannot(fmt.Sprintf("the end of Kyma %s was not seen", k.Ref))
		case in.Final.At.Sub(k.DeletedAt) > in.GCGrace:
			f.violation("component %s/%s is still there %s after its owner was deleted", hc.Namespace, hc.Name, in.Final.At.Sub(k.DeletedAt).Round(1e8))
		default:
			f.cannot("the garbage collector was not given its time")
		}
	}
	for _, c := range in.History.Components {
		if k := in.History.Kymas[c.OwnerUID]; k != nil && k.Deleted() && c.Deleted() && c.DeletedAt.Sub(k.DeletedAt) > in.GCGrace {
			f.violation("component %s outlived its owner by %s", c.Ref, c.DeletedAt.Sub(k.DeletedAt).Round(1e8))
		}
	}
}

// checkKymaStatus is I5: the end state from the list, the way there from the
// history, ordered by resourceVersion.
func checkKymaStatus(in Input, ix *index, f *findings) {
	if in.Final == nil {
		f.cannot("there is no final list")
		return
	}
	children := childrenOf(in.Final)
	for i := range in.Final.Kymas {
		k := &in.Final.Kymas[i]
		if k.DeletionTimestamp == nil {
			f.checked++
			compareKymaStatus(in, k, children[k.UID], f)
		}
	}
	if !needsWatch(in, ix, f) {
		return
	}
	for uid, k := range in.History.Kymas {
		if !in.History.Watched[k.Ref.Namespace] {
			continue
		}
		for _, v := range k.Versions {
			if !v.Converged() || v.Deleting {
				continue
			}
			for _, module := range v.Modules {
				if !succeededBy(ix.byChild[child{uid, module}], v.RV) {
					f.violation("Kyma %s said success at resourceVersion %d, before its module %q did", k.Ref, v.RV, module)
				}
			}
			break
		}
	}
}

// succeededBy tells whether one of the components was success at the version.
func succeededBy(components []*history.Component, rv uint64) bool {
	return slices.ContainsFunc(components, func(c *history.Component) bool {
		return slices.ContainsFunc(c.Versions, func(v history.Version) bool {
			return v.State == v1alpha1.ComponentSuccess && v.RV < rv
		})
	})
}

func compareKymaStatus(in Input, k *v1alpha1.Kyma, children []*v1alpha1.HelmComponent, f *findings) {
	done := map[string]bool{}
	for _, hc := range children {
		if hc.Status.Status == v1alpha1.ComponentSuccess {
			done[hc.Spec.ComponentName] = true
		}
	}
	var rest []string
	for _, m := range k.Spec.Components {
		if !done[m.Name] {
			rest = append(rest, m.Name)
		}
	}
	success := k.Status.Status == v1alpha1.KymaSuccess
	switch {
	case success && len(rest) > 0:
		f.violation("Kyma %s/%s is success, but %v are not", k.Namespace, k.Name, rest)
	case success && k.Status.ObservedGeneration != k.Generation:
		f.violation("Kyma %s/%s is success about generation %d, its spec is generation %d", k.Namespace, k.Name, k.Status.ObservedGeneration, k.Generation)
	case !in.Converged:
		// A status that is a moment behind is no violation while things move.
		f.cannot("the run ended before every Kyma was success")
	case !success && len(rest) == 0:
		f.violation("Kyma %s/%s is %q although all its components are success", k.Namespace, k.Name, k.Status.Status)
	case !slices.Equal(k.Status.WaitingFor, rest):
		f.violation("Kyma %s/%s waits for %v, its unfinished modules are %v", k.Namespace, k.Name, k.Status.WaitingFor, rest)
	}
}

// checkSettled is I6.
func checkSettled(in Input, _ *index, f *findings) {
	s := in.Settle
	switch {
	case !in.Converged:
		f.cannot("the fleet did not converge")
		return
	case s == nil || s.Lasted < s.Wanted:
		f.cannot("the time to watch the settled fleet was cut short")
		if s == nil {
			return
		}
	case s.Writes == nil:
		f.cannot("the API server's counters could not be read")
	case s.QueueDepth == nil:
		f.cannot("the operator's queues could not be read")
	}
	f.checked = 1
	for _, name := range s.Changed {
		f.violation("%s changed after the fleet had settled", name)
	}
	if s.Writes != nil && *s.Writes > 0 {
		f.violation("%.0f writes arrived after the fleet had settled", *s.Writes)
	}
	if s.QueueDepth != nil && *s.QueueDepth > 0 {
		f.violation("a queue still holds %.0f items", *s.QueueDepth)
	}
	if f.note == "" && s.Writes != nil {
		f.note = fmt.Sprintf("watched for %s", s.Lasted.Round(1e8))
	}
}
