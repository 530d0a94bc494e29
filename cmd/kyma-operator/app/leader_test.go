package app

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
)

// fakeLock answers renewals after a while, as a paused process sees it.
type fakeLock struct {
	resourcelock.Interface
	answer func() error
}

func (l fakeLock) Identity() string { return "me" }

func (l fakeLock) Update(context.Context, resourcelock.LeaderElectionRecord) error { return l.answer() }

func (l fakeLock) Create(context.Context, resourcelock.LeaderElectionRecord) error { return l.answer() }

func TestFence(t *testing.T) {
	const lease = 10 * time.Second
	mine := resourcelock.LeaderElectionRecord{HolderIdentity: "me"}
	none := resourcelock.LeaderElectionRecord{}
	tests := map[string]struct {
		do   func(*testing.T, *fencedLock, *clocktesting.FakePassiveClock)
		open bool
	}{
		"never held": {func(*testing.T, *fencedLock, *clocktesting.FakePassiveClock) {}, false},
		"held":       {func(t *testing.T, l *fencedLock, _ *clocktesting.FakePassiveClock) { move(t, l, mine) }, true},
		"just before its end": {func(t *testing.T, l *fencedLock, c *clocktesting.FakePassiveClock) {
			move(t, l, mine)
			c.SetTime(c.Now().Add(lease - 1))
		}, true},
		"past its end": {func(t *testing.T, l *fencedLock, c *clocktesting.FakePassiveClock) {
			move(t, l, mine)
			c.SetTime(c.Now().Add(lease))
		}, false},
		"others may have seen only an earlier renewal of that second": {func(t *testing.T, l *fencedLock, c *clocktesting.FakePassiveClock) {
			late := mine
			late.RenewTime = metav1.Time{Time: c.Now().Add(600 * time.Millisecond)}
			move(t, l, late)
			c.SetTime(c.Now().Add(lease - 600*time.Millisecond))
		}, false},
		"the renewal's answer came after a pause": {func(t *testing.T, l *fencedLock, c *clocktesting.FakePassiveClock) {
			l.Interface = fakeLock{answer: func() error {
				c.SetTime(c.Now().Add(lease))
				return nil
			}}
			move(t, l, mine)
		}, false},
		"a renewal that failed does not count": {func(t *testing.T, l *fencedLock, c *clocktesting.FakePassiveClock) {
			move(t, l, mine)
			c.SetTime(c.Now().Add(lease / 2))
			l.Interface = fakeLock{answer: func() error { return errors.New("no route") }}
			if err := l.Update(t.Context(), mine); err == nil {
				t.Error("the error is lost")
			}
			c.SetTime(c.Now().Add(lease / 2))
		}, false},
		"released": {func(t *testing.T, l *fencedLock, _ *clocktesting.FakePassiveClock) {
			move(t, l, mine)
			move(t, l, none)
		}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			f := newFence(c)
			tc.do(t, &fencedLock{Interface: fakeLock{answer: func() error { return nil }}, fence: f, duration: lease}, c)
			for method, through := range map[string]bool{http.MethodPut: tc.open, http.MethodPost: tc.open, http.MethodGet: true} {
				if got := passes(t, f, method); got != through {
					t.Errorf("%s passes: %t, want %t", method, got, through)
				}
			}
		})
	}
}

func move(t *testing.T, l *fencedLock, record resourcelock.LeaderElectionRecord) {
	t.Helper()
	if err := l.Create(t.Context(), record); err != nil {
		t.Fatal(err)
	}
}

func passes(t *testing.T, f *fence, method string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := f.transport(roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{Body: http.NoBody}, nil
	})).RoundTrip(req)
	if err != nil {
		if !errors.Is(err, errLostLease) {
			t.Fatal(err)
		}
		return false
	}
	return resp.Body.Close() == nil
}
