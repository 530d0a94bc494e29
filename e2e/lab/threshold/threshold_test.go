package threshold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		yaml, fails string
		check       func(Limits) bool
	}{
		"nothing keeps the defaults": {yaml: "", check: func(l Limits) bool { return l == Default() }},
		"one field":                  {yaml: "stretchP99: 2", check: func(l Limits) bool { return l.StretchP99 == 2 && l.WritesPerKyma == 106 }},
		"a duration":                 {yaml: "settle: 5s", check: func(l Limits) bool { return l.Settle.Duration == 5*time.Second }},
		"a nested field":             {yaml: "baseline: {stretch: 3}", check: func(l Limits) bool { return l.Baseline.Stretch == 3 && l.Baseline.CPUPerKyma == 1.2 }},
		"an unknown field":           {yaml: "strech: 2", fails: "strech"},
		"not a duration":             {yaml: "settle: soon", fails: "duration"},
		"zero":                       {yaml: "stretchP99: 0", fails: "stretchP99 must be positive"},
		"negative":                   {yaml: "ratio429: -1", fails: "ratio429 must not be negative"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(tt.yaml))
			switch {
			case tt.fails == "" && (err != nil || !tt.check(got)):
				t.Errorf("got %+v, %v", got, err)
			case tt.fails != "" && (err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.fails))):
				t.Errorf("error %v, want one about %s", err, tt.fails)
			case tt.fails != "" && err == nil:
				t.Error("no error")
			}
		})
	}
}

func TestLoad(t *testing.T) {
	if l, err := Load(""); err != nil || l != Default() {
		t.Errorf("no file: %+v, %v", l, err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file is no error")
	}
	path := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(path, []byte("writesPerKyma: 45"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Load(path); err != nil || l.WritesPerKyma != 45 {
		t.Errorf("loaded %+v, %v", l, err)
	}
}
