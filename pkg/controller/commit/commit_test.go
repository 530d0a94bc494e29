package commit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
)

var (
	epoch    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	name     = cache.ObjectName{Namespace: "ns", Name: "obj"}
	resource = schema.GroupResource{Resource: "things"}
)

type status struct{ State string }

type counts map[string]int

func (c counts) StatusWrite(_, result string, n int) { c[result] += n }

type fixture struct {
	*Committer[status]
	counts counts
	clock  *clocktesting.FakeClock
	busy   *throttle.Throttle
	puts   []Body[status]
	reply  error
	// current is the object as the server has it, nil where nobody asks.
	current *metav1.ObjectMeta
}

func newFixture(always bool) *fixture {
	f := &fixture{counts: counts{}, clock: clocktesting.NewFakeClock(epoch)}
	f.busy = throttle.New(throttle.Options{QPS: -1, MaxInFlight: 1, Clock: f.clock})
	f.Committer = New(Config[status]{
		TypeMeta: metav1.TypeMeta{Kind: "Thing"}, Metrics: f.counts, Throttle: f.busy, Clock: f.clock, Always: always,
		Equal: func(a, b *status) bool { return *a == *b },
		Put: func(_ context.Context, body Body[status]) (string, error) {
			f.puts = append(f.puts, body)
			if f.current != nil && body.Metadata.ResourceVersion == f.current.ResourceVersion {
				return "9", nil
			}
			return "7", f.reply
		},
		Current: func(context.Context, cache.ObjectName) (metav1.Object, error) {
			if f.current == nil {
				return nil, f.reply
			}
			return f.current, nil
		},
	})
	return f
}

func change(from, to string) Change[status] {
	return Change[status]{
		Object: &metav1.ObjectMeta{Namespace: "ns", Name: "obj", UID: "uid", ResourceVersion: "5"},
		Old:    status{from}, New: status{to}, Deadline: epoch.Add(time.Minute), Passed: 2,
	}
}

func TestCommit(t *testing.T) {
	tests := map[string]struct {
		always  bool
		from    string
		reply   error
		result  Result
		fails   bool
		counted counts
		puts    int
	}{
		"equal":              {from: "b", result: Skipped, counted: counts{"skipped": 1}},
		"equal, written all": {from: "b", always: true, result: Written, counted: counts{"written": 1, "coalesced": 2}, puts: 1},
		"different":          {from: "a", result: Written, counted: counts{"written": 1, "coalesced": 2}, puts: 1},
		"conflict":           {from: "a", reply: apierrors.NewConflict(resource, "obj", errors.New("changed")), result: Conflict, counted: counts{"conflict": 1}, puts: 1},
		"gone":               {from: "a", reply: apierrors.NewNotFound(resource, "obj"), result: Skipped, counted: counts{}, puts: 1},
		"error":              {from: "a", reply: errors.New("no route"), fails: true, counted: counts{"error": 1}, puts: 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(tc.always)
			f.reply = tc.reply
			result, err := f.Commit(t.Context(), change(tc.from, "b"))
			if (err != nil) != tc.fails {
				t.Fatalf("err = %v", err)
			}
			if result != tc.result || len(f.puts) != tc.puts {
				t.Errorf("result = %d after %d writes, want %d after %d", result, len(f.puts), tc.result, tc.puts)
			}
			for what, n := range tc.counted {
				if f.counts[what] != n {
					t.Errorf("%s = %d, want %d", what, f.counts[what], n)
				}
			}
			if len(f.counts) != len(tc.counted) {
				t.Errorf("counted %v, want %v", f.counts, tc.counted)
			}
		})
	}
}

func TestOptionalWritesWaitForCapacityUntilTheirDeadline(t *testing.T) {
	f := newFixture(false)
	release, err := f.busy.TryAcquire()
	if err != nil {
		t.Fatal(err)
	}
	c := change("a", "b")
	c.Optional = true
	if result, err := f.Commit(t.Context(), c); err != nil || result != Busy || len(f.puts) != 0 {
		t.Fatalf("Commit = %d, %v after %d writes; want Busy", result, err, len(f.puts))
	}
	// From its deadline on it queues up with all others.
	f.clock.Step(time.Minute)
	written := make(chan Result)
	go func() {
		result, err := f.Commit(t.Context(), c)
		if err != nil {
			t.Error(err)
		}
		written <- result
	}()
	eventually.True(t, "waiting in the queue", func() bool {
		_, _, waiting := f.busy.Usage()
		return waiting == 1
	})
	release()
	if result := <-written; result != Written {
		t.Errorf("Commit = %d, want Written", result)
	}
}

func TestCommitRemembersItsOwnWrite(t *testing.T) {
	f := newFixture(false)
	if _, err := f.Commit(t.Context(), change("a", "b")); err != nil {
		t.Fatal(err)
	}
	if !f.Behind(name, "6") {
		t.Error("a cache at 6 is taken as current after a write that made 7")
	}
	if f.Behind(name, "7") || f.Len() != 0 {
		t.Error("the write is still waited for when the cache has it")
	}
}

func TestTracker(t *testing.T) {
	tests := map[string]struct {
		event     string
		own, left bool
	}{
		"an older event":        {"6", false, true},
		"the own write":         {"7", true, false},
		"somebody else's later": {"8", false, false},
		"a version of no order": {"abc", false, false},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			tracker := NewTracker()
			tracker.Wrote(name, "7")
			if got := tracker.Own(name, tc.event); got != tc.own {
				t.Errorf("Own = %t, want %t", got, tc.own)
			}
			if got := tracker.Len() == 1; got != tc.left {
				t.Errorf("still remembered: %t, want %t", got, tc.left)
			}
		})
	}
	tracker := NewTracker()
	tracker.Wrote(name, "7")
	tracker.Forget(name)
	if tracker.Behind(name, "6") {
		t.Error("a forgotten write is waited for")
	}
}

// The body is all that goes over the wire: no spec, no other metadata.
func TestRESTSendsTheStatusAlone(t *testing.T) {
	const want = `{"kind":"Thing","metadata":{"name":"obj","namespace":"ns","uid":"uid","resourceVersion":"5"},"status":{"State":"b"}}`
	var path, got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		path, got = r.Method+" "+r.URL.String(), string(body)
		_, _ = w.Write([]byte(`{"metadata":{"resourceVersion":"42"},"status":{}}`))
	}))
	defer server.Close()
	put := REST[status](restClient(t, server.URL), "things")
	version, err := put(t.Context(), Body[status]{
		TypeMeta: metav1.TypeMeta{Kind: "Thing"},
		Metadata: Metadata{Name: "obj", Namespace: "ns", UID: "uid", ResourceVersion: "5"},
		Status:   status{"b"},
	})
	if err != nil || version != "42" {
		t.Fatalf("put = %q, %v; want 42", version, err)
	}
	if got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
	if want := "PUT /apis/g/v1/namespaces/ns/things/obj/status?fieldValidation=Ignore"; path != want {
		t.Errorf("request = %s, want %s", path, want)
	}
}

func TestRESTCreate(t *testing.T) {
	var path, got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		path, got = r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type"), string(body)
		if strings.Contains(got, "taken") {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"AlreadyExists","code":409,"details":{"causes":[{"reason":"NamespaceTerminating"}]}}`))
			return
		}
		_, _ = w.Write([]byte(`{"metadata":{"resourceVersion":"42"}}`))
	}))
	defer server.Close()
	create := RESTCreate[*metav1.PartialObjectMetadata](restClient(t, server.URL), "things")
	obj := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "Thing"}, ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "obj"}}
	version, err := create(t.Context(), obj)
	if err != nil || version != "42" {
		t.Fatalf("create = %q, %v; want 42", version, err)
	}
	if want := `{"kind":"Thing","metadata":{"name":"obj","namespace":"ns"}}`; got != want {
		t.Errorf("body = %s, want %s", got, want)
	}
	if want := "POST /apis/g/v1/namespaces/ns/things?fieldValidation=Ignore application/json"; path != want {
		t.Errorf("request = %s, want %s", path, want)
	}
	obj.Name = "taken"
	_, err = create(t.Context(), obj)
	if !apierrors.IsAlreadyExists(err) || !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		t.Errorf("of a name that is taken: %v", err)
	}
}

func TestConflictIsTriedAgainFromTheObjectAsItIs(t *testing.T) {
	tests := map[string]struct {
		current metav1.ObjectMeta
		result  Result
		puts    int
	}{
		"others wrote it":     {metav1.ObjectMeta{UID: "uid", ResourceVersion: "8"}, Written, 2},
		"the spec is another": {metav1.ObjectMeta{UID: "uid", ResourceVersion: "8", Generation: 2}, Conflict, 1},
		"another object":      {metav1.ObjectMeta{UID: "other", ResourceVersion: "8"}, Conflict, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(false)
			f.reply = apierrors.NewConflict(resource, "obj", errors.New("changed"))
			f.current = &tc.current
			result, err := f.Commit(t.Context(), change("a", "b"))
			if err != nil || result != tc.result || len(f.puts) != tc.puts {
				t.Errorf("Commit = %d, %v after %d writes; want %d after %d", result, err, len(f.puts), tc.result, tc.puts)
			}
			if f.counts["conflict"] != 1 {
				t.Errorf("counted %v", f.counts)
			}
		})
	}
}

func TestRESTCurrentListsByName(t *testing.T) {
	var got string
	items := `{"metadata":{"name":"obj","uid":"uid","resourceVersion":"8","generation":3}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.String()
		_, _ = w.Write([]byte(`{"items":[` + items + `]}`))
	}))
	defer server.Close()
	current := RESTCurrent(restClient(t, server.URL), "things")
	obj, err := current(t.Context(), name)
	if err != nil || obj.GetResourceVersion() != "8" || obj.GetGeneration() != 3 {
		t.Errorf("current = %+v, %v", obj, err)
	}
	if want := "GET /apis/g/v1/namespaces/ns/things?fieldSelector=metadata.name%3Dobj"; got != want {
		t.Errorf("request = %s, want %s", got, want)
	}
	items = ""
	if _, err := current(t.Context(), name); !apierrors.IsNotFound(err) {
		t.Errorf("of an object that is gone: %v", err)
	}
}

func TestResourceVersion(t *testing.T) {
	tests := map[string]struct {
		object, want string
		fails        bool
	}{
		"an object":               {`{"metadata":{"name":"a","resourceVersion":"42","uid":"u"}}`, "42", false},
		"words that look like it": {`{"metadata":{"annotations":{"a":"{\"resourceVersion\":\"1\"}"},"resourceVersion":"42"}}`, "42", false},
		"none":                    {`{"metadata":{}}`, "", true},
		"cut off":                 {`{"metadata":{"resourceVersion":"4`, "", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := resourceVersion([]byte(tc.object))
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("resourceVersion = %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}
