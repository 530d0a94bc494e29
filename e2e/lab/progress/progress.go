// Package progress is what a run shows of itself while it lasts.
package progress

import (
	"sync"
	"time"
)

// Status is the run at one moment. Figures that could not be read are nil.
type Status struct {
	Scenario, Phase string
	// Since is when the run began, PhaseSince when its phase did.
	Since, PhaseSince time.Time
	// Experiment is n of m within a sweep or the findings.
	Experiment           string
	Kymas, Sent          int
	Alive, Success       int
	Components           int
	States               map[string]int
	Queues               map[string]float64
	WritesPerSecond      *float64
	Conflicts            *float64
	Throttled            *float64
	PutP99               *float64
	EtcdMB, RSSMB, CPU   *float64
	Remaining            time.Duration
	IdealSecs, FloorSecs float64
}

// Board holds the latest status. It is safe for concurrent use.
type Board struct {
	mu     sync.Mutex
	status Status
	notes  []string
	onNote func(string)
}

// NewBoard returns a board that calls onNote, if not nil, with each note.
func NewBoard(onNote func(string)) *Board { return &Board{onNote: onNote} }

// Update changes the status.
func (b *Board) Update(change func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.status)
}

// Latest returns the status.
func (b *Board) Latest() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

// Note adds a line that stays: the end of a phase, a fault that was injected.
func (b *Board) Note(line string) {
	b.mu.Lock()
	b.notes = append(b.notes, line)
	b.mu.Unlock()
	if b.onNote != nil {
		b.onNote(line)
	}
}

// Notes returns all notes.
func (b *Board) Notes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.notes...)
}

// Load is what an estimate of the remaining time is made from.
type Load struct {
	// Elapsed since the first send, Ideal and Floor of the whole run.
	Elapsed, Ideal, Floor time.Duration
	// Kymas asked for, and those that are success.
	Kymas, Success int
	// Done and Needed are the writes made so far and those of the whole.
	Done, Needed float64
}

// Remaining estimates how long the load still takes: from the first second on by
// the floor, later by the pace of the writes, and at the end by the pace of
// success. Never less than what one Kyma needs.
func Remaining(l Load) time.Duration {
	if l.Kymas > 0 && l.Success >= l.Kymas {
		return 0
	}
	left := max(l.Floor, l.Ideal) - l.Elapsed
	if l.Elapsed > 5*time.Second && l.Done > 0 && l.Needed > l.Done {
		pace := time.Duration(float64(l.Elapsed) * (l.Needed - l.Done) / l.Done)
		left = max(left, pace)
	}
	if l.Success > 0 && l.Elapsed > l.Ideal {
		since := l.Elapsed - l.Ideal
		left = max(left, time.Duration(float64(since)*float64(l.Kymas-l.Success)/float64(l.Success)))
	}
	return max(left, time.Second)
}
