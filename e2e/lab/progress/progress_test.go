package progress

import (
	"testing"
	"time"
)

func TestRemaining(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		load Load
		want time.Duration
	}{
		"the first second: by the floor":     {Load{Elapsed: s, Ideal: 67 * s, Floor: 100 * s, Kymas: 1000}, 99 * s},
		"without a floor: by the ideal":      {Load{Ideal: 67 * s, Kymas: 1}, 67 * s},
		"slower than the floor: by its pace": {Load{Elapsed: 60 * s, Ideal: 67 * s, Floor: 90 * s, Kymas: 10, Done: 100, Needed: 300}, 120 * s},
		"at the end: by the pace of success": {Load{Elapsed: 87 * s, Ideal: 67 * s, Floor: 67 * s, Kymas: 100, Success: 50}, 20 * s},
		"late: at least a second":            {Load{Elapsed: 100 * s, Ideal: 67 * s, Floor: 67 * s, Kymas: 1}, s},
		"done":                               {Load{Elapsed: s, Ideal: 67 * s, Kymas: 2, Success: 2}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Remaining(tt.load); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestBoard(t *testing.T) {
	var told string
	b := NewBoard(func(line string) { told = line })
	b.Update(func(s *Status) { s.Kymas = 7 })
	b.Note("killed")
	if b.Latest().Kymas != 7 || told != "killed" || len(b.Notes()) != 1 {
		t.Errorf("board: %+v, note %q", b.Latest(), told)
	}
}
