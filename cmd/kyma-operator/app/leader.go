package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

var errLostLease = errors.New("the lease is held no longer")

// fence keeps writes from leaving once the lease may be another's. client-go
// notices a lost lease in its own time; a process that was paused past its lease
// would have written by then.
type fence struct {
	clock clock.PassiveClock
	// until is when the lease ends if it is not renewed, in nanoseconds since
	// start; 0 while it is not held.
	until atomic.Int64
	start time.Time
}

func newFence(c clock.PassiveClock) *fence { return &fence{clock: c, start: c.Now()} }

func (f *fence) open(until time.Time) { f.until.Store(int64(until.Sub(f.start))) }

func (f *fence) close() { f.until.Store(0) }

func (f *fence) check() error {
	if int64(f.clock.Since(f.start)) >= f.until.Load() {
		return errLostLease
	}
	return nil
}

// transport lets writes through only while the lease is held.
func (f *fence) transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet {
			if err := f.check(); err != nil {
				return nil, err
			}
		}
		return next.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// fencedLock moves the fence with each renewal, counted from the beginning of the
// second in which it was made: others count from when they see one, which is
// later, but client-go compares whole seconds, so that they may see only the
// first of a second.
type fencedLock struct {
	resourcelock.Interface
	fence    *fence
	duration time.Duration
}

func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.move(record, func() error { return l.Interface.Create(ctx, record) })
}

func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.move(record, func() error { return l.Interface.Update(ctx, record) })
}

func (l *fencedLock) move(record resourcelock.LeaderElectionRecord, write func() error) error {
	sent := l.fence.clock.Now()
	if record.HolderIdentity != l.Identity() {
		l.fence.close()
		return write()
	}
	if err := write(); err != nil {
		return err
	}
	l.fence.open(sent.Add(l.duration - time.Duration(record.RenewTime.Nanosecond())))
	return nil
}

// lead runs work while holding the Lease. It releases the Lease only when work
// has ended, so that a successor never meets the last writes of this process.
func lead(ctx context.Context, base *rest.Config, o LeaderElection, f *fence, work func(context.Context)) error {
	lock, err := newLock(base, o, f)
	if err != nil {
		return err
	}
	electing, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	leading, ended := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-leading:
		case <-ctx.Done():
			// A replica that does not lead may stop at once.
			release()
		}
	}()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: o.ID, Lock: lock,
		LeaseDuration: o.LeaseDuration, RenewDeadline: o.RenewDeadline, RetryPeriod: o.RetryPeriod,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(lost context.Context) {
				close(leading)
				defer close(ended)
				working, cancel := context.WithCancel(ctx)
				defer cancel()
				defer context.AfterFunc(lost, cancel)()
				work(working)
				release()
			},
			OnStoppedLeading: f.close,
		},
	})
	if err != nil {
		return fmt.Errorf("create leader elector: %w", err)
	}
	elector.Run(electing)
	select {
	case <-leading:
	default:
		return nil
	}
	if ctx.Err() == nil {
		// The process ends now: what its workers still want to write is behind
		// the fence.
		return errLostLease
	}
	<-ended
	return nil
}

// newLock is the Lease, through a client of its own, so that renewals wait for
// nothing else.
func newLock(base *rest.Config, o LeaderElection, f *fence) (resourcelock.Interface, error) {
	config := rest.CopyConfig(base)
	config.Timeout = o.RenewDeadline / 2
	client, err := coordination.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("create lease client: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this replica: %w", err)
	}
	lease := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: o.Namespace, Name: o.ID},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + rand.String(8)},
	}
	return &fencedLock{Interface: lease, fence: f, duration: o.LeaseDuration}, nil
}
