package measure

import (
	"context"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

var zero = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }

// fleet has three Kymas: sent at 0, 1 and 2, success at 10, 21 and never.
func fleet() *history.History {
	h := &history.History{Kymas: map[types.UID]*history.Kyma{}, Components: map[types.UID]*history.Component{}}
	for i, success := range []float64{10, 21, 0} {
		name := string(rune('a' + i))
		ref := history.Ref{Namespace: "ns", Name: name}
		k := &history.Kyma{UID: types.UID(name), Ref: ref, Created: after(float64(i)), Versions: []history.KymaVersion{{At: after(float64(i)), Generation: 1}}}
		if success > 0 {
			k.Versions = append(k.Versions, history.KymaVersion{At: after(success), Generation: 1, Observed: 1, Status: v1alpha1.KymaSuccess})
		}
		h.Kymas[k.UID] = k
		h.Acts = append(h.Acts, history.Act{Kind: history.CreateKyma, Ref: ref, UID: k.UID, Scheduled: after(float64(i) - 0.5), Sent: after(float64(i))})
	}
	// One component, "ory" (N = 3): started 0.25 s late, success on time.
	h.Components["c"] = &history.Component{UID: "c", OwnerUID: "b", Module: "ory", Created: zero, Versions: []history.Version{
		{At: after(0.1), State: v1alpha1.ComponentPending}, {At: after(1.25), State: v1alpha1.ComponentStarted}, {At: after(10), State: v1alpha1.ComponentSuccess},
	}}
	return h
}

func TestTimes(t *testing.T) {
	times, first, last := Kymas(fleet(), FromSend, nil)
	if len(times) != 2 || times[0].Took() != 10*time.Second || times[1].Took() != 20*time.Second || !first.Equal(zero) || !last.Equal(after(2)) {
		t.Errorf("times %v from %s to %s", times, first, last)
	}
	if times, _, _ := Kymas(fleet(), FromSchedule, nil); times[0].Took() != 10500*time.Millisecond {
		t.Errorf("from the schedule: %s; a late send must count", times[0].Took())
	}
	if times, _, _ := Kymas(fleet(), FromCreation, func(r history.Ref) bool { return r.Name == "b" }); len(times) != 1 || times[0].Took() != 20*time.Second {
		t.Errorf("from creation, one only: %v", times)
	}
}

func TestLatency(t *testing.T) {
	times, first, _ := Kymas(fleet(), FromSend, nil)
	l := Latency(fleet(), times, lifecycle.Timeline{Unit: time.Second}, 10*time.Second)
	if l.Kyma.Max != 20 || l.Stretch.Min != 1 || l.Stretch.Max != 2 || l.Lateness.Count != 2 || math.Abs(l.Lateness.Max-0.25) > 1e-9 {
		t.Errorf("kyma %+v stretch %+v lateness %+v", l.Kyma, l.Stretch, l.Lateness)
	}
	if s := l.PerComponent["ory"]; s == nil || math.Abs(s.Max-9.9) > 1e-9 || l.PerTransition["success"].Max != 0 {
		t.Errorf("per component %+v, per transition %+v", s, l.PerTransition)
	}
	if len(l.StretchCurve) != 101 || l.StretchCurve[100] != 2 {
		t.Errorf("curve ends at %v", l.StretchCurve)
	}
	worst := Worst(fleet(), times, first, 10*time.Second)
	if worst[0].Name != "ns/b" || worst[0].Stretch != 2 || worst[0].Sent != 1 || worst[0].Slowest != "ory" {
		t.Errorf("worst: %+v", worst)
	}
}

func TestFloor(t *testing.T) {
	if w := WritesNeeded(1000, 18, true); w != 39000 {
		t.Errorf("with coalescing %v writes", w)
	}
	if w := WritesNeeded(1000, 18, false); w != 93000 {
		t.Errorf("without %v", w)
	}
	ideal := 67 * time.Second
	for name, tt := range map[string]struct {
		capacity *float64
		want     time.Duration
	}{"fast": {new(1000.0), ideal}, "slow": {new(390.0), 100 * time.Second}, "unknown": {nil, ideal}, "zero": {new(0.0), ideal}} {
		if got := Floor(ideal, 39000, tt.capacity); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// metrics parses an exposition.
func metrics(t *testing.T, text string) sampler.Metrics {
	t.Helper()
	m, err := sampler.Read(t.Context(), func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }, []string{""}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const operatorText = `# TYPE workqueue_depth gauge
workqueue_depth{name="kyma"} DEPTH
workqueue_depth{name="helmcomponent"} 0
# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",method="PUT",host="h"} WRITES
rest_client_requests_total{code="200",method="GET",host="h"} 1000
rest_client_requests_total{code="409",method="PUT",host="h"} 0
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total CPU
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes RSS
# TYPE go_memstats_heap_alloc_bytes gauge
go_memstats_heap_alloc_bytes 5000000
# TYPE workqueue_adds_total counter
workqueue_adds_total{name="kyma"} WRITES
`

const apiText = `# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="inventory.kyma-project.io",resource="kymas",subresource="status",verb="PUT"} WRITES
apiserver_request_total{code="409",group="inventory.kyma-project.io",resource="kymas",subresource="status",verb="PUT"} 2
apiserver_request_total{code="200",group="inventory.kyma-project.io",resource="kymas",subresource="",verb="WATCH"} 1
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total CPU
`

func at(t *testing.T, seconds float64, depth, writes, cpu, rss string) sampler.Sample {
	t.Helper()
	fill := strings.NewReplacer("DEPTH", depth, "WRITES", writes, "CPU", cpu, "RSS", rss)
	return sampler.Sample{At: after(seconds), Operator: metrics(t, fill.Replace(operatorText)), API: metrics(t, fill.Replace(apiText))}
}

func TestSystem(t *testing.T) {
	begin, middle, end := at(t, 0, "0", "100", "1", "50e6"), at(t, 10, "7", "300", "2", "60e6"), at(t, 20, "0", "500", "3", "70e6")
	begin.LabWrites, end.LabWrites = 5, 15
	samples := []sampler.Sample{begin, middle, end}
	if w, source := OperatorWrites(end, begin); *w != 390 || !strings.Contains(source, "API server") {
		t.Errorf("writes %v, %s: the lab's own must not count", *w, source)
	}
	noAPI := end
	noAPI.API = nil
	if w, source := OperatorWrites(noAPI, begin); *w != 400 || !strings.Contains(source, "operator") {
		t.Errorf("writes %v, %s", *w, source)
	}
	queues := Queues(samples, end, begin, after(4))
	if q := queues[0]; q.Name != "kyma" || *q.DepthMax != 7 || *q.DrainSeconds != 6 || *q.Adds != 400 || q.WaitP99 != nil {
		t.Errorf("queue %+v", q)
	}
	rows := API(end, begin)
	if len(rows) != 1 || rows[0].Resource != "kymas/status" || rows[0].Requests != 400 || rows[0].Errors != 0 {
		t.Errorf("rows %+v", rows)
	}
	_, throttled, conflicts, all := Errors(end, begin)
	if *throttled != 0 || *conflicts != 0 || *all != 400 {
		t.Errorf("errors %v %v of %v", *throttled, *conflicts, *all)
	}
	p := Process(Spans{Samples: samples, Begin: begin, End: end}, new(400.0), 10, 1000)
	if *p.CPUSeconds != 2 || *p.CPUMsPerWrite != 5 || *p.CPUMsPerKyma != 200 || *p.BytesPerObject != 20000 || *p.PeakRSSMB != 70 || p.HeapPerObject != nil {
		t.Errorf("process %+v", p)
	}
	if e := Etcd(end, begin); e != nil {
		t.Errorf("etcd was not read: %+v", e)
	}
	if p99 := MutatingP99([]report.APIRow{{Verb: "GET", P99: new(9.0)}, {Verb: "PUT", P99: new(2.0)}, {Verb: "POST", P99: new(3.0)}}); *p99 != 3 {
		t.Errorf("p99 of writes %v", *p99)
	}
}

func TestSeries(t *testing.T) {
	points := Series([]sampler.Sample{at(t, 0, "0", "100", "1", "50e6"), at(t, 10, "7", "300", "2", "60e6")}, after(-5))
	if p := points[1]; p.T != 15 || *p.Writes != 20 || p.Queues["kyma"] != 7 || *p.RSSMB != 60 || *p.Errors != 0 || p.EtcdMB != nil {
		t.Errorf("point %+v", p)
	}
	if points[0].Writes != nil {
		t.Error("the first point has no rate")
	}
}

func TestShareOfTheLab(t *testing.T) {
	procs := func(lab, operator, api float64) map[string]sampler.ProcStat {
		stat := func(s float64) sampler.ProcStat {
			return sampler.ProcStat{CPU: time.Duration(s * float64(time.Second))}
		}
		return map[string]sampler.ProcStat{sampler.Lab: stat(lab), sampler.Operator: stat(operator), sampler.APIServer: stat(api)}
	}
	spans := Spans{Begin: sampler.Sample{Procs: procs(1, 0, 0)}, End: sampler.Sample{Procs: procs(2, 3, 6)}}
	l := Lab(spans, 1000, ptr.To(time.Millisecond))
	if *l.CPUSeconds != 1 || *l.Share != 0.1 || *l.ShareWithEffect != 0.2 {
		t.Errorf("lab: %v %v %v", *l.CPUSeconds, *l.Share, *l.ShareWithEffect)
	}
	spans.End.Procs = map[string]sampler.ProcStat{sampler.Lab: {}}
	if l := Lab(spans, 0, nil); l.Share != nil {
		t.Error("without the others there is no share")
	}
}
