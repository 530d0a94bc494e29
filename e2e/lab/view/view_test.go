package view

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
)

var start = time.Unix(1000, 0)

func board() *progress.Board {
	writes := 412.4
	b := progress.NewBoard(nil)
	b.Update(func(s *progress.Status) {
		*s = progress.Status{
			Scenario: "burst", Phase: "converge", Since: start, Kymas: 10, Sent: 10, Success: 4, Components: 180, States: map[string]int{"pending": 20, "success": 160},
			Queues: map[string]float64{"kyma": 1, "helmcomponent": 2}, WritesPerSecond: &writes, Remaining: 75 * time.Second,
		}
	})
	b.Note("send 1.0 s")
	return b
}

func TestLine(t *testing.T) {
	got := line(board().Latest(), start.Add(65*time.Second))
	for _, want := range []string{"01:05", "converge", "success 4/10", "ETA 01:15", "pending 20", "queue 3", "writes/s 412", "429 -", "rss -"} {
		if !strings.Contains(got, want) {
			t.Errorf("the line lacks %q: %s", want, got)
		}
	}
}

func TestLive(t *testing.T) {
	interrupted := 0
	var m tea.Model = model{board: board(), clock: clocktesting.NewFakeClock(start.Add(65 * time.Second)), interrupt: func() { interrupted++ }}
	m, _ = m.Update(tea.WindowSizeMsg{Width: 80})
	for _, want := range []string{"load lab: burst", "elapsed 01:05, ETA 01:15", "4/10", "pending 20", "send 1.0 s", "Ctrl-C"} {
		if !strings.Contains(m.View(), want) {
			t.Errorf("the view lacks %q:\n%s", want, m.View())
		}
	}
	m, _ = m.Update(tea.KeyMsg{Type: tea.KeyCtrlC})
	m, _ = m.Update(tea.KeyMsg{Type: tea.KeyCtrlC})
	if interrupted != 1 || !strings.Contains(m.View(), "stopping") {
		t.Errorf("interrupted %d times:\n%s", interrupted, m.View())
	}
	if empty := (model{board: progress.NewBoard(nil)}).View(); !strings.Contains(empty, "starting") {
		t.Errorf("before the run: %q", empty)
	}
}

func TestPlainPrintsEveryTenSeconds(t *testing.T) {
	c := clocktesting.NewFakeClock(start)
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan string, 10)
	done := make(chan struct{})
	go func() { Plain(ctx, writer(func(p []byte) { lines <- string(p) }), board(), c); close(done) }()
	for range 2 {
		for !c.HasWaiters() {
			continue
		}
		c.Step(plainEvery)
		if got := <-lines; !strings.Contains(got, "success 4/10") {
			t.Errorf("line: %s", got)
		}
	}
	cancel()
	<-done
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

func TestSummary(t *testing.T) {
	v, limit, makespan := 1.42, 1.5, 97.4
	r := &report.Report{
		Verdict: "SLO missed", ExitCode: 3, Reasons: []string{"SLO missed: lateness"}, IdealSeconds: 67, Makespan: &makespan,
		Workload: report.Workload{Scenario: "burst", Kymas: 10}, Env: report.Env{Place: "embedded"},
		SLIs:       []report.SLI{{Name: "stretch, p99", Unit: "x ideal", Value: &v, Limit: &limit, Op: "<=", Status: report.Met}, {Name: "etcd fsync", Unit: "s", Status: report.Unknown}},
		Checks:     []report.Check{{Name: "idle after a restart", Value: &v, Unit: "s", Status: report.Reported}},
		Invariants: []invariant.Result{{ID: "I1", Status: invariant.Pass}, {ID: "I8", Status: invariant.Unverified}},
		Baseline:   &report.Comparison{Rows: []report.ComparisonLine{{Name: "stretch p99", Old: &v, New: &v, Limit: 1.1, Status: report.Met}}},
		Warnings:   []string{"look"},
	}
	var out bytes.Buffer
	Summary(&out, r)
	for _, want := range []string{"SLO MISSED (exit code 3)", "makespan 97.4 s (1.45 x ideal)", "1.42", "<= 1.50", "–", "1 hold, 0 broken, 1 unverified (I8 unverified)", "idle after a restart", "baseline: stretch p99", "look"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	r.Experiments = []report.Experiment{{Name: "a", Figures: map[string]float64{"s": 3}}, {Name: "other"}}
	r.Findings = []report.Finding{{Question: "Which?", Verdict: "This.", Variants: []string{"a"}, Figures: []string{"s", "absent"}}}
	Summary(&out, r)
	if text := out.String(); !strings.Contains(text, "Which? This.") || strings.Contains(text, "other") {
		t.Errorf("summary of experiments:\n%s", text)
	}
}

func TestValue(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	for want, got := range map[string]string{
		"–": Value(nil, "s"), "97.4 s": Value(f(97.42), "s"), "412": Value(f(412.4), ""), "3": Value(f(3), ""), "1.42": Value(f(1.421), "x ideal"),
		"0.0031 s": Value(f(0.00312), "s"), "3.10 %": Value(f(0.031), "of all"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
