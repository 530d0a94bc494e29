package verdict

import (
	"slices"
	"testing"
)

func TestTheWorstWins(t *testing.T) {
	tests := map[string]struct {
		codes []Code
		want  Code
	}{
		"nothing":                          {nil, Passed},
		"an SLO":                           {[]Code{SLOMissed}, SLOMissed},
		"invariant over invalid":           {[]Code{Invalid, Broken}, Broken},
		"invalid over time-out":            {[]Code{TimedOut, Invalid}, Invalid},
		"time-out over SLO":                {[]Code{SLOMissed, TimedOut}, TimedOut},
		"SLO over regression":              {[]Code{Regression, SLOMissed}, SLOMissed},
		"interrupted over what is partial": {[]Code{SLOMissed, Interrupted, TimedOut}, Interrupted},
		"a broken invariant stays":         {[]Code{Interrupted, Broken}, Broken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var v Verdict
			for _, c := range tt.codes {
				v.Add(c, "x")
			}
			if v.Code != tt.want {
				t.Errorf("got %d, want %d", v.Code, tt.want)
			}
		})
	}
}

func TestReasonsWorstFirst(t *testing.T) {
	var v Verdict
	v.Add(SLOMissed, "stretch")
	v.Add(Broken, "I3")
	want := []string{"invariant broken: I3", "SLO missed: stretch"}
	if got := v.Reasons(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
