// Package threshold holds the limits that a run is judged by: built-in defaults,
// overridden field by field from a YAML file.
package threshold

import (
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Limits are all thresholds. Ratios are of 1.
type Limits struct {
	// StretchP99 bounds (send to success) / ideal, where the floor allows it.
	StretchP99 float64 `json:"stretchP99"`
	// MakespanOverFloor bounds makespan / floor.
	MakespanOverFloor float64 `json:"makespanOverFloor"`
	// LatenessP99 bounds a state's lateness, where the floor allows it.
	LatenessP99 metav1.Duration `json:"latenessP99"`
	// QueueWaitP99 bounds the wait in each of the operator's queues.
	QueueWaitP99 metav1.Duration `json:"queueWaitP99"`
	// MutatingP99 bounds the API server's own latency of writes to the inventory.
	MutatingP99 metav1.Duration `json:"mutatingP99"`
	// Errors5xx is a number, the others are shares of all requests.
	Errors5xx float64 `json:"errors5xx"`
	Ratio429  float64 `json:"ratio429"`
	Ratio409  float64 `json:"ratio409"`
	// WritesPerKyma bounds the operator's writes.
	WritesPerKyma float64 `json:"writesPerKyma"`
	// AchievedRate is the least share of the scheduled send rate, WatchLagP99 the
	// largest lag of the lab's own watch: beyond them a run is invalid.
	AchievedRate float64         `json:"achievedRate"`
	WatchLagP99  metav1.Duration `json:"watchLagP99"`
	// Settle is how long a converged fleet is watched, GCGrace what the garbage
	// collector may need, Early how far before its due moment a state may be seen.
	Settle  metav1.Duration `json:"settle"`
	GCGrace metav1.Duration `json:"gcGrace"`
	Early   metav1.Duration `json:"early"`
	// Baseline bounds what may grow against an earlier run.
	Baseline Baseline `json:"baseline"`
}

// Baseline holds the largest allowed ratios of new to old.
type Baseline struct {
	Stretch        float64 `json:"stretch"`
	WritesPerKyma  float64 `json:"writesPerKyma"`
	BytesPerObject float64 `json:"bytesPerObject"`
	CPUPerKyma     float64 `json:"cpuPerKyma"`
}

// Default returns the built-in limits, those of loadlab.md.
func Default() Limits {
	d := func(v time.Duration) metav1.Duration { return metav1.Duration{Duration: v} }
	return Limits{
		StretchP99: 1.5, MakespanOverFloor: 1.25, LatenessP99: d(time.Second), QueueWaitP99: d(time.Second),
		MutatingP99: d(time.Second), Errors5xx: 0, Ratio429: 0.001, Ratio409: 0.01, WritesPerKyma: 106,
		AchievedRate: 0.95, WatchLagP99: d(time.Second),
		Settle: d(time.Minute), GCGrace: d(time.Minute), Early: d(time.Second),
		Baseline: Baseline{Stretch: 1.10, WritesPerKyma: 1.05, BytesPerObject: 1.10, CPUPerKyma: 1.20},
	}
}

// Load reads a file over the defaults; "" returns the defaults. An unknown field
// is an error.
func Load(path string) (Limits, error) {
	limits := Default()
	if path == "" {
		return limits, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return limits, fmt.Errorf("read thresholds: %w", err)
	}
	return Parse(data)
}

// Parse reads YAML over the defaults.
func Parse(data []byte) (Limits, error) {
	limits := Default()
	if err := yaml.UnmarshalStrict(data, &limits); err != nil {
		return limits, fmt.Errorf("parse thresholds: %w", err)
	}
	return limits, limits.validate()
}

func (l Limits) validate() error {
	positive := map[string]float64{
		"stretchP99": l.StretchP99, "makespanOverFloor": l.MakespanOverFloor, "writesPerKyma": l.WritesPerKyma,
		"latenessP99": l.LatenessP99.Seconds(), "queueWaitP99": l.QueueWaitP99.Seconds(), "mutatingP99": l.MutatingP99.Seconds(),
		"watchLagP99": l.WatchLagP99.Seconds(), "gcGrace": l.GCGrace.Seconds(), "achievedRate": l.AchievedRate,
		"baseline.stretch": l.Baseline.Stretch, "baseline.writesPerKyma": l.Baseline.WritesPerKyma,
		"baseline.bytesPerObject": l.Baseline.BytesPerObject, "baseline.cpuPerKyma": l.Baseline.CPUPerKyma,
	}
	for name, v := range positive {
		if v <= 0 {
			return fmt.Errorf("threshold %s must be positive", name)
		}
	}
	for name, v := range map[string]float64{
		"errors5xx": l.Errors5xx, "ratio429": l.Ratio429, "ratio409": l.Ratio409, "settle": l.Settle.Seconds(), "early": l.Early.Seconds(),
	} {
		if v < 0 {
			return fmt.Errorf("threshold %s must not be negative", name)
		}
	}
	return nil
}
