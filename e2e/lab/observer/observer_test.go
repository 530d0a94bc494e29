package observer

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/apifake"
	"github.com/kyma-incubator/kymactl/e2e/lab/history"
)

const emptyList = `{"metadata":{"resourceVersion":"10"},"items":[]}`

func component(name, state string, rv int) string {
	return fmt.Sprintf(`{"metadata":{"uid":"uid-%s","namespace":"ns","name":%q,"resourceVersion":"%d","generation":1,"creationTimestamp":"2026-01-01T00:00:00Z",
"ownerReferences":[{"uid":"owner","name":"ky","controller":true}],"managedFields":[{"manager":"x"}]},"spec":{"componentName":"istio"},"status":{"status":%q}}`, name, name, rv, state)
}

func event(kind, object string) string {
	return fmt.Sprintf(`{"type":%q,"object":%s}`+"\n", kind, object)
}

// server plays lists and watches of components: each watch gets the next script,
// the last one stays open. Kymas are empty.
type server struct {
	mu      sync.Mutex
	lists   []string
	watches []string
	from    []string
	done    chan struct{}
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	watch := r.URL.Query().Get("watch") == "true"
	if strings.HasSuffix(r.URL.Path, "/kymas") {
		if watch {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = w.Write([]byte(emptyList))
		return
	}
	s.mu.Lock()
	if !watch {
		list := s.lists[0]
		if len(s.lists) > 1 {
			s.lists = s.lists[1:]
		}
		s.mu.Unlock()
		_, _ = w.Write([]byte(list))
		return
	}
	s.from = append(s.from, r.URL.Query().Get("resourceVersion"))
	var script string
	if len(s.watches) > 0 {
		script, s.watches = s.watches[0], s.watches[1:]
	}
	last := len(s.watches) == 0
	s.mu.Unlock()
	if script == "gone" {
		apifake.Status(w, http.StatusGone, "Expired")
		return
	}
	_, _ = w.Write([]byte(script))
	w.(http.Flusher).Flush()
	if last {
		select {
		case <-s.done:
		default:
			close(s.done)
		}
		<-r.Context().Done()
	}
}

// observe runs an observer until the server has played its last watch and the
// condition holds.
func observe(t *testing.T, s *server, lag *Lag, until func(*history.History) bool) *history.History {
	t.Helper()
	s.done = make(chan struct{})
	recorder := history.NewRecorder("ns")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	o := New(apifake.Client(t, s.handle), clock.RealClock{}, recorder, lag)
	if err := o.Start(ctx, []string{"ns"}, []string{"ns"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		t.Fatal("the watches were not opened")
	}
	err := wait.PollUntilContextCancel(ctx, 5*time.Millisecond, true, func(context.Context) (bool, error) { return until(recorder.Snapshot()), nil })
	if err != nil {
		t.Fatalf("not observed: %+v", recorder.Snapshot())
	}
	cancel()
	o.Wait()
	return recorder.Snapshot()
}

func TestAResumedWatchLosesNothing(t *testing.T) {
	s := &server{lists: []string{emptyList}, watches: []string{
		event("ADDED", component("a", "pending", 11)) + event("BOOKMARK", `{"metadata":{"resourceVersion":"15"}}`),
		event("MODIFIED", component("a", "started", 16)) + event("DELETED", component("a", "started", 17)),
	}}
	h := observe(t, s, nil, func(h *history.History) bool { return h.Components["uid-a"] != nil && h.Components["uid-a"].Deleted() })
	c := h.Components["uid-a"]
	if len(c.Versions) != 2 || c.OwnerUID != "owner" || c.Module != "istio" || c.Created.Year() != 2026 || c.DeletedRV != 17 {
		t.Errorf("component: %+v", c)
	}
	if strings.Join(s.from, " ") != "10 15" {
		t.Errorf("watched from %v; a bookmark moves the start", s.from)
	}
	if len(h.Gaps) != 1 || h.Gaps[0].Lost || h.LostEvents(components) {
		t.Errorf("gaps: %+v", h.Gaps)
	}
}

func TestAnExpiredWatchIsAGap(t *testing.T) {
	expired := event("ERROR", `{"kind":"Status","code":410,"reason":"Expired"}`)
	for name, broken := range map[string]string{"within the watch": expired, "at its beginning": "gone"} {
		t.Run(name, func(t *testing.T) {
			s := &server{
				lists:   []string{`{"metadata":{"resourceVersion":"10"},"items":[` + component("a", "pending", 9) + `]}`, `{"metadata":{"resourceVersion":"30"},"items":[` + component("b", "success", 29) + `]}`},
				watches: []string{broken, event("MODIFIED", component("b", "success", 31))},
			}
			h := observe(t, s, nil, func(h *history.History) bool {
				return h.Components["uid-b"] != nil && len(h.Components["uid-b"].Versions) == 2
			})
			if !h.LostEvents(components) || !h.Components["uid-a"].Deleted() {
				t.Errorf("gaps %+v, component a %+v; what the new list lacks is gone", h.Gaps, h.Components["uid-a"])
			}
		})
	}
}

func TestTheProbeIsNotPartOfTheFleet(t *testing.T) {
	lag := NewLag()
	lag.Acked(12, time.Now())
	s := &server{lists: []string{emptyList}, watches: []string{event("ADDED", component(ProbeName, "pending", 12)) + event("ADDED", component("a", "pending", 13))}}
	h := observe(t, s, lag, func(h *history.History) bool { return h.Components["uid-a"] != nil })
	if len(h.Components) != 1 || lag.Summary(time.Now()).Count != 1 {
		t.Errorf("%d components, lag %+v", len(h.Components), lag.Summary(time.Now()))
	}
}

func TestLag(t *testing.T) {
	t0 := time.Unix(1000, 0)
	l := NewLag()
	l.Acked(1, t0)
	l.Seen(1, t0.Add(100*time.Millisecond))
	l.Seen(2, t0) // before the answer: no lag
	l.Acked(2, t0.Add(time.Second))
	l.Acked(3, t0) // never seen: counts with its age
	s := l.Summary(t0.Add(5 * time.Second))
	if s.Count != 3 || s.Min != 0 || s.Max != 5 || s.P50 < 0.099 || s.P50 > 0.101 {
		t.Errorf("lag: %+v", s)
	}
}
