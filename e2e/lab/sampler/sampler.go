package sampler

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
)

// Names of the processes in Sample.Procs.
const (
	Lab        = "lab"
	Operator   = "operator"
	APIServer  = "kube-apiserver"
	Etcd       = "etcd"
	Controller = "kube-controller-manager"
)

// Group is the API group whose requests are told apart.
const Group = "inventory.kyma-project.io"

// What is read of each source.
var (
	operatorFamilies = []string{"workqueue_", "rest_client_request", "process_", "go_goroutines", "go_memstats_", "kyma_operator_"}
	apiFamilies      = []string{
		"apiserver_request_total", "apiserver_request_duration_seconds", "process_cpu_seconds_total",
		"process_resident_memory_bytes", "apiserver_storage_size_bytes", "etcd_request_duration_seconds",
	}
	etcdFamilies = []string{
		"etcd_disk_wal_fsync_duration_seconds", "etcd_disk_backend_commit_duration_seconds",
		"etcd_mvcc_db_total_size_in_bytes", "process_cpu_seconds_total",
	}
)

// keepAPI drops the API server's histograms of other groups.
func keepAPI(line string) bool {
	if strings.HasPrefix(line, "apiserver_request_duration_seconds") || strings.HasPrefix(line, "etcd_request_duration_seconds") {
		return strings.Contains(line, Group)
	}
	return true
}

// Sample is one reading. Sources that were not read at this moment are nil.
type Sample struct {
	At                  time.Time
	Operator, API, Etcd Metrics
	Procs               map[string]ProcStat
	Fleet               history.Counts
	// Sent counts the Kymas whose creation was acknowledged, LabWrites all
	// mutating requests of the lab.
	Sent, LabWrites int
}

// Config says what to read and how often.
type Config struct {
	Clock clock.WithTicker
	// Operator, API and Etcd are nil where they are out of reach.
	Operator, API, Etcd Source
	// PIDs returns the processes on this machine, by the names above.
	PIDs func() map[string]int
	// Fleet returns what the observer sees, Sent what the generator has done:
	// the acknowledged creates, and all writes of the lab.
	Fleet func() history.Counts
	Sent  func() (creates, writes int)
	// Every is the period of light samples (operator and processes), EveryAPI
	// that of the API server and etcd, whose reading costs them something.
	Every, EveryAPI time.Duration
	// OnSample is called with each sample.
	OnSample func(Sample)
}

// Sampler collects samples.
type Sampler struct {
	config Config

	mu       sync.Mutex
	samples  []Sample
	marks    map[string]Sample
	lastAPI  time.Time
	problems map[string]bool
	// retired is the CPU of processes that have ended, by name.
	retired map[string]ProcStat
	lastPID map[string]int
	last    map[string]ProcStat
	peak    map[string]uint64
}

// New returns a sampler that has read nothing yet.
func New(config Config) *Sampler {
	return &Sampler{
		config: config, marks: map[string]Sample{}, problems: map[string]bool{},
		retired: map[string]ProcStat{}, lastPID: map[string]int{}, last: map[string]ProcStat{}, peak: map[string]uint64{},
	}
}

// Run samples until the context ends.
func (s *Sampler) Run(ctx context.Context) {
	ticker := s.config.Clock.NewTicker(s.config.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			s.add(s.read(ctx, s.apiDue()))
		}
	}
}

// Mark reads everything and keeps it under a name.
func (s *Sampler) Mark(ctx context.Context, name string) Sample {
	sample := s.read(ctx, true)
	s.add(sample)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[name] = sample
	return sample
}

// Get returns a mark; the zero Sample where it was not made.
func (s *Sampler) Get(name string) Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[name]
}

// Samples returns all samples in order.
func (s *Sampler) Samples() []Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.samples)
}

// Problems returns what could not be read, sorted.
func (s *Sampler) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.problems))
}

// Peak returns the largest resident memory that a process had, over all its
// incarnations; 0 for one that was never seen.
func (s *Sampler) Peak(name string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak[name]
}

func (s *Sampler) apiDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Clock.Since(s.lastAPI) >= s.config.EveryAPI
}

func (s *Sampler) add(sample Sample) {
	s.mu.Lock()
	s.samples = append(s.samples, sample)
	if sample.API != nil {
		s.lastAPI = sample.At
	}
	s.mu.Unlock()
	if s.config.OnSample != nil {
		s.config.OnSample(sample)
	}
}

// read makes one reading; the sources are asked at the same time, so that a slow
// one does not shift the others.
func (s *Sampler) read(ctx context.Context, full bool) Sample {
	sample := Sample{At: s.config.Clock.Now(), Fleet: s.config.Fleet(), Procs: s.readProcs()}
	sample.Sent, sample.LabWrites = s.config.Sent()
	var wg sync.WaitGroup
	fetch := func(into *Metrics, name string, source Source, wanted []string, keep func(string) bool) {
		if source == nil {
			return
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			m, err := Read(ctx, source, wanted, keep)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					s.problem("metrics of the " + name + " could not always be read")
				}
				return
			}
			*into = m
		})
	}
	fetch(&sample.Operator, "operator", s.config.Operator, operatorFamilies, nil)
	if full {
		fetch(&sample.API, "API server", s.config.API, apiFamilies, keepAPI)
		fetch(&sample.Etcd, "etcd", s.config.Etcd, etcdFamilies, nil)
	}
	wg.Wait()
	return sample
}

func (s *Sampler) problem(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems[text] = true
}

// readProcs reads the processes. The CPU time of an earlier incarnation of the
// same name is kept, so that a killed operator's cost is not forgotten.
func (s *Sampler) readProcs() map[string]ProcStat {
	out := map[string]ProcStat{}
	pids := s.config.PIDs()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, pid := range pids {
		if s.lastPID[name] != pid {
			s.retired[name] = s.retired[name].plus(s.last[name])
			s.lastPID[name] = pid
			s.last[name] = ProcStat{}
		}
		stat, err := ReadProc(pid)
		if err != nil {
			continue // it has just ended; the next sample sees its successor
		}
		s.last[name] = stat
		s.peak[name] = max(s.peak[name], stat.PeakRSS)
		out[name] = stat.plus(s.retired[name])
	}
	return out
}
