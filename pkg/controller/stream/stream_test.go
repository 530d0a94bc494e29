package stream

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	restwatch "k8s.io/client-go/rest/watch"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/scheme"
)

var standard = scheme.Codecs.WithoutConversion()

func serializers() runtime.NegotiatedSerializer { return Serializer(standard, kinds()...) }

type event struct {
	kind watch.EventType
	obj  runtime.Object
}

// read decodes a whole stream as client-go does, and returns what ended it.
func read(t testing.TB, s runtime.NegotiatedSerializer, r io.Reader) ([]event, error) {
	t.Helper()
	negotiator := runtime.NewClientNegotiator(s, schema.GroupVersion(v1alpha1.GroupVersion))
	objects, events, framer, err := negotiator.StreamDecoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		t.Fatal(err)
	}
	decoder := restwatch.NewDecoder(streaming.NewDecoder(framer.NewFrameReader(io.NopCloser(r)), events), objects)
	defer decoder.Close()
	var out []event
	for {
		kind, obj, err := decoder.Decode()
		if err != nil {
			return out, err
		}
		out = append(out, event{kind, obj})
	}
}

const (
	managed   = `"managedFields":[{"manager":"a]}","operation":"Update","apiVersion":"inventory.kyma-project.io/v1alpha1","time":"2026-11-22T10:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:a\"]":[]}}}],`
	component = `{"apiVersion":"inventory.kyma-project.io/v1alpha1","kind":"HelmComponent","metadata":{"creationTimestamp":"2026-11-22T10:00:00Z","generation":1,"labels":{"a":"\"managedFields\":[ \\\" ä"},` + managed + `"name":"pb-istio","namespace":"ns","ownerReferences":[{"apiVersion":"inventory.kyma-project.io/v1alpha1","blockOwnerDeletion":true,"controller":true,"kind":"Kyma","name":"pb","uid":"u"}],"resourceVersion":"7","uid":"v"},"spec":{"componentName":"istio","namespace":"istio-system"},"status":{"status":"pending","message":"<a> & b\n"}}`
	kymaObj   = `{"apiVersion":"inventory.kyma-project.io/v1alpha1","kind":"Kyma","metadata":{"name":"pb","namespace":"ns","resourceVersion":"6"},"spec":{"components":[{"name":"istio"}]},"status":{"status":"reconciling"}}`
	bookmark  = `{"apiVersion":"inventory.kyma-project.io/v1alpha1","kind":"HelmComponent","metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"resourceVersion":"9"},"spec":{"componentName":""}}`
	gone      = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410}`
)

func line(kind, object string) string { return `{"type":"` + kind + `","object":` + object + "}\n" }

// Each stream is read by client-go's decoder and by this one, whole and in
// pieces: the same objects must come out and the same end.
func TestSameAsClientGo(t *testing.T) {
	pretty := "{\n  \"type\": \"ADDED\",\n  \"object\": " + component + "\n}\n"
	long := strings.Replace(component, `"message":"`, `"message":"`+strings.Repeat("x", 3*bufferSize), 1)
	tests := map[string]struct {
		stream string
		events int
		end    error
	}{
		"events":                {line("ADDED", component) + line("MODIFIED", kymaObj) + line("DELETED", component) + line("BOOKMARK", bookmark), 4, io.EOF},
		"an error":              {line("ADDED", component) + line("ERROR", gone), 2, io.EOF},
		"longer than a buffer":  {line("ADDED", long) + line("ADDED", component), 2, io.EOF},
		"nothing":               {"", 0, io.EOF},
		"empty lines":           {"\n" + line("ADDED", component) + "\n\n", 1, io.EOF},
		"no last line break":    {strings.TrimSpace(line("ADDED", component)), 1, io.EOF},
		"pretty":                {line("ADDED", kymaObj) + pretty + line("DELETED", component), 3, io.EOF},
		"another order of keys": {`{"object":` + component + `,"type":"ADDED"}` + "\n" + line("DELETED", component), 2, io.EOF},
		"kind comes last":       {line("ADDED", `{"metadata":{"name":"a"},"kind":"Kyma","apiVersion":"inventory.kyma-project.io/v1alpha1"}`), 1, io.EOF},
		"cut off":               {line("ADDED", component) + line("ADDED", component)[:300], 1, io.ErrUnexpectedEOF},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want, end := read(t, standard, strings.NewReader(tt.stream))
			if len(want) != tt.events || !errors.Is(end, tt.end) {
				t.Fatalf("client-go reads %d events, and then %v", len(want), end)
			}
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(tt.stream), "in halves": iotest.HalfReader(strings.NewReader(tt.stream)), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.stream))} {
				got, end := read(t, serializers(), r)
				if !errors.Is(end, tt.end) {
					t.Errorf("%s: ended with %v, want %v", how, end, tt.end)
				}
				compare(t, got, want)
			}
		})
	}
}

func compare(t *testing.T, got, want []event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].kind != want[i].kind || !equality.Semantic.DeepEqual(stripped(got[i].obj), stripped(want[i].obj)) {
			t.Errorf("event %d is %s %+v, want %s %+v", i, got[i].kind, got[i].obj, want[i].kind, want[i].obj)
		}
	}
}

// stripped is an object without its managed fields.
func stripped(obj runtime.Object) runtime.Object {
	obj = obj.DeepCopyObject()
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return obj
}

// Managed fields stay empty, but a cache can still tell that they were there.
func TestManagedFieldsAreEmptied(t *testing.T) {
	got, _ := read(t, serializers(), strings.NewReader(line("ADDED", component)))
	hc := got[0].obj.(*v1alpha1.HelmComponent)
	if hc.ManagedFields == nil || len(hc.ManagedFields) != 0 {
		t.Errorf("managed fields: %+v", hc.ManagedFields)
	}
	if hc.Labels["a"] != "\"managedFields\":[ \\\" ä" {
		t.Errorf("labels: %q", hc.Labels)
	}
}

func TestBrokenObjectsAreErrors(t *testing.T) {
	for name, stream := range map[string]string{
		"not JSON":        line("ADDED", strings.Replace(component, `"spec":`, `"spec"`, 1)),
		"a wrong type":    line("ADDED", strings.Replace(component, `"generation":1`, `"generation":"one"`, 1)),
		"unknown type":    line("CHANGED", component),
		"no such kind":    line("ADDED", strings.Replace(component, "HelmComponent", "Other", 1)),
		"words":           "no JSON at all\n",
		"no end of list":  line("ADDED", strings.Replace(component, "}}}],", "}}}", 1)),
		"two in one line": strings.TrimSpace(line("ADDED", component)) + line("ADDED", component),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := read(t, serializers(), strings.NewReader(stream)); errors.Is(err, io.EOF) || len(got) > 0 {
				t.Errorf("read %d events, and then %v", len(got), err)
			}
		})
	}
}

// The clientset watches through it as ever.
func TestWatchThroughAClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, line("ADDED", component)+line("ERROR", gone))
	}))
	defer server.Close()
	client, err := NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	w, err := client.InventoryV1alpha1().HelmComponents("ns").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if e := <-w.ResultChan(); e.Object.(*v1alpha1.HelmComponent).Name != "pb-istio" {
		t.Errorf("first event: %+v", e)
	}
	if e := <-w.ResultChan(); !apierrors.IsResourceExpired(apierrors.FromObject(e.Object)) {
		t.Errorf("second event: %+v", e)
	}
}

// FuzzSameAsClientGo: whatever client-go's decoder can read, this one reads
// alike.
func FuzzSameAsClientGo(f *testing.F) {
	for _, seed := range []string{line("ADDED", component), line("MODIFIED", kymaObj), line("BOOKMARK", bookmark), line("ERROR", gone), "{\n\"type\":\"ADDED\"}", "\n\n{}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		want, end := read(t, standard, strings.NewReader(stream))
		if !errors.Is(end, io.EOF) {
			return
		}
		got, err := read(t, serializers(), strings.NewReader(stream))
		if err != nil && !errors.Is(err, io.EOF) && len(got) <= len(want) {
			// Several events in one line are refused, which only costs a new watch.
			return
		}
		compare(t, got, want)
	})
}

func BenchmarkRead(b *testing.B) {
	for name, s := range map[string]runtime.NegotiatedSerializer{"client-go": standard, "stream": serializers()} {
		b.Run(name, func(b *testing.B) {
			const n = 1000
			stream := strings.Repeat(line("ADDED", component), n)
			for b.Loop() {
				if got, err := read(b, s, strings.NewReader(stream)); len(got) != n {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
		})
	}
}
