package invariant

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// maskedName stands for the Kyma's name in a masked state.
const maskedName = "KYMA"

// maskedComponent is what must be equal of a component in every run.
type maskedComponent struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
	Finalizers  []string
	Owners      []string
	Spec        v1alpha1.HelmComponentSpec
	State       v1alpha1.ComponentState
	Digest      string
	Message     string
}

// maskedKyma is what must be equal of a Kyma in every run.
type maskedKyma struct {
	Spec       v1alpha1.KymaSpec
	State      v1alpha1.KymaState
	WaitingFor []string
	Components string
	Observed   bool
	Conditions []string
	Children   []maskedComponent
}

// SpecKey names a workload: Kymas with the same key must end alike.
func SpecKey(k *v1alpha1.Kyma) string {
	names := make([]string, 0, len(k.Spec.Components))
	for _, m := range k.Spec.Components {
		names = append(names, fmt.Sprintf("%s@%s:%s:%s", m.Name, m.Namespace, m.ChartLocation, m.Version))
	}
	return strings.Join(names, ",")
}

// Mask returns the end state of every Kyma of a list without uids, versions,
// times and its own name, by namespace and name.
func Mask(final *history.Final) (map[history.Ref]string, error) {
	children := childrenOf(final)
	out := map[history.Ref]string{}
	for i := range final.Kymas {
		k := &final.Kymas[i]
		m := maskedKyma{
			Spec: k.Spec, State: k.Status.Status, WaitingFor: k.Status.WaitingFor, Components: k.Status.Components,
			Observed: k.Status.ObservedGeneration == k.Generation,
		}
		for _, c := range k.Status.Conditions {
			m.Conditions = append(m.Conditions, fmt.Sprintf("%s=%s %s %s", c.Type, c.Status, c.Reason, c.Message))
		}
		for _, hc := range children[k.UID] {
			m.Children = append(m.Children, maskComponent(k.Name, hc))
		}
		slices.SortFunc(m.Children, func(a, b maskedComponent) int { return cmp.Compare(a.Name, b.Name) })
		text, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encode the masked Kyma %s/%s: %w", k.Namespace, k.Name, err)
		}
		out[history.Ref{Namespace: k.Namespace, Name: k.Name}] = string(text)
	}
	return out, nil
}

func maskComponent(kyma string, hc *v1alpha1.HelmComponent) maskedComponent {
	m := maskedComponent{
		Name: strings.Replace(hc.Name, kyma, maskedName, 1), Labels: map[string]string{}, Annotations: hc.Annotations,
		Finalizers: hc.Finalizers, Spec: hc.Spec, State: hc.Status.Status, Digest: hc.Status.ManifestDigest, Message: hc.Status.Message,
	}
	for key, value := range hc.Labels {
		if value == kyma {
			value = maskedName
		}
		m.Labels[key] = value
	}
	for _, o := range hc.OwnerReferences {
		m.Owners = append(m.Owners, fmt.Sprintf("%s/%s controller=%t block=%t", o.APIVersion, o.Kind,
			o.Controller != nil && *o.Controller, o.BlockOwnerDeletion != nil && *o.BlockOwnerDeletion))
	}
	return m
}

// ReferenceFrom reduces a run without faults to one masked Kyma per workload.
func ReferenceFrom(final *history.Final) (map[string]string, error) {
	masked, err := Mask(final)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i := range final.Kymas {
		k := &final.Kymas[i]
		if key := SpecKey(k); out[key] == "" {
			out[key] = masked[history.Ref{Namespace: k.Namespace, Name: k.Name}]
		}
	}
	return out, nil
}

// checkReference is I11.
func checkReference(in Input, _ *index, f *findings) {
	switch {
	case in.Reference == nil || in.Reference.Faults == 0:
		f.cannot("no fault was injected into this run")
		return
	case in.Reference.Masked == nil:
		f.cannot("there was no run without faults to compare with")
		return
	case in.Final == nil:
		f.cannot("there is no final list")
		return
	case !in.Converged:
		f.cannot("the fleet did not converge")
		return
	}
	masked, err := Mask(in.Final)
	if err != nil {
		f.cannot(err.Error())
		return
	}
	for i := range in.Final.Kymas {
		k := &in.Final.Kymas[i]
		ref := history.Ref{Namespace: k.Namespace, Name: k.Name}
		want, ok := in.Reference.Masked[SpecKey(k)]
		if !ok {
			f.cannot(fmt.Sprintf("Kyma %s has modules that the run without faults did not have", ref))
			continue
		}
		f.checked++
		if masked[ref] != want {
			f.violation("Kyma %s ended differently from one without faults: %s", ref, firstDifference(masked[ref], want))
		}
	}
}

// firstDifference shows the place where two texts part.
func firstDifference(got, want string) string {
	const context = 60
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	cut := func(s string) string { return s[max(0, min(at-20, len(s))):min(len(s), at+context)] }
	return fmt.Sprintf("…%s… instead of …%s…", cut(got), cut(want))
}
