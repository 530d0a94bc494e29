// Package sampler reads what the operator, the API server, etcd and the
// processes say about themselves: a light sample every second or two for the
// course of a run, and a full one (a mark) where a phase begins or ends.
// What cannot be read is absent, never 0.
package sampler

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
)

// Metrics are the families of one scrape.
type Metrics map[string]*dto.MetricFamily

// Labels select series: every one must be equal. A value may list alternatives
// with |.
type Labels map[string]string

// Source reads metrics in the Prometheus text format.
type Source func(ctx context.Context) (io.ReadCloser, error)

// HTTPSource reads a URL.
func HTTPSource(client *http.Client, url string) Source {
	return func(ctx context.Context) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, fmt.Errorf("make request for %s: %w", url, err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", url, err)
		}
		if resp.StatusCode != http.StatusOK {
			_ = resp.Body.Close()
			return nil, fmt.Errorf("read %s: %s", url, resp.Status)
		}
		return resp.Body, nil
	}
}

// Read scrapes the families whose names are wanted, and of them only the lines
// that keep accepts (nil: all). An API server has tens of thousands of series:
// they are dropped line by line, before they cost anything.
func Read(ctx context.Context, source Source, wanted []string, keep func(line string) bool) (Metrics, error) {
	body, err := source(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	var kept bytes.Buffer
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		line := lines.Text()
		comment := strings.HasPrefix(line, "#")
		if comment && !strings.HasPrefix(line, "# TYPE ") {
			continue
		}
		if !isWanted(strings.TrimPrefix(line, "# TYPE "), wanted) || (!comment && keep != nil && !keep(line)) {
			continue
		}
		kept.WriteString(line)
		kept.WriteByte('\n')
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&kept)
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	return families, nil
}

func isWanted(line string, wanted []string) bool {
	for _, prefix := range wanted {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func (l Labels) match(m *dto.Metric) bool {
	for name, want := range l {
		found := false
		for _, pair := range m.GetLabel() {
			if pair.GetName() != name {
				continue
			}
			for alternative := range strings.SplitSeq(want, "|") {
				found = found || pair.GetValue() == alternative
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// Sum adds up the matching series of a counter, gauge or untyped family; nil
// where the family is absent. A family without a matching series is 0: a counter
// that was never touched has no series.
func (m Metrics) Sum(name string, labels Labels) *float64 {
	family := m[name]
	if family == nil {
		return nil
	}
	var sum float64
	for _, metric := range family.GetMetric() {
		if labels.match(metric) {
			sum += value(metric)
		}
	}
	return &sum
}

func value(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() + m.GetHistogram().GetSampleSum()
}

// Max is the largest matching series; nil where the family is absent.
func (m Metrics) Max(name string, labels Labels) *float64 {
	family := m[name]
	if family == nil {
		return nil
	}
	var largest float64
	for _, metric := range family.GetMetric() {
		if labels.match(metric) {
			largest = max(largest, value(metric))
		}
	}
	return &largest
}

// Buckets adds up the matching histograms; nil where there is none.
func (m Metrics) Buckets(name string, labels Labels) []stats.Bucket {
	sums := map[float64]float64{}
	for _, metric := range m[name].GetMetric() {
		if !labels.match(metric) {
			continue
		}
		for _, b := range metric.GetHistogram().GetBucket() {
			sums[b.GetUpperBound()] += float64(b.GetCumulativeCount())
		}
	}
	var out []stats.Bucket
	for bound, count := range sums {
		out = append(out, stats.Bucket{UpperBound: bound, Count: count})
	}
	return out
}

// Values returns the distinct values of a label within a family.
func (m Metrics) Values(name, label string, labels Labels) []string {
	seen := map[string]bool{}
	var out []string
	for _, metric := range m[name].GetMetric() {
		if !labels.match(metric) {
			continue
		}
		for _, pair := range metric.GetLabel() {
			if pair.GetName() == label && !seen[pair.GetValue()] {
				seen[pair.GetValue()] = true
				out = append(out, pair.GetValue())
			}
		}
	}
	return out
}

// Difference is what a counter gained between two scrapes; nil where either
// could not be read, and the whole of after where the process was restarted.
func Difference(after, before *float64) *float64 {
	if after == nil || before == nil {
		return nil
	}
	d := *after - *before
	if d < 0 {
		d = *after
	}
	return &d
}

// QuantileBetween is the q-quantile of the observations between two scrapes; nil
// where there were none.
func QuantileBetween(q float64, after, before Metrics, name string, labels Labels) *float64 {
	buckets := stats.SubtractBuckets(after.Buckets(name, labels), before.Buckets(name, labels))
	v := stats.BucketQuantile(q, buckets)
	if v != v { // NaN: nothing was observed
		return nil
	}
	return &v
}
