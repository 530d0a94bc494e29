// Package verdict turns what is wrong with a run into one exit code: the worst
// wins.
package verdict

// Code is an exit code of the lab.
type Code int

// The exit codes, as in docs/load-testing.md.
const (
	Passed      Code = 0
	SetUp       Code = 1
	TimedOut    Code = 2
	SLOMissed   Code = 3
	Broken      Code = 4
	Invalid     Code = 5
	Regression  Code = 6
	Interrupted Code = 130
)

// ranking lists the codes from the worst on. A broken invariant outranks all: it
// stays true however the run ended. A run that was interrupted, invalid or out of
// time says nothing about its SLOs.
var ranking = []Code{Broken, SetUp, Interrupted, Invalid, TimedOut, SLOMissed, Regression}

var names = map[Code]string{
	Passed: "pass", SetUp: "set-up failed", TimedOut: "time-out", SLOMissed: "SLO missed",
	Broken: "invariant broken", Invalid: "run invalid", Regression: "regression", Interrupted: "interrupted",
}

func (c Code) String() string { return names[c] }

// Verdict is the outcome of a run.
type Verdict struct {
	Code    Code
	reasons map[Code][]string
}

// Add notes something that is wrong.
func (v *Verdict) Add(code Code, reason string) {
	if v.reasons == nil {
		v.reasons = map[Code][]string{}
	}
	v.reasons[code] = append(v.reasons[code], reason)
	v.Code = Worst(v.Code, code)
}

// Reasons lists what is wrong, the worst first.
func (v *Verdict) Reasons() []string {
	var out []string
	for _, code := range ranking {
		for _, reason := range v.reasons[code] {
			out = append(out, code.String()+": "+reason)
		}
	}
	return out
}

// Worst returns the worst of the codes.
func Worst(codes ...Code) Code {
	for _, worse := range ranking {
		for _, c := range codes {
			if c == worse {
				return c
			}
		}
	}
	return Passed
}
