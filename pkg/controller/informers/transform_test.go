package informers

import (
	"reflect"
	"runtime"
	"testing"
	"weak"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// fromServer is a component as the API server sends it.
func fromServer(labels map[string]string) *v1alpha1.HelmComponent {
	yes, now := true, metav1.Now()
	return &v1alpha1.HelmComponent{
		TypeMeta: metav1.TypeMeta{Kind: "HelmComponent"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "pb-istio", Namespace: "ns", UID: "uid", ResourceVersion: "7", Generation: 2, Labels: labels,
			Annotations:   map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kyma-operator"}},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "Kyma", Name: "pb", UID: "owner", Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Spec:   v1alpha1.HelmComponentSpec{ComponentName: "istio", Namespace: "istio-system", Version: "1"},
		Status: v1alpha1.HelmComponentStatus{Status: v1alpha1.ComponentStarted, LastReconciliation: &now, Message: "m", ManifestDigest: "d", ObservedGeneration: 2},
	}
}

func strip(t *testing.T, obj any, transform func(any) (any, error)) any {
	t.Helper()
	out, err := transform(obj)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStripHelmComponentKeepsWhatTheControllersRead(t *testing.T) {
	hc := strip(t, fromServer(names.Labels("pb", "istio")), stripHelmComponent).(*v1alpha1.HelmComponent)
	want := fromServer(nil)
	want.TypeMeta, want.Annotations, want.ManagedFields, want.Status.LastReconciliation = metav1.TypeMeta{}, nil, nil, nil
	if !reflect.DeepEqual(hc, want) {
		t.Errorf("stripped = %+v, want %+v", hc, want)
	}
}

func TestLabelsDrifted(t *testing.T) {
	extra := names.Labels("pb", "istio")
	extra["team"] = "a"
	tests := map[string]struct {
		labels map[string]string
		want   bool
	}{
		"as they should be": {names.Labels("pb", "istio"), false},
		"none":              {nil, true},
		"of another module": {names.Labels("pb", "ory"), true},
		"and one more":      {extra, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			hc := fromServer(tc.labels)
			// The second time is when a list that was read goes into the cache.
			for range 2 {
				hc = strip(t, hc, stripHelmComponent).(*v1alpha1.HelmComponent)
				if got := LabelsDrifted(hc); got != tc.want {
					t.Errorf("drifted = %t, want %t", got, tc.want)
				}
			}
		})
	}
}

func TestStripKyma(t *testing.T) {
	ky := &v1alpha1.Kyma{
		ObjectMeta: metav1.ObjectMeta{Name: "pb", Namespace: "ns", ManagedFields: []metav1.ManagedFieldsEntry{{}}, Annotations: map[string]string{"a": "b"}},
		Spec:       v1alpha1.KymaSpec{Components: v1alpha1.StandardComponents()},
		Status:     v1alpha1.KymaStatus{WaitingFor: []string{"ory"}, Components: "17/18"},
	}
	want := ky.DeepCopy()
	want.ManagedFields, want.Annotations = nil, nil
	for range 2 {
		if got := strip(t, ky, stripKyma); !reflect.DeepEqual(got, want) {
			t.Errorf("stripped = %+v, want %+v", got, want)
		}
	}
}

func TestOwnerKyma(t *testing.T) {
	hc := fromServer(nil)
	if owner := OwnerKyma(hc); owner == nil || owner.UID != "owner" {
		t.Errorf("owner = %+v", owner)
	}
	hc.OwnerReferences[0].Kind = "Deployment"
	if OwnerKyma(hc) != nil {
		t.Error("a Deployment is taken for a Kyma")
	}
	hc.OwnerReferences = nil
	if uids, _ := ownerUID(hc); len(uids) != 0 {
		t.Errorf("index of a component without an owner = %q", uids)
	}
}

// Components of one Kyma share their owner reference, and the list of owners is
// dropped with the last of them.
func TestOwnersAreShared(t *testing.T) {
	shared := sharedOwners{lists: map[metav1.OwnerReference]weak.Pointer[ownerList]{}}
	ref := metav1.OwnerReference{Kind: "Kyma", Name: "pb", UID: "u", Controller: &isTrue}
	a, b := shared.share(ref), shared.share(ref)
	if &a[0] != &b[0] || !reflect.DeepEqual(a, []metav1.OwnerReference{ref}) {
		t.Errorf("%p %+v, %p %+v", a, a, b, b)
	}
	ref.UID = "other"
	if c := shared.share(ref); &c[0] == &a[0] || c[0].UID != "other" {
		t.Errorf("of another Kyma: %+v", c)
	}
	if c := append(a, ref); len(shared.share(a[0])) != 1 || len(c) != 2 {
		t.Error("a list grows for all")
	}
	runtime.KeepAlive(b)
	eventually.True(t, "lists without a component are dropped", func() bool {
		runtime.GC()
		shared.mu.Lock()
		defer shared.mu.Unlock()
		return len(shared.lists) == 0
	})
}

func TestModulesAreShared(t *testing.T) {
	list := func(names ...string) *v1alpha1.Kyma {
		ky := &v1alpha1.Kyma{}
		for _, name := range names {
			ky.Spec.Components = append(ky.Spec.Components, v1alpha1.KymaComponent{Name: name})
		}
		if _, err := stripKyma(ky); err != nil {
			t.Fatal(err)
		}
		return ky
	}
	a, b, other := list("ory", "istio"), list("ory", "istio"), list("istio", "ory")
	if &a.Spec.Components[0] != &b.Spec.Components[0] {
		t.Error("equal lists are not shared")
	}
	if other.Spec.Components[0].Name != "istio" || b.Spec.Components[0].Name != "ory" {
		t.Errorf("%+v, %+v", other.Spec, b.Spec)
	}
	if none := list(); len(none.Spec.Components) != 0 {
		t.Errorf("%+v", none.Spec)
	}
}
