package bench

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/kyma-incubator/kymactl/e2e/lab/measure"
	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/sampler"
)

// status turns a sample and its point into what the live view shows.
func (b *Bench) status(s sampler.Sample, p report.Point) func(*progress.Status) {
	begin := b.sampler.Get(markBegin)
	done, _ := measure.OperatorWrites(s, begin)
	return func(st *progress.Status) {
		st.Sent, st.Alive, st.Success, st.Components = s.Sent, s.Fleet.Kymas, s.Fleet.Success, s.Fleet.Components
		st.Kymas = b.want
		st.States, st.Queues = p.States, p.Queues
		st.WritesPerSecond, st.PutP99, st.RSSMB = p.Writes, p.PutP99, p.RSSMB
		if cpu, ok := p.CPU[sampler.Operator]; ok {
			st.CPU = &cpu
		}
		if p.EtcdMB != nil {
			st.EtcdMB = p.EtcdMB
		}
		count := func(code string) *float64 {
			return sampler.Difference(s.Operator.Sum("rest_client_requests_total", sampler.Labels{"code": code}),
				begin.Operator.Sum("rest_client_requests_total", sampler.Labels{"code": code}))
		}
		st.Conflicts, st.Throttled = count("409"), count("429")
		load := progress.Load{Ideal: b.options.Ideal(), Floor: b.floor(), Kymas: b.want, Success: s.Fleet.Success, Needed: b.needed()}
		if first, _, _ := b.gen.Sends(); !first.IsZero() {
			load.Elapsed = s.At.Sub(first)
		}
		if done != nil {
			load.Done = *done
		}
		st.Remaining = progress.Remaining(load)
	}
}

// env describes where the run took place.
func (b *Bench) env(ctx context.Context) report.Env {
	e := report.Env{
		Place: b.place.Name, Kubernetes: b.place.Version, Fairness: b.place.Fairness,
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Revision: revision(),
		Operator: "not under the lab's control", OperatorArgs: []string{},
	}
	if b.operator != nil {
		e.Operator, e.OperatorArgs = b.operator.Describe(ctx)
		e.OperatorInCluster = b.operator.InCluster()
	}
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
			e.CPUModel = cpus[0].ModelName
		}
		if mem, err := fs.Meminfo(); err == nil && mem.MemTotalBytes != nil {
			e.MemoryGB = float64(*mem.MemTotalBytes>>20) / 1024
		}
	}
	return e
}

// revision is the git revision of the lab: what the build recorded, or what
// load.sh found.
func revision() string {
	if r := os.Getenv("KYMA_LAB_REVISION"); r != "" {
		return r
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return strings.TrimSpace(s.Value)
			}
		}
	}
	return "unknown"
}
