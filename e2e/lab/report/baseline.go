package report

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/kyma-incubator/kymactl/e2e/lab/threshold"
)

// Compare holds a run against an earlier one. Runs of another environment or
// another workload are refused: their figures say nothing about each other. The
// operator's flags and the revision may differ, since they are what is compared.
func Compare(old, now *Report, path string, limits threshold.Baseline) *Comparison {
	c := &Comparison{Path: path}
	if different := differences(old, now); len(different) > 0 {
		c.Refused = "different " + strings.Join(different, ", ")
		return c
	}
	stretch := func(r *Report) *float64 {
		if r.Latency.Stretch == nil {
			return nil
		}
		return &r.Latency.Stretch.P99
	}
	c.Rows = []ComparisonLine{
		line("stretch p99", stretch(old), stretch(now), limits.Stretch),
		line("writes per Kyma", old.value("writes-per-kyma"), now.value("writes-per-kyma"), limits.WritesPerKyma),
		line("bytes per object", old.Process.BytesPerObject, now.Process.BytesPerObject, limits.BytesPerObject),
		line("operator CPU per Kyma", old.Process.CPUMsPerKyma, now.Process.CPUMsPerKyma, limits.CPUPerKyma),
	}
	return c
}

func (r *Report) value(id string) *float64 {
	for _, s := range r.SLIs {
		if s.ID == id {
			return s.Value
		}
	}
	return nil
}

// Regressed lists the figures that grew beyond their limit.
func (c *Comparison) Regressed() []string {
	var out []string
	for _, row := range c.Rows {
		if row.Status == Missed {
			out = append(out, fmt.Sprintf("%s is %.2f times the baseline's, allowed %.2f", row.Name, *row.Ratio, row.Limit))
		}
	}
	return out
}

func line(name string, old, now *float64, limit float64) ComparisonLine {
	l := ComparisonLine{Name: name, Old: old, New: now, Limit: limit, Status: Unknown}
	if old == nil || now == nil || *old <= 0 {
		return l
	}
	ratio := *now / *old
	l.Ratio, l.Status = &ratio, Met
	if ratio > limit {
		l.Status = Missed
	}
	return l
}

func differences(old, now *Report) []string {
	var out []string
	differ := func(name string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			out = append(out, fmt.Sprintf("%s (%v, then %v)", name, a, b))
		}
	}
	differ("place", old.Env.Place, now.Env.Place)
	differ("Kubernetes version", old.Env.Kubernetes, now.Env.Kubernetes)
	differ("CPUs", old.Env.CPUs, now.Env.CPUs)
	differ("CPU model", old.Env.CPUModel, now.Env.CPUModel)
	differ("priority and fairness", old.Env.Fairness, now.Env.Fairness)
	differ("place of the operator", old.Env.OperatorInCluster, now.Env.OperatorInCluster)
	differ("workload", old.Workload, now.Workload)
	return out
}
