package app

import (
	"runtime"
	"testing"
)

func TestLimitProcs(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(was) })
	for name, tc := range map[string]struct {
		found, want int
		environment string
	}{
		"one core":             {found: 1, want: 1},
		"two cores":            {found: 2, want: 1},
		"less than twice four": {found: 7, want: 1},
		"many":                 {found: 64, want: 16},
		"told by the user":     {found: 6, want: 6, environment: "6"},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GOMAXPROCS(tc.found)
			limitProcs(func(string) string { return tc.environment })
			if got := runtime.GOMAXPROCS(0); got != tc.want {
				t.Errorf("GOMAXPROCS is %d, want %d", got, tc.want)
			}
		})
	}
}
