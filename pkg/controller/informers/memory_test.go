package informers

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"k8s.io/client-go/tools/cache"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/names"
)

// wire is a converged component as the API server sends it.
const wire = `{"apiVersion":"inventory.kyma-project.io/v1alpha1","kind":"HelmComponent","metadata":{
"creationTimestamp":"2026-11-22T13:11:51Z","generation":1,"labels":{%q:%q,%q:%q},
"managedFields":[{"apiVersion":"inventory.kyma-project.io/v1alpha1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:inventory.kyma-project.io/kyma":{},"f:inventory.kyma-project.io/module":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"x\"}":{}}},"f:spec":{}},"manager":"kyma-operator","operation":"Update","time":"2026-11-22T13:11:51Z"},
{"apiVersion":"inventory.kyma-project.io/v1alpha1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{}},"manager":"kyma-operator","operation":"Update","subresource":"status","time":"2026-11-22T13:12:51Z"}],
"name":%q,"namespace":"default","ownerReferences":[{"apiVersion":"inventory.kyma-project.io/v1alpha1","blockOwnerDeletion":true,"controller":true,"kind":"Kyma","name":%q,"uid":"eb64a06e-19c3-4d6c-b30e-%012d"}],
"resourceVersion":"%d","uid":"0b3e7a51-93c2-4f7f-9d4b-%012d"},
"spec":{"componentName":%q,"namespace":"kyma-system"},
"status":{"lastReconciliation":"2026-11-22T13:12:51Z","manifestDigest":"sha256:%064d","observedGeneration":1,"status":"success"}}`

func decoded(b *testing.B, kyma, n int, module string) *v1alpha1.HelmComponent {
	b.Helper()
	name := fmt.Sprintf("kyma%05d", kyma)
	labels := names.Labels(name, module)
	text := fmt.Sprintf(wire, v1alpha1.LabelKyma, labels[v1alpha1.LabelKyma], v1alpha1.LabelModule, module,
		names.Child(name, module), name, kyma, 1_000_000+n, n, module, len(module))
	hc := &v1alpha1.HelmComponent{}
	if err := json.Unmarshal([]byte(text), hc); err != nil {
		b.Fatal(err)
	}
	return hc
}

// BenchmarkHeapPerComponent reports what a converged component costs in the
// cache, its index included: raw as it comes from the server, and stripped.
func BenchmarkHeapPerComponent(b *testing.B) {
	const kymas = 500
	for name, strip := range map[string]func(any) (any, error){
		"raw":      func(obj any) (any, error) { return obj, nil },
		"stripped": stripHelmComponent,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.TypedIndexersToIndexers(cache.TypedIndexers[*v1alpha1.HelmComponent]{byOwner: ownerUID}))
				n := 0
				for kyma := range kymas {
					for _, module := range v1alpha1.StandardComponents() {
						obj, err := strip(decoded(b, kyma, n, module.Name))
						if err != nil {
							b.Fatal(err)
						}
						if err := store.Add(obj); err != nil {
							b.Fatal(err)
						}
						n++
					}
				}
				b.ReportMetric(float64(heap()-before)/float64(n), "bytes/component")
				runtime.KeepAlive(store)
			}
		})
	}
}

func heap() uint64 {
	// Twice: what the first collection only unlinks, the second frees.
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
