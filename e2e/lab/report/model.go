// Package report is what a run leaves: one JSON file. It is a model without
// logic; absent figures are null, never 0.
package report

import (
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
)

// SchemaVersion is raised when a field is removed or changes its meaning.
const SchemaVersion = 1

// Report is the result of one run.
type Report struct {
	SchemaVersion int                `json:"schemaVersion"`
	Verdict       string             `json:"verdict"`
	ExitCode      int                `json:"exitCode"`
	Reasons       []string           `json:"reasons"`
	StartedAt     time.Time          `json:"startedAt"`
	FinishedAt    time.Time          `json:"finishedAt"`
	Phases        []Phase            `json:"phases"`
	Env           Env                `json:"env"`
	Workload      Workload           `json:"workload"`
	IdealSeconds  float64            `json:"ideal"`
	Floor         Floor              `json:"floor"`
	Makespan      *float64           `json:"makespan"`
	SLIs          []SLI              `json:"slis"`
	Latency       Latency            `json:"latency"`
	API           []APIRow           `json:"api"`
	Etcd          *Etcd              `json:"etcd"`
	Queues        []Queue            `json:"queue"`
	Process       Process            `json:"process"`
	Lab           Lab                `json:"lab"`
	Invariants    []invariant.Result `json:"invariants"`
	Worst         []WorstKyma        `json:"worst"`
	Series        []Point            `json:"timeseries"`
	Baseline      *Comparison        `json:"baseline"`
	// Experiments are the runs within a sweep or the findings, Findings what the
	// latter say.
	Experiments []Experiment `json:"experiments,omitempty"`
	Findings    []Finding    `json:"findings,omitempty"`
	// Checks are what a scenario measures beyond a burst: idle after a restart,
	// the course of a resync.
	Checks   []Check  `json:"checks,omitempty"`
	Warnings []string `json:"warnings"`
}

// Phase is a part of the run, in seconds from its start.
type Phase struct {
	Name  string  `json:"name"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// Env is where the run took place.
type Env struct {
	Place             string   `json:"place"`
	Kubernetes        string   `json:"kubernetes"`
	Operator          string   `json:"operator"`
	OperatorArgs      []string `json:"operatorArgs"`
	OperatorInCluster bool     `json:"operatorInCluster"`
	// Fairness is whether priority and fairness limits the operator: on, off or
	// unknown.
	Fairness string  `json:"priorityAndFairness"`
	OS       string  `json:"os"`
	Arch     string  `json:"arch"`
	CPUs     int     `json:"cpus"`
	CPUModel string  `json:"cpuModel"`
	MemoryGB float64 `json:"memoryGB"`
	Go       string  `json:"go"`
	Revision string  `json:"revision"`
}

// Workload is what the run was asked to do.
type Workload struct {
	Scenario        string   `json:"scenario"`
	Kymas           int      `json:"kymas"`
	Modules         []string `json:"modules"`
	Rate            float64  `json:"rate,omitempty"`
	Batches         int      `json:"batches,omitempty"`
	Unit            float64  `json:"lifecycleUnit"`
	Coalescing      bool     `json:"coalescing"`
	ObserveFraction float64  `json:"observeFraction"`
	Seed            uint64   `json:"seed"`
}

// Floor is the least time that the run can take.
type Floor struct {
	// Seconds is max(ideal, WritesNeeded/Capacity).
	Seconds float64 `json:"seconds"`
	// Capacity is what the probe reached, in writes a second; null without it.
	Capacity *float64 `json:"writeCapacity"`
	// CPUPerWrite is the API server's CPU per probe write, WatchCPUPerWrite what
	// one watcher of it adds, both in ms.
	CPUPerWrite      *float64 `json:"apiServerMsPerWrite"`
	WatchCPUPerWrite *float64 `json:"apiServerMsPerWatchedWrite"`
	WritesNeeded     float64  `json:"writesNeeded"`
	// LatenessP99 and WaitP99 are what the capacity alone costs, in seconds; null
	// without one.
	LatenessP99 *float64 `json:"latenessP99"`
	WaitP99     *float64 `json:"waitP99"`
}

// SLI is one indicator against its limit.
type SLI struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Unit  string   `json:"unit"`
	Value *float64 `json:"value"`
	// Limit is null for what is only reported; Op is <= or >=.
	Limit  *float64 `json:"limit"`
	Op     string   `json:"op"`
	Status Status   `json:"status"`
	Note   string   `json:"note,omitempty"`
}

// Status of an SLI.
type Status string

// What an SLI can be.
const (
	Met        Status = "met"
	Missed     Status = "missed"
	Unknown    Status = "unknown"
	NotApplied Status = "not applied"
	Reported   Status = "reported"
)

// Latency is in seconds, but for Stretch, which is a ratio.
type Latency struct {
	Kyma    *stats.Summary `json:"kyma"`
	Stretch *stats.Summary `json:"stretch"`
	// PerComponent is creation to success by module; PerTransition and Lateness
	// are how late a state was seen, by state and over all.
	PerComponent  map[string]*stats.Summary `json:"perComponent"`
	PerTransition map[string]*stats.Summary `json:"perTransition"`
	Lateness      *stats.Summary            `json:"lateness"`
	// The curves hold the quantiles 0, 0.01 … 1.
	StretchCurve  []float64 `json:"stretchCurve"`
	LatenessCurve []float64 `json:"latenessCurve"`
}

// APIRow is what the API server says of one kind of request.
type APIRow struct {
	Verb     string   `json:"verb"`
	Resource string   `json:"resource"`
	Requests float64  `json:"requests"`
	Errors   float64  `json:"errors"`
	P50      *float64 `json:"p50"`
	P99      *float64 `json:"p99"`
}

// Etcd figures; null where they could not be read.
type Etcd struct {
	FsyncP99   *float64 `json:"fsyncP99"`
	CommitP99  *float64 `json:"commitP99"`
	DBSizeMB   *float64 `json:"dbSizeMB"`
	CPUSeconds *float64 `json:"cpuSeconds"`
}

// Queue is one of the operator's queues.
type Queue struct {
	Name     string   `json:"name"`
	WaitP99  *float64 `json:"waitP99"`
	DepthMax *float64 `json:"depthMax"`
	// DrainSeconds is from the last send until the queue was empty for good.
	DrainSeconds *float64 `json:"drainSeconds"`
	Adds         *float64 `json:"adds"`
	Retries      *float64 `json:"retries"`
}

// Process is the operator's cost.
type Process struct {
	CPUSeconds     *float64 `json:"cpuSeconds"`
	CPUMsPerWrite  *float64 `json:"cpuMsPerWrite"`
	CPUMsPerKyma   *float64 `json:"cpuMsPerKyma"`
	PeakRSSMB      *float64 `json:"peakRSSMB"`
	BytesPerObject *float64 `json:"bytesPerObject"`
	HeapPerObject  *float64 `json:"heapBytesPerObject"`
	Goroutines     *float64 `json:"goroutines"`
	// SlopeMBPerMinute is the growth of the resident memory in the settled fleet.
	SlopeMBPerMinute *float64 `json:"slopeMBPerMinute"`
	APIServerCPU     *float64 `json:"apiServerCPUSeconds"`
	APIServerRSSMB   *float64 `json:"apiServerPeakRSSMB"`
	ReconcilesKyma   *float64 `json:"reconcilesKyma"`
	ReconcilesHC     *float64 `json:"reconcilesHelmComponent"`
	// ReconcileErrors are the syncs that failed and are retried.
	ReconcileErrors *float64 `json:"reconcileErrors"`
	// Renders are the charts that were rendered, RenderCPU what the processes
	// that did it used; it is not part of CPUSeconds.
	Renders         *float64 `json:"renders"`
	RenderCPU       *float64 `json:"renderCPUSeconds"`
	RenderHits      *float64 `json:"renderHits"`
	RenderMisses    *float64 `json:"renderMisses"`
	StatusSkipped   *float64 `json:"statusSkipped"`
	StatusCoalesced *float64 `json:"statusCoalesced"`
}

// Lab is the cost and the trustworthiness of the lab itself.
type Lab struct {
	CPUSeconds *float64 `json:"cpuSeconds"`
	// Share is of all CPU of operator, API server, etcd and lab; WithEffect adds
	// what the watch costs the API server, from the capacity probe.
	Share           *float64       `json:"share"`
	ShareWithEffect *float64       `json:"shareWithEffect"`
	PeakRSSMB       *float64       `json:"peakRSSMB"`
	WatchLag        *stats.Summary `json:"watchLag"`
	SendDelay       *stats.Summary `json:"sendDelay"`
	ScheduledRate   *float64       `json:"scheduledRate"`
	AchievedRate    *float64       `json:"achievedRate"`
	Events          int            `json:"events"`
	Gaps            int            `json:"gaps"`
	Writes          float64        `json:"writes"`
}

// WorstKyma is one of the slowest.
type WorstKyma struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Stretch float64 `json:"stretch"`
	// Sent is in seconds from the first send; Slowest the module that came last.
	Sent    float64 `json:"sent"`
	Slowest string  `json:"slowestModule"`
}

// Point is one moment of the run.
type Point struct {
	T       float64            `json:"t"`
	Sent    int                `json:"sent"`
	Kymas   int                `json:"kymas"`
	Success int                `json:"success"`
	States  map[string]int     `json:"states"`
	Queues  map[string]float64 `json:"queues,omitempty"`
	Writes  *float64           `json:"writesPerSecond"`
	PutP99  *float64           `json:"putP99"`
	RSSMB   *float64           `json:"rssMB"`
	Objects int                `json:"objects"`
	CPU     map[string]float64 `json:"cpu,omitempty"`
	EtcdMB  *float64           `json:"etcdMB"`
	Errors  *float64           `json:"clientErrors"`
}

// Experiment is one run within a sweep or a finding.
type Experiment struct {
	Name     string             `json:"name"`
	Args     []string           `json:"args"`
	ExitCode int                `json:"exitCode"`
	Verdict  string             `json:"verdict"`
	Figures  map[string]float64 `json:"figures"`
}

// Finding is an A/B experiment in one line.
type Finding struct {
	ID       string   `json:"id"`
	Question string   `json:"question"`
	Verdict  string   `json:"verdict"`
	Variants []string `json:"variants"`
	// Figures are the columns that tell the variants apart.
	Figures []string `json:"figures"`
}

// Check is a measured condition of a scenario.
type Check struct {
	Name   string   `json:"name"`
	Value  *float64 `json:"value"`
	Unit   string   `json:"unit"`
	Limit  *float64 `json:"limit"`
	Status Status   `json:"status"`
}

// Comparison is the run against an earlier one.
type Comparison struct {
	Path string           `json:"path"`
	Rows []ComparisonLine `json:"rows"`
	// Refused says why the two cannot be compared.
	Refused string `json:"refused,omitempty"`
}

// ComparisonLine is one figure of both runs.
type ComparisonLine struct {
	Name   string   `json:"name"`
	Old    *float64 `json:"old"`
	New    *float64 `json:"new"`
	Ratio  *float64 `json:"ratio"`
	Limit  float64  `json:"limit"`
	Status Status   `json:"status"`
}
