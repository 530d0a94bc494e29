package throttle

import (
	"net/http"
	"time"
)

const (
	// slowAnswer is when an answer counts as a sign of overload: the Kubernetes
	// SLO for mutating calls is one second.
	slowAnswer = time.Second
	// cutPause is how long the limit stays after a cut, so that the answers to
	// writes of before the cut do not cut again.
	cutPause = time.Second
)

// limit is how many writes may be in flight: additive increase, multiplicative
// decrease, as in TCP's congestion control (RFC 5681). Each good answer adds
// 1/limit, so a whole round of them adds one; a refusal or a slow answer halves
// the limit, at most once in cutPause; it stays between 1 and max.
type limit struct {
	max     float64
	current float64
	lastCut time.Time
	// latency is the smoothed time to an answer, with the gain of TCP's round-trip
	// time (RFC 6298), 1/8.
	latency time.Duration
}

func newLimit(most int) limit {
	return limit{max: float64(most), current: float64(most)}
}

func (l *limit) slots() int { return int(l.current) }

func (l *limit) observe(now time.Time, code int, took time.Duration) {
	l.latency += (took - l.latency) / 8
	if code != http.StatusTooManyRequests && took < slowAnswer {
		l.current = min(l.current+1/l.current, l.max)
		return
	}
	if now.Sub(l.lastCut) >= cutPause {
		l.current = max(l.current/2, 1)
		l.lastCut = now
	}
}
