package integration

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// seat is what a component is made for.
type seat struct {
	kyma   types.UID
	module string
}

func seatOf(hc *v1alpha1.HelmComponent) seat {
	owner := metav1.GetControllerOfNoCopy(hc)
	if owner == nil {
		return seat{}
	}
	return seat{owner.UID, hc.Spec.ComponentName}
}

// checkOnce fails unless every module of every Kyma has exactly one component
// that lives, is the only one ever made, and has the module's fields. The list
// may be of any time; nothing may have been removed on purpose.
func (l *lab) checkOnce() {
	l.Helper()
	made, alive := map[seat]int{}, map[seat]int{}
	for _, c := range l.history.all() {
		if c.component != nil && c.made {
			made[seatOf(c.component)]++
		}
	}
	components, err := l.components.List(l.Context(), metav1.ListOptions{})
	if err != nil {
		l.Fatal(err)
	}
	for i := range components.Items {
		alive[seatOf(&components.Items[i])]++
	}
	kymas, err := l.kymas.List(l.Context(), metav1.ListOptions{})
	if err != nil {
		l.Fatal(err)
	}
	wanted := 0
	for i := range kymas.Items {
		for _, module := range kymas.Items[i].Spec.Components {
			wanted++
			s := seat{kymas.Items[i].UID, module.Name}
			if made[s] != 1 || alive[s] != 1 {
				l.Errorf("module %s of Kyma %s: %d components were made, %d live", module.Name, kymas.Items[i].Name, made[s], alive[s])
			}
			l.checkFields(&kymas.Items[i], module)
		}
	}
	if len(components.Items) != wanted {
		l.Errorf("%d components live, %d modules want one", len(components.Items), wanted)
	}
}

func (l *lab) checkFields(ky *v1alpha1.Kyma, module v1alpha1.KymaComponent) {
	l.Helper()
	want := v1alpha1.HelmComponentSpec{
		ComponentName: module.Name, Namespace: module.Namespace, ChartLocation: module.ChartLocation, Version: module.Version,
	}
	if want.Namespace == "" {
		want.Namespace = "kyma-system"
	}
	if got := l.component(ky.Name, module.Name).Spec; got != want {
		l.Errorf("module %s of Kyma %s has the spec %+v, want %+v", module.Name, ky.Name, got, want)
	}
}

// checkForward fails if a component ever went back, was early, or, where every
// state is wanted, skipped one. A new origin begins a new timeline.
func (l *lab) checkForward(everyState bool) {
	l.Helper()
	last := map[types.UID]*v1alpha1.HelmComponent{}
	for _, c := range l.history.all() {
		hc := c.component
		if hc == nil || c.gone {
			continue
		}
		if early := dueAt(hc).Sub(c.at); early > 0 {
			l.Errorf("component %s is %s %s before it is due", hc.Name, hc.Status.Status, early)
		}
		before := last[hc.UID]
		last[hc.UID] = hc
		if before == nil || !lifecycle.Origin(before).Equal(lifecycle.Origin(hc)) {
			if hc.Status.Status != v1alpha1.ComponentPending {
				l.Errorf("component %s begins as %s", hc.Name, hc.Status.Status)
			}
			continue
		}
		step := lifecycle.Rank(hc.Status.Status) - lifecycle.Rank(before.Status.Status)
		if step < 0 || everyState && step > 1 {
			l.Errorf("component %s went from %s to %s", hc.Name, before.Status.Status, hc.Status.Status)
		}
	}
}

// dueAt is when the component's state may first be seen.
func dueAt(hc *v1alpha1.HelmComponent) time.Time {
	return lifecycle.Origin(hc).Add(timeline.Offset(hc.Spec.ComponentName, hc.Status.Status))
}

// checkKymas fails if a Kyma's status ever claimed a success that had not come
// by that revision, or was at odds with itself. A component that has gone since,
// or begun anew, may still count: the operator's cache can be a moment behind.
func (l *lab) checkKymas() {
	l.Helper()
	succeeded := map[seat]bool{}
	for _, c := range l.history.all() {
		switch {
		case c.component != nil && c.component.Status.Status == v1alpha1.ComponentSuccess:
			succeeded[seatOf(c.component)] = true
		case c.component != nil:
		case !c.gone && c.kyma.Status.Status != "" && c.kyma.Status.ObservedGeneration == c.kyma.Generation:
			if fault := faultOf(c.kyma, succeeded); fault != "" {
				l.Errorf("Kyma %s at revision %d: %s", c.kyma.Name, c.revision, fault)
			}
		}
	}
}

func faultOf(ky *v1alpha1.Kyma, succeeded map[seat]bool) string {
	var listed []string
	for _, module := range ky.Spec.Components {
		switch {
		case slices.Contains(ky.Status.WaitingFor, module.Name):
			listed = append(listed, module.Name)
		case !succeeded[seat{ky.UID, module.Name}]:
			return fmt.Sprintf("does not wait for %s, which is not success", module.Name)
		}
	}
	total := len(ky.Spec.Components)
	switch {
	case !slices.Equal(listed, ky.Status.WaitingFor):
		return fmt.Sprintf("waits for %v, in spec order that is %v", ky.Status.WaitingFor, listed)
	case (ky.Status.Status == v1alpha1.KymaSuccess) != (len(listed) == 0):
		return fmt.Sprintf("is %s and waits for %v", ky.Status.Status, listed)
	case ky.Status.Components != fmt.Sprintf("%d/%d", total-len(listed), total):
		return fmt.Sprintf("shows %s and waits for %d of %d", ky.Status.Components, len(listed), total)
	}
	return ""
}
