// Package stats computes percentiles: exact ones of what the lab measured itself
// (an HDR histogram, three significant digits) and estimates from the buckets of
// Prometheus histograms.
package stats

import (
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a Durations: values outside are clamped to it.
const (
	lowest  = time.Microsecond
	highest = 24 * time.Hour
	digits  = 3
)

// Durations collects durations.
type Durations struct {
	hist *hdrhistogram.Histogram
	sum  time.Duration
	low  time.Duration
	high time.Duration
}

// NewDurations returns an empty collection.
func NewDurations() *Durations {
	return &Durations{hist: hdrhistogram.New(int64(lowest/time.Microsecond), int64(highest/time.Microsecond), digits)}
}

// Record adds a duration; a negative one counts as 0.
func (d *Durations) Record(v time.Duration) {
	v = min(max(v, 0), highest)
	if d.hist.TotalCount() == 0 {
		d.low, d.high = v, v
	}
	d.low, d.high = min(d.low, v), max(d.high, v)
	d.sum += v
	// In range by the clamp above, so it cannot fail.
	_ = d.hist.RecordValue(int64(v / time.Microsecond))
}

// Count is the number of durations.
func (d *Durations) Count() int64 { return d.hist.TotalCount() }

// Quantile returns the q-quantile, 0 <= q <= 1, within 0.1 %.
func (d *Durations) Quantile(q float64) time.Duration {
	if d.Count() == 0 {
		return 0
	}
	v := time.Duration(d.hist.ValueAtQuantile(q*100)) * time.Microsecond
	return min(v, d.high)
}

// Summary is the shape of a collection, in seconds.
type Summary struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Summary returns the shape; nil where nothing was recorded.
func (d *Durations) Summary() *Summary {
	if d.Count() == 0 {
		return nil
	}
	return &Summary{
		Count: d.Count(),
		Min:   d.low.Seconds(),
		Mean:  d.sum.Seconds() / float64(d.Count()),
		P50:   d.Quantile(0.50).Seconds(),
		P90:   d.Quantile(0.90).Seconds(),
		P99:   d.Quantile(0.99).Seconds(),
		Max:   d.high.Seconds(),
	}
}

// Bucket is a cumulative bucket of a Prometheus histogram.
type Bucket struct {
	UpperBound float64
	Count      float64
}

// BucketQuantile estimates the q-quantile as PromQL's histogram_quantile does:
// linear within a bucket, and the highest finite bound for what lies beyond it.
// It is NaN for an empty histogram.
func BucketQuantile(q float64, buckets []Bucket) float64 {
	buckets = slices.Clone(buckets)
	slices.SortFunc(buckets, func(a, b Bucket) int {
		switch {
		case a.UpperBound < b.UpperBound:
			return -1
		case a.UpperBound > b.UpperBound:
			return 1
		}
		return 0
	})
	if len(buckets) < 2 || !math.IsInf(buckets[len(buckets)-1].UpperBound, 1) {
		return math.NaN()
	}
	total := buckets[len(buckets)-1].Count
	if total == 0 {
		return math.NaN()
	}
	rank := q * total
	i := slices.IndexFunc(buckets, func(b Bucket) bool { return b.Count >= rank })
	if i == len(buckets)-1 {
		return buckets[i-1].UpperBound
	}
	lower, below := 0.0, 0.0
	if i > 0 {
		lower, below = buckets[i-1].UpperBound, buckets[i-1].Count
	}
	in := buckets[i].Count - below
	if in == 0 {
		return buckets[i].UpperBound
	}
	return lower + (buckets[i].UpperBound-lower)*(rank-below)/in
}

// SubtractBuckets returns the observations that came after before.
func SubtractBuckets(after, before []Bucket) []Bucket {
	was := make(map[float64]float64, len(before))
	for _, b := range before {
		was[b.UpperBound] = b.Count
	}
	out := make([]Bucket, 0, len(after))
	for _, b := range after {
		out = append(out, Bucket{UpperBound: b.UpperBound, Count: max(b.Count-was[b.UpperBound], 0)})
	}
	return out
}

// Slope is the least-squares slope of y over x; NaN for fewer than two
// different x.
func Slope(x, y []float64) float64 {
	n := float64(min(len(x), len(y)))
	if n < 2 {
		return math.NaN()
	}
	var sx, sy, sxx, sxy float64
	for i := range int(n) {
		sx, sy = sx+x[i], sy+y[i]
		sxx, sxy = sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	d := n*sxx - sx*sx
	if d == 0 {
		return math.NaN()
	}
	return (n*sxy - sx*sy) / d
}

// Median of the values; NaN for none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if m := len(s) / 2; len(s)%2 == 1 {
		return s[m]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}
