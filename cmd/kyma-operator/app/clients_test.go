package app

import (
	"testing"
	"time"
)

func TestReadPause(t *testing.T) {
	for name, tc := range map[string]struct{ latency, want time.Duration }{
		"nothing written yet": {},
		"a fast server":       {latency: 4 * time.Millisecond, want: time.Millisecond},
		"a busy one":          {latency: 32 * time.Millisecond, want: 8 * time.Millisecond},
		"one that hangs":      {latency: time.Minute, want: 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readPause(tc.latency); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
