package stats

import (
	"math"
	"testing"
	"time"
)

func TestDurationsOfAKnownSeries(t *testing.T) {
	d := NewDurations()
	for i := 1; i <= 1000; i++ {
		d.Record(time.Duration(i) * time.Millisecond)
	}
	s := d.Summary()
	for name, c := range map[string]struct{ got, want float64 }{
		"min": {s.Min, 0.001}, "p50": {s.P50, 0.5}, "p90": {s.P90, 0.9}, "p99": {s.P99, 0.99}, "max": {s.Max, 1}, "mean": {s.Mean, 0.5005},
	} {
		if math.Abs(c.got-c.want) > c.want*0.002 {
			t.Errorf("%s = %v, want %v", name, c.got, c.want)
		}
	}
	if s.Count != 1000 {
		t.Errorf("count = %d", s.Count)
	}
}

func TestDurationsClampAndEmpty(t *testing.T) {
	d := NewDurations()
	if d.Summary() != nil || d.Quantile(0.5) != 0 {
		t.Error("an empty collection must have no summary")
	}
	d.Record(-time.Second)
	d.Record(1000 * time.Hour)
	if s := d.Summary(); s.Min != 0 || s.Max != (24*time.Hour).Seconds() {
		t.Errorf("clamped to %+v", s)
	}
}

// The expected values are those of PromQL's histogram_quantile.
func TestBucketQuantile(t *testing.T) {
	inf := math.Inf(1)
	tests := map[string]struct {
		q       float64
		buckets []Bucket
		want    float64
	}{
		"middle of a bucket":     {0.5, []Bucket{{1, 0}, {2, 100}, {inf, 100}}, 1.5},
		"first bucket from zero": {0.5, []Bucket{{1, 100}, {2, 100}, {inf, 100}}, 0.5},
		"beyond the last bound":  {0.99, []Bucket{{1, 10}, {2, 20}, {inf, 100}}, 2},
		"unsorted":               {0.5, []Bucket{{inf, 100}, {2, 100}, {1, 0}}, 1.5},
		"p99 over two buckets":   {0.99, []Bucket{{0.1, 90}, {1, 100}, {inf, 100}}, 0.1 + 0.9*0.9},
		"empty":                  {0.5, []Bucket{{1, 0}, {inf, 0}}, math.NaN()},
		"no infinite bucket":     {0.5, []Bucket{{1, 1}, {2, 2}}, math.NaN()},
		"no buckets":             {0.5, nil, math.NaN()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := BucketQuantile(tt.q, tt.buckets)
			if math.IsNaN(tt.want) != math.IsNaN(got) || math.Abs(got-tt.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSubtractBuckets(t *testing.T) {
	got := SubtractBuckets([]Bucket{{1, 5}, {2, 9}}, []Bucket{{1, 2}, {2, 10}})
	if got[0].Count != 3 || got[1].Count != 0 {
		t.Errorf("got %v; a counter that was reset must not become negative", got)
	}
}

func TestSlopeAndMedian(t *testing.T) {
	if s := Slope([]float64{0, 10, 20}, []float64{5, 25, 45}); math.Abs(s-2) > 1e-9 {
		t.Errorf("slope = %v", s)
	}
	if !math.IsNaN(Slope([]float64{1, 1}, []float64{1, 2})) || !math.IsNaN(Slope(nil, nil)) {
		t.Error("a slope without a run is not a number")
	}
	if Median([]float64{3, 1, 2}) != 2 || Median([]float64{4, 1, 2, 3}) != 2.5 || !math.IsNaN(Median(nil)) {
		t.Error("median")
	}
}
