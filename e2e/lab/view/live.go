package view

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
)

// plainEvery and liveEvery are the periods of the two views.
const (
	plainEvery = 10 * time.Second
	liveEvery  = 500 * time.Millisecond
)

// Plain prints a line every ten seconds until the context ends.
func Plain(ctx context.Context, w io.Writer, board *progress.Board, c clock.WithTicker) {
	ticker := c.NewTicker(plainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			if s := board.Latest(); !s.Since.IsZero() {
				fmt.Fprintln(w, line(s, c.Now()))
			}
		}
	}
}

// Live runs the terminal view until the context ends. interrupt is called when
// the user presses Ctrl-C or q.
func Live(ctx context.Context, w io.Writer, board *progress.Board, c clock.Clock, interrupt func()) error {
	program := tea.NewProgram(model{board: board, clock: c, interrupt: interrupt}, tea.WithOutput(w), tea.WithoutSignalHandler())
	stop := context.AfterFunc(ctx, program.Quit)
	defer stop()
	if _, err := program.Run(); err != nil {
		return fmt.Errorf("show the live view: %w", err)
	}
	return nil
}

type tick struct{}

func again() tea.Cmd { return tea.Tick(liveEvery, func(time.Time) tea.Msg { return tick{} }) }

// model is the state of the live view; everything it shows is on the board.
type model struct {
	board     *progress.Board
	clock     clock.Clock
	interrupt func()
	width     int
	stopping  bool
}

// Init starts the ticking.
func (m model) Init() tea.Cmd { return again() }

// Update handles keys, the window's size and ticks.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.KeyMsg:
		if key := msg.String(); (key == "ctrl+c" || key == "q") && !m.stopping {
			m.stopping = true
			m.interrupt()
		}
	case tea.WindowSizeMsg:
		m.width = msg.Width
	case tick:
		return m, again()
	}
	return m, nil
}

var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	// Colours of the states, the same as in the charts.
	stateColors = map[string]lipgloss.Color{"pending": "8", "started": "4", "failing": "1", "retrying": "3", "success": "2"}
)

// View draws the board.
func (m model) View() string {
	s := m.board.Latest()
	if s.Since.IsZero() {
		return "\n  starting…\n"
	}
	now := m.clock.Now()
	width := min(max(m.width-4, 40), 100)
	var b strings.Builder
	title := s.Scenario
	if s.Experiment != "" {
		title += " · " + s.Experiment
	}
	fmt.Fprintf(&b, "\n  %s  %s  %s\n", bold.Render("load lab: "+title), s.Phase, faint.Render(clockTimes(s, now)))
	fmt.Fprintf(&b, "\n  Kymas       %s %d/%d\n", bar(width-30, s.Success, s.Kymas, stateColors["success"]), s.Success, s.Kymas)
	fmt.Fprintf(&b, "  components  %s %d\n", stacked(width-30, s.States, s.Components), s.Components)
	b.WriteString("  ")
	for _, state := range states {
		b.WriteString(lipgloss.NewStyle().Foreground(stateColors[state]).Render("■") + fmt.Sprintf(" %s %d  ", state, s.States[state]))
	}
	fmt.Fprintf(&b, "\n\n  queue %-8s writes/s %-7s 409 %-5s 429 %-5s PUT p99 %-8s\n", figure(depth(s), "%.0f"), figure(s.WritesPerSecond, "%.0f"),
		figure(s.Conflicts, "%.0f"), figure(s.Throttled, "%.0f"), millis(s.PutP99))
	fmt.Fprintf(&b, "  operator: CPU %-6s RSS %-8s etcd %-8s\n\n", figure(s.CPU, "%.2f"), figure(s.RSSMB, "%.0f MB"), figure(s.EtcdMB, "%.0f MB"))
	notes := m.board.Notes()
	for _, note := range notes[max(0, len(notes)-6):] {
		b.WriteString("  " + faint.Render(note) + "\n")
	}
	if m.stopping {
		b.WriteString("\n  stopping; the report is written first\n")
	} else {
		b.WriteString(faint.Render("\n  Ctrl-C stops and writes a partial report\n"))
	}
	return b.String()
}

func clockTimes(s progress.Status, now time.Time) string {
	text := "elapsed " + minutes(now.Sub(s.Since))
	if s.Remaining > 0 {
		text += ", ETA " + minutes(s.Remaining)
	}
	return text + fmt.Sprintf(", ideal %.0f s, floor %.0f s", s.IdealSecs, s.FloorSecs)
}

func bar(width, value, of int, color lipgloss.Color) string {
	full := 0
	if of > 0 {
		full = min(width*value/of, width)
	}
	return lipgloss.NewStyle().Foreground(color).Render(strings.Repeat("█", full)) + faint.Render(strings.Repeat("░", max(width-full, 0)))
}

// stacked is one bar of all states.
func stacked(width int, counts map[string]int, total int) string {
	if total <= 0 {
		return faint.Render(strings.Repeat("░", max(width, 0)))
	}
	var b strings.Builder
	drawn, sum := 0, 0
	for _, state := range slices.Backward(states) {
		sum += max(counts[state], 0)
		end := min(width*sum/total, width)
		b.WriteString(lipgloss.NewStyle().Foreground(stateColors[state]).Render(strings.Repeat("█", max(end-drawn, 0))))
		drawn = max(end, drawn)
	}
	return b.String() + faint.Render(strings.Repeat("░", max(width-drawn, 0)))
}
