package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	inventory "github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

const (
	// maxRows is how many Kymas the table shows.
	maxRows = 20

	refreshTerminal = 500 * time.Millisecond
	refreshPlain    = 2 * time.Second
)

// show draws the fleet until every Kyma is success or ctx ends.
func (d *demo) show(ctx context.Context, t *tracker) error {
	refresh, draw := refreshPlain, d.drawPlain
	if d.tty {
		refresh, draw = refreshTerminal, d.drawTable()
	}
	ticker := d.clock.NewTicker(refresh)
	defer ticker.Stop()
	for {
		draw(t.report())
		select {
		case <-t.done:
			draw(t.report())
			return nil
		case <-ctx.Done():
			return fmt.Errorf("follow the Kymas: %w", context.Cause(ctx))
		case <-ticker.C():
		}
	}
}

func (d *demo) drawPlain(r report) {
	d.say("%s", plain(r))
}

// drawTable returns a function that draws each report over the one before.
func (d *demo) drawTable() func(report) {
	drawn := 0
	return func(r report) {
		text := table(r)
		var screen strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&screen, "\x1b[%dA", drawn) // up
		}
		for line := range strings.Lines(text) {
			screen.WriteString("\x1b[2K" + line) // erase what was there
		}
		drawn = strings.Count(text, "\n")
		_, _ = fmt.Fprint(d.out, screen.String())
	}
}

// plain is a report in one line.
func plain(r report) string {
	var line strings.Builder
	fmt.Fprintf(&line, "%6s  Kymas %d/%d  components %d/%d", seconds(r.elapsed), r.success, len(r.rows),
		r.components, r.modules*len(r.rows))
	if r.counted {
		for _, state := range states {
			fmt.Fprintf(&line, "  %s %d", state, total(r, state))
		}
	}
	return line.String() + "  " + etaText(r)
}

// table is a report in a table of the Kymas; of a large fleet, of the first ones and a line about all.
func table(r report) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "KYMA\tDONE\t")
	for _, state := range states {
		fmt.Fprintf(w, "%s\t", strings.ToUpper(string(state)))
	}
	fmt.Fprintln(w, "ELAPSED\t")
	for _, row := range r.rows[:min(len(r.rows), maxRows)] {
		fmt.Fprintf(w, "%s\t%d/%d\t", row.name, row.success, r.modules)
		for _, state := range states {
			fmt.Fprintf(w, "%d\t", row.states[state])
		}
		elapsed := seconds(row.elapsed)
		if row.finished {
			elapsed += " ✓"
		}
		fmt.Fprintf(w, "%s\t\n", elapsed)
	}
	_ = w.Flush() // A strings.Builder takes everything.
	if more := len(r.rows) - maxRows; more > 0 {
		fmt.Fprintf(&text, "… and %d more\n", more)
	}
	fmt.Fprintf(&text, "%s  Kymas %d/%d  components %d/%d  %s\n", seconds(r.elapsed), r.success, len(r.rows),
		r.components, r.modules*len(r.rows), etaText(r))
	return text.String()
}

func etaText(r report) string {
	switch {
	case r.success == len(r.rows):
		return "done"
	case !r.etaKnown:
		return "ETA unknown"
	default:
		return "ETA " + seconds(r.eta)
	}
}

func total(r report, state inventory.ComponentState) int {
	sum := 0
	for _, row := range r.rows {
		sum += row.states[state]
	}
	return sum
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%.1fs", d.Seconds())
}
