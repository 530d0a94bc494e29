package stream

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

func listOf(items ...string) string {
	return string(listStart) + strings.Join(items, ",") + `],"kind":"HelmComponentList","metadata":{"continue":"c","remainingItemCount":3,"resourceVersion":"9"}}` + "\n"
}

// readList returns what ReadList does as a list, without managed fields.
func readList(r io.Reader) (*v1alpha1.HelmComponentList, error) {
	list := &v1alpha1.HelmComponentList{}
	var err error
	list.ListMeta, err = ReadList(r, func(hc *v1alpha1.HelmComponent) error {
		hc.ManagedFields = nil
		list.Items = append(list.Items, *hc)
		return nil
	})
	return list, err
}

// decodeList is client-go's way.
func decodeList(t testing.TB, data string) (*v1alpha1.HelmComponentList, error) {
	t.Helper()
	negotiator := runtime.NewClientNegotiator(standard, schema.GroupVersion(v1alpha1.GroupVersion))
	decoder, err := negotiator.Decoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := &v1alpha1.HelmComponentList{}
	out, _, err := decoder.Decode([]byte(data), nil, list)
	if err == nil && out != list {
		return nil, errors.New("an object of another kind")
	}
	list.TypeMeta = metav1.TypeMeta{}
	for i := range list.Items {
		list.Items[i].ManagedFields = nil
	}
	return list, err
}

func TestListsSameAsClientGo(t *testing.T) {
	bare := strings.Replace(component, managed, "", 1)
	long := strings.Replace(component, `"message":"`, `"message":"`+strings.Repeat(`{\"`, listBuffer), 1)
	tests := map[string]struct {
		data  string
		items int
	}{
		"nothing":              {listOf(), 0},
		"several":              {listOf(component, bare, component), 3},
		"longer than a buffer": {listOf(component, long, component), 3},
		"pretty":               {strings.Replace(listOf(component), `"items"`, "\n  \"items\"", 1), 1},
		"kind comes first":     {`{"kind":"HelmComponentList","apiVersion":"inventory.kyma-project.io/v1alpha1","metadata":{"resourceVersion":"8"},"items":[` + component + `]}`, 1},
		"spaces":               {listOf(" "+component+" ", "\n"+component), 2},
		"nothing after items":  {string(listStart) + component + "] }", 1},
		"no items":             {`{"kind":"HelmComponentList","apiVersion":"inventory.kyma-project.io/v1alpha1","metadata":{}}`, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want, err := decodeList(t, tt.data)
			if err != nil || len(want.Items) != tt.items {
				t.Fatalf("client-go reads %+v, error %v", want, err)
			}
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(tt.data), "in halves": iotest.HalfReader(strings.NewReader(tt.data)), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.data))} {
				if got, err := readList(r); err != nil || !equality.Semantic.DeepEqual(got, want) {
					t.Errorf("%s: got %+v, error %v, want %+v", how, got, err, want)
				}
			}
		})
	}
}

// An unfinished list must never be taken for a short one: the operator would
// take what is missing as deleted.
func TestAListCutOffAnywhereIsAnError(t *testing.T) {
	data := strings.TrimSpace(listOf(component, component))
	for end := range len(data) {
		if got, err := readList(strings.NewReader(data[:end])); err == nil {
			t.Fatalf("read %d objects from the first %d of %d bytes", len(got.Items), end, len(data))
		}
	}
	lost := errors.New("connection lost")
	if _, err := readList(io.MultiReader(strings.NewReader(data[:len(data)/2]), iotest.ErrReader(lost))); !errors.Is(err, lost) {
		t.Errorf("error %v, want %v", err, lost)
	}
}

func TestBrokenListsAreErrors(t *testing.T) {
	for name, data := range map[string]string{
		"a wrong type":      listOf(strings.Replace(component, `"generation":1`, `"generation":"one"`, 1)),
		"no end of fields":  listOf(strings.Replace(component, "}}}],", "}}}", 1)),
		"not an object":     listOf(component, `"component"`),
		"no JSON after it":  strings.Replace(listOf(component), `"kind":`, `"kind"`, 1),
		"nothing at all":    "",
		"a status":          gone,
		"more than a list":  listOf(component) + listOf(component),
		"null for metadata": strings.Replace(listOf(component), `{"continue"`, `["continue"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := readList(strings.NewReader(data)); err == nil {
				t.Errorf("read %+v", got)
			}
		})
	}
}

func TestWhatKeepRefusesEndsTheList(t *testing.T) {
	refused := errors.New("refused")
	_, err := ReadList(strings.NewReader(listOf(component)), func(*v1alpha1.HelmComponent) error { return refused })
	if !errors.Is(err, refused) {
		t.Errorf("error %v, want %v", err, refused)
	}
}

// FuzzListsSameAsClientGo: whatever list client-go's decoder can read, this one
// reads alike.
func FuzzListsSameAsClientGo(f *testing.F) {
	for _, seed := range []string{listOf(), listOf(component), listOf(kymaObj, component), "{}", gone} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		want, err := decodeList(t, data)
		if err != nil {
			return
		}
		got, err := readList(strings.NewReader(data))
		if err != nil || !equality.Semantic.DeepEqual(got, want) {
			t.Errorf("got %+v, error %v, want %+v", got, err, want)
		}
	})
}

func BenchmarkReadList(b *testing.B) {
	data := listOf(strings.Split(strings.Repeat(component+"\n", 100), "\n")[:100]...)
	b.Run("client-go", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeList(b, data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(100*b.N), "us/object")
	})
	b.Run("stream", func(b *testing.B) {
		for b.Loop() {
			if _, err := readList(strings.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(100*b.N), "us/object")
	})
}
