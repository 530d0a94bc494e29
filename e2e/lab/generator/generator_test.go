package generator

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/apifake"
	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/schedule"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

var modules = []v1alpha1.KymaComponent{{Name: "istio"}}

// answers plays a script of answers by name of the object; the last one repeats.
type answers struct {
	mu    sync.Mutex
	seen  []string
	codes []int
}

func (a *answers) handle(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	n := len(a.seen)
	a.seen = append(a.seen, r.Method+" "+r.URL.Path+" "+string(body))
	code := http.StatusCreated
	if n < len(a.codes) {
		code = a.codes[n]
	}
	a.mu.Unlock()
	switch code {
	case http.StatusConflict:
		apifake.Status(w, code, "AlreadyExists")
	case http.StatusCreated, http.StatusOK:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"metadata":{"uid":"uid-1","resourceVersion":"%d"}}`, 100+n)
	default:
		apifake.Status(w, code, "InternalError")
	}
}

func newGenerator(t *testing.T, codes ...int) (*Generator, *answers, *history.Recorder) {
	t.Helper()
	a := &answers{codes: codes}
	recorder := history.NewRecorder("ns")
	return New(apifake.Client(t, a.handle), clock.RealClock{}, recorder, modules), a, recorder
}

func TestABurstIsSentOnce(t *testing.T) {
	g, a, recorder := newGenerator(t)
	if err := g.Run(t.Context(), schedule.Burst(0, 20, schedule.Namer("ns", "", "ky", 1)), 4); err != nil {
		t.Fatal(err)
	}
	if g.Acked() != 20 || g.Failed() != 0 || g.Writes() != 20 || len(a.seen) != 20 {
		t.Errorf("%d acknowledged, %d failed, %d requests", g.Acked(), g.Failed(), len(a.seen))
	}
	if !strings.Contains(a.seen[0], `"components":[{"name":"istio"}]`) || !strings.Contains(a.seen[0], "/namespaces/ns/kymas ") {
		t.Errorf("request: %s", a.seen[0])
	}
	if acts := recorder.Snapshot().Acts; len(acts) != 20 || acts[0].UID != "uid-1" || acts[0].Sent.Before(acts[0].Scheduled) {
		t.Errorf("acts: %+v", acts)
	}
	if first, last, delay := g.Sends(); last.Before(first) || delay.Count != 20 {
		t.Errorf("sends from %s to %s, %+v", first, last, delay)
	}
}

// A send does not wait for the answer to the one before.
func TestARateIsOpenLoop(t *testing.T) {
	release := make(chan struct{})
	var arrived sync.WaitGroup
	arrived.Add(3)
	client := apifake.Client(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		<-release
		_, _ = w.Write([]byte(`{"metadata":{"uid":"u","resourceVersion":"1"}}`))
	})
	g := New(client, clock.RealClock{}, history.NewRecorder("ns"), modules)
	go func() {
		arrived.Wait() // all three are there before any was answered
		close(release)
	}()
	if err := g.Run(t.Context(), schedule.Rate(3, 1000, schedule.Namer("ns", "", "ky", 1)), 10); err != nil {
		t.Fatal(err)
	}
	if g.Acked() != 3 {
		t.Errorf("%d acknowledged", g.Acked())
	}
}

func TestRetries(t *testing.T) {
	tests := map[string]struct {
		codes          []int
		acked, refused int
		last           string
	}{
		"an error is tried again":        {[]int{500}, 1, 0, "POST"},
		"a lost answer is found again":   {[]int{500, 409}, 1, 0, "GET"},
		"what is there already is wrong": {[]int{409}, 0, 1, "POST"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g, a, recorder := newGenerator(t, tt.codes...)
			g.Create(t.Context(), history.Ref{Namespace: "ns", Name: "a"}, time.Now())
			if g.Acked() != tt.acked || g.Failed() != tt.refused || !strings.HasPrefix(a.seen[len(a.seen)-1], tt.last) {
				t.Errorf("%d acknowledged, %d refused, requests %v", g.Acked(), g.Failed(), a.seen)
			}
			if act := recorder.Snapshot().Acts[0]; (act.Error == "") != (tt.acked == 1) {
				t.Errorf("act: %+v", act)
			}
		})
	}
}

func TestChangesAreActs(t *testing.T) {
	g, a, recorder := newGenerator(t)
	ref := history.Ref{Namespace: "ns", Name: "a"}
	g.Create(t.Context(), ref, time.Now())
	if err := g.SetModules(t.Context(), ref, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if last := a.seen[2]; !strings.HasPrefix(last, "DELETE") || !strings.Contains(last, `"preconditions":{"uid":"uid-1"}`) {
		t.Errorf("deleted by %s", last)
	}
	var kinds []string
	for _, act := range recorder.Snapshot().Acts {
		kinds = append(kinds, string(act.Kind))
	}
	if got := strings.Join(kinds, " "); got != "create-kyma update-kyma delete-kyma" {
		t.Errorf("acts: %s", got)
	}
}

func TestPoison(t *testing.T) {
	g, _, recorder := newGenerator(t, http.StatusUnprocessableEntity)
	if !g.Refused(t.Context(), history.Ref{Namespace: "ns", Name: "large"}, TwoMegabytes()) || len(recorder.Snapshot().Acts) != 0 {
		t.Error("a refused Kyma is not an act")
	}
	body, err := encode(history.Ref{}, TwoMegabytes())
	if err != nil || len(body) < 2<<20 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if BadChart()[0].ChartLocation == "" {
		t.Error("the bad chart is a built-in one")
	}
}

func TestDeleteAllDeletesItsOwn(t *testing.T) {
	g, a, _ := newGenerator(t)
	for _, name := range []string{"a", "b"} {
		g.Create(t.Context(), history.Ref{Namespace: "ns", Name: name}, time.Now())
	}
	if err := g.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	deleted := 0
	for _, request := range a.seen {
		if strings.HasPrefix(request, "DELETE") {
			deleted++
		}
	}
	if deleted != 2 {
		t.Errorf("%d deleted: %v", deleted, a.seen)
	}
}
