package names

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestChild(t *testing.T) {
	tests := map[string]struct{ kyma, module, want string }{
		"plain":                 {"pb", "istio", "pb-istio"},
		"dash in the module":    {"a", "b-c", "a-b-c"},
		"dash in the kyma":      {"a-b", "c", "a-b.c"},
		"dot in the kyma":       {"a.b", "c", "a.b-c"},
		"dot and dash":          {"a-b.c", "d-e", "a-b.c.d-e"},
		"one below the longest": {strings.Repeat("k", 246), "istio", strings.Repeat("k", 246) + "-istio"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Child(tc.kyma, tc.module); got != tc.want {
				t.Errorf("Child(%q, %q) = %q, want %q", tc.kyma, tc.module, got, tc.want)
			}
		})
	}
}

// Every pair of a Kyma and a module made of few characters, so that all ways to
// split a string occur.
func TestChildNamesNeverCollide(t *testing.T) {
	words := []string{"a", "b", "a-b", "b-a", "a-a", "a-b-a", "a-b-a-b", "b-a-b"}
	kymas := append([]string{"a.b", "a.a-b", "a-b.a", "a.b-a.b", "a-a.b-b"}, words...)
	for n := 180; n <= 253; n++ {
		kymas = append(kymas, strings.Repeat("a", n), strings.Repeat("a", n-2)+"-a")
	}
	pairs := map[string][2]string{}
	for _, kyma := range kymas {
		for _, module := range append(words, strings.Repeat("a", 63), strings.Repeat("a", 61)+"-b") {
			child := Child(kyma, module)
			if other, taken := pairs[child]; taken {
				t.Errorf("%q and %q share %q", other, [2]string{kyma, module}, child)
			}
			pairs[child] = [2]string{kyma, module}
			if errs := validation.IsDNS1123Subdomain(child); len(errs) > 0 {
				t.Errorf("Child(%q, %q) = %q: %v", kyma, module, child, errs)
			}
		}
	}
}

// A name that was shortened equals no name that was not, even one made to.
func TestShortenedNamesCannotBeForged(t *testing.T) {
	long := Child(strings.Repeat("k", 253), "istio")
	if len(long) != maxName {
		t.Fatalf("a shortened name has %d characters, want %d", len(long), maxName)
	}
	cut := strings.LastIndex(long, "-")
	if got := Child(long[:cut], long[cut+1:]); got == long {
		t.Errorf("the pair %q and %q forges %q", long[:cut], long[cut+1:], long)
	}
}

func TestLabels(t *testing.T) {
	for _, kyma := range []string{"a", strings.Repeat("k", 62), strings.Repeat("k", 63), strings.Repeat("k", 252) + "a", strings.Repeat("k-", 126) + "a", strings.Repeat("a.", 126) + "a"} {
		for key, value := range Labels(kyma, "istio") {
			if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
				t.Errorf("label %s of Kyma %q: %v", key, kyma, errs)
			}
		}
	}
	if KymaLabel(strings.Repeat("k", 100)+"a") == KymaLabel(strings.Repeat("k", 100)+"b") {
		t.Error("long names that differ share a label")
	}
}
