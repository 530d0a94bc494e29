package measure

import (
	"time"

	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/deadline"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Backlog is what a server of limited capacity makes of a load even if the
// operator does everything right: each a p99 over all writes, of the lateness of
// states, and of how long anything waits that could be written.
type Backlog struct{ Lateness, Wait time.Duration }

// Unavoidable plays a load through one server that takes capacity writes a
// second and never rests while there is work. What ends the fleet comes first,
// by deadline: creations, longest timeline first, and final states; with
// coalescing, states in between come only when nothing else waits, and those
// that are no longer the latest due one are passed over. sends are the moments
// at which the Kymas are sent.
func Unavoidable(sends []time.Duration, modules []v1alpha1.KymaComponent, timeline lifecycle.Timeline, coalescing bool, capacity float64) Backlog {
	s := &server{
		service: time.Duration(float64(time.Second) / capacity), timeline: timeline, coalescing: coalescing,
		late: stats.NewDurations(), wait: stats.NewDurations(),
	}
	for _, sent := range sends {
		for _, module := range modules {
			s.plan(&write{module: module.Name, ready: sent, due: sent - timeline.Duration(module.Name)})
		}
	}
	s.run()
	return Backlog{s.late.Quantile(0.99), s.wait.Quantile(0.99)}
}

// write is one write of a component: its creation, of rank 0, or a state.
type write struct {
	module string
	rank   int
	// origin is when the component was created.
	origin     time.Duration
	ready, due time.Duration
}

type server struct {
	service    time.Duration
	timeline   lifecycle.Timeline
	coalescing bool
	now        time.Duration
	late, wait *stats.Durations

	future, urgent, optional deadline.Heap[*write]
}

// moment makes a moment of the simulation one that a heap can order.
func moment(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }

func (s *server) plan(w *write) { s.future.Push(w, moment(w.ready)) }

func (s *server) run() {
	for {
		s.arrive()
		switch {
		case s.urgent.Len() > 0:
			s.serve(s.urgent.Pop().Value)
		case s.optional.Len() > 0:
			s.serve(s.optional.Pop().Value)
		case s.future.Len() > 0:
			next := s.future.Pop().Value
			s.now = next.ready
			s.plan(next)
		default:
			return
		}
	}
}

// arrive moves what is ready by now to where it waits.
func (s *server) arrive() {
	for s.future.Len() > 0 {
		w := s.future.Pop().Value
		switch {
		case w.ready > s.now:
			s.plan(w)
			return
		case s.coalescing && w.rank > 0 && w.rank < last:
			s.optional.Push(w, moment(w.due))
		default:
			s.urgent.Push(w, moment(w.due))
		}
	}
}

// last is the rank of success.
var last = len(lifecycle.States()) - 1

func (s *server) serve(w *write) {
	if s.passedOver(w) {
		return
	}
	s.wait.Record(s.now - w.ready)
	s.now += s.service
	switch {
	case w.rank > 0:
		s.late.Record(s.now - w.due)
		if s.coalescing || w.rank == last {
			return
		}
		s.plan(s.state(w, w.rank+1))
	case s.coalescing:
		w.origin = s.now
		for rank := 1; rank <= last; rank++ {
			s.plan(s.state(w, rank))
		}
	default:
		w.origin = s.now
		s.plan(s.state(w, 1))
	}
}

// state is the write of a component's state, which can be made when it is due
// and the one before it is written.
func (s *server) state(w *write, rank int) *write {
	due := w.origin + s.offset(w.module, rank)
	return &write{module: w.module, rank: rank, origin: w.origin, ready: max(due, s.now), due: due}
}

func (s *server) offset(module string, rank int) time.Duration {
	return s.timeline.Offset(module, lifecycle.States()[rank])
}

func (s *server) passedOver(w *write) bool {
	return s.coalescing && w.rank > 0 && w.rank < last && s.now >= w.origin+s.offset(w.module, w.rank+1)
}
