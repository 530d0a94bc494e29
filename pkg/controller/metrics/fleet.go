package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Store is the part of an informer's store that the fleet's gauges read.
type Store interface {
	List() []any
}

// Fleet computes the gauges of the fleet from the informers' stores when they
// are scraped, so that they are never stale and cost nothing in between.
type Fleet struct {
	Kymas, HelmComponents Store
	// WriteSlots returns how many writes may be in flight, are, and wait to be.
	WriteSlots func() (limit, used, waiting int)
}

var (
	kymasDesc = prometheus.NewDesc(namespace+"_kymas",
		"Kymas by state (reconciling, success), read from the cache.", []string{"state"}, nil)
	componentsDesc = prometheus.NewDesc(namespace+"_components",
		"HelmComponents by state, read from the cache.", []string{"state"}, nil)
	slotsDesc = prometheus.NewDesc(namespace+"_write_slots",
		"Writes to the API server: how many may be in flight now (limit), are (used), and wait for a slot (waiting).", []string{"state"}, nil)
)

// Describe implements prometheus.Collector.
func (f *Fleet) Describe(ch chan<- *prometheus.Desc) {
	ch <- kymasDesc
	ch <- componentsDesc
	ch <- slotsDesc
}

// Collect implements prometheus.Collector.
func (f *Fleet) Collect(ch chan<- prometheus.Metric) {
	kymas := map[v1alpha1.KymaState]int{v1alpha1.KymaReconciling: 0, v1alpha1.KymaSuccess: 0}
	for _, obj := range f.Kymas.List() {
		if ky, ok := obj.(*v1alpha1.Kyma); ok && ky.Status.Status == v1alpha1.KymaSuccess {
			kymas[v1alpha1.KymaSuccess]++
		} else {
			kymas[v1alpha1.KymaReconciling]++
		}
	}
	for state, n := range kymas {
		ch <- gauge(kymasDesc, n, string(state))
	}
	components := make([]int, len(lifecycle.States()))
	for _, obj := range f.HelmComponents.List() {
		if hc, ok := obj.(*v1alpha1.HelmComponent); ok {
			components[lifecycle.Rank(hc.Status.Status)]++
		}
	}
	for i, state := range lifecycle.States() {
		ch <- gauge(componentsDesc, components[i], string(state))
	}
	limit, used, waiting := f.WriteSlots()
	ch <- gauge(slotsDesc, limit, "limit")
	ch <- gauge(slotsDesc, used, "used")
	ch <- gauge(slotsDesc, waiting, "waiting")
}

func gauge(desc *prometheus.Desc, n int, label string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), label)
}
