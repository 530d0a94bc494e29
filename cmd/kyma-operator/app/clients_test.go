package app

import (
	"testing"
	"time"
)

func TestReadPause(t *testing.T) {
	for name, tc := range map[string]struct{ latency, want time.Duration }{
		"nothing written yet": {},
		"a fast server":       {latency: 4 * time.Millisecond, want: 2 * time.Millisecond},
		"a busy one":          {latency: 24 * time.Millisecond, want: 12 * time.Millisecond},
		"one that hangs":      {latency: time.Minute, want: 15 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readPause(tc.latency); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
