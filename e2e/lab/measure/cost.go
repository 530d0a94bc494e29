package measure

import (
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
)

// Spans are the samples between which a run is measured.
type Spans struct {
	Samples []sampler.Sample
	// Begin is before the first send, End when the fleet had converged (or the
	// run ended), Settled after it was watched being idle; zero where it was not.
	Begin, End, Settled sampler.Sample
	Peak                func(name string) uint64
}

// Process returns the operator's cost.
func Process(s Spans, writes *float64, kymas, objects int) report.Process {
	cpu := OperatorCPU(s.End, s.Begin)
	p := report.Process{
		CPUSeconds:      cpu,
		PeakRSSMB:       peak(s, sampler.Operator),
		APIServerRSSMB:  peak(s, sampler.APIServer),
		APIServerCPU:    cpuOf(s.End, s.Begin, sampler.APIServer, func(x sampler.Sample) sampler.Metrics { return x.API }),
		Goroutines:      s.End.Operator.Sum(goroutines, nil),
		ReconcilesKyma:  Reconciles(s.End, s.Begin, "kyma"),
		ReconcilesHC:    Reconciles(s.End, s.Begin, "helmcomponent"),
		ReconcileErrors: counter(s.End, s.Begin, reconciles, sampler.Labels{"result": "error"}),
		Renders:         counter(s.End, s.Begin, renders, nil),
		RenderCPU:       childrenCPU(s.End, s.Begin),
		RenderHits:      counter(s.End, s.Begin, cacheRequests, sampler.Labels{"result": "hit"}),
		RenderMisses:    counter(s.End, s.Begin, cacheRequests, sampler.Labels{"result": "miss"}),
		StatusSkipped:   counter(s.End, s.Begin, statusWrites, sampler.Labels{"result": "skipped"}),
		StatusCoalesced: counter(s.End, s.Begin, statusWrites, sampler.Labels{"result": "coalesced"}),
	}
	if cpu != nil && writes != nil && *writes > 0 {
		p.CPUMsPerWrite = pointer(*cpu * 1000 / *writes)
	}
	if cpu != nil && kymas > 0 {
		p.CPUMsPerKyma = pointer(*cpu * 1000 / float64(kymas))
	}
	if p.PeakRSSMB == nil {
		p.PeakRSSMB = largestRSS(s)
	}
	if before, after := residentOf(s.Begin), residentOf(s.End); before != nil && after != nil && objects > 0 {
		p.BytesPerObject = pointer(max(*after-*before, 0) / float64(objects))
	}
	if s.Settled.At.IsZero() {
		return p
	}
	p.SlopeMBPerMinute = slope(s.Samples, s.End.At, s.Settled.At)
	before, after := LiveHeap(s.Samples, time.Time{}, s.Begin.At), LiveHeap(s.Samples, s.End.At, s.Settled.At)
	if before != nil && after != nil && objects > 0 {
		p.HeapPerObject = pointer(max(*after-*before, 0) / float64(objects))
	}
	return p
}

func peak(s Spans, name string) *float64 {
	if s.Peak == nil {
		return nil
	}
	if bytes := s.Peak(name); bytes > 0 {
		return pointer(float64(bytes) / mega)
	}
	return nil
}

func largestRSS(s Spans) *float64 {
	var out *float64
	for _, sample := range s.Samples {
		if rss := residentOf(sample); rss != nil && (out == nil || *rss > *out) {
			out = rss
		}
	}
	return scaled(out, 1/mega)
}

// Lab returns the cost of the lab itself: of all CPU of lab, operator, API
// server, etcd and controller manager, and with what its watch costs the API
// server, which the capacity probe measured per event.
func Lab(s Spans, events int, watchPerEvent *time.Duration) report.Lab {
	lab := cpuOf(s.End, s.Begin, sampler.Lab, nil)
	out := report.Lab{CPUSeconds: lab, PeakRSSMB: peak(s, sampler.Lab), Events: events, Writes: float64(s.End.LabWrites - s.Begin.LabWrites)}
	others := []*float64{
		OperatorCPU(s.End, s.Begin),
		cpuOf(s.End, s.Begin, sampler.APIServer, func(x sampler.Sample) sampler.Metrics { return x.API }),
		cpuOf(s.End, s.Begin, sampler.Etcd, func(x sampler.Sample) sampler.Metrics { return x.Etcd }),
		cpuOf(s.End, s.Begin, sampler.Controller, nil),
	}
	// Without operator and API server there is no whole to have a share of.
	if lab == nil || others[0] == nil || others[1] == nil {
		return out
	}
	whole := *lab
	for _, cpu := range others {
		if cpu != nil {
			whole += *cpu
		}
	}
	if whole <= 0 {
		return out
	}
	out.Share = pointer(*lab / whole)
	if watchPerEvent != nil {
		out.ShareWithEffect = pointer((*lab + watchPerEvent.Seconds()*float64(events)) / whole)
	}
	return out
}

// Series turns samples into the points of the charts, with times from the first
// send on.
func Series(samples []sampler.Sample, zero time.Time) []report.Point {
	out := make([]report.Point, 0, len(samples))
	var prior sampler.Sample
	for _, s := range samples {
		p := report.Point{
			T: s.At.Sub(zero).Seconds(), Sent: s.Sent, Kymas: s.Fleet.Kymas, Success: s.Fleet.Success,
			Objects: s.Fleet.Kymas + s.Fleet.Components, States: map[string]int{}, RSSMB: scaled(residentOf(s), 1/mega),
			EtcdMB: scaled(s.Etcd.Sum("etcd_mvcc_db_total_size_in_bytes", nil), 1/mega), CPU: map[string]float64{},
		}
		for state, n := range s.Fleet.States {
			p.States[string(state)] = n
		}
		for _, name := range QueueNames() {
			if depth := s.Operator.Sum(queueDepth, sampler.Labels{"name": name}); depth != nil {
				if p.Queues == nil {
					p.Queues = map[string]float64{}
				}
				p.Queues[name] = *depth
			}
		}
		if d := s.At.Sub(prior.At).Seconds(); !prior.At.IsZero() && d > 0 {
			rates(&p, s, prior, d)
		}
		out = append(out, p)
		prior = s
	}
	return out
}

// rates fills in what is a difference between two samples, d seconds apart.
func rates(p *report.Point, s, prior sampler.Sample, d float64) {
	p.Writes = scaled(counter(s, prior, clientRequests, sampler.Labels{"method": mutatingClient}), 1/d)
	if p.Writes == nil {
		p.Writes = pointer(float64(s.Fleet.Writes-prior.Fleet.Writes) / d)
	}
	p.PutP99 = sampler.QuantileBetween(0.99, s.Operator, prior.Operator, clientDuration, sampler.Labels{"verb": "PUT"})
	var errors *float64
	for _, code := range []string{"409", "429"} {
		if v := counter(s, prior, clientRequests, sampler.Labels{"code": code}); v != nil {
			sum := *v
			if errors != nil {
				sum += *errors
			}
			errors = &sum
		}
	}
	p.Errors = errors
	for name, stat := range s.Procs {
		if before, ok := prior.Procs[name]; ok {
			p.CPU[name] = (stat.CPU - before.CPU).Seconds() / d
		}
	}
}
