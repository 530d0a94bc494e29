package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/lab/invariant"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/verdict"
)

func TestMain(m *testing.M) { os.Exit(controlplane.Main(m)) }

// patient are limits that a busy CI machine keeps: what is tested here is the
// lab, not the speed of the machine.
const patient = `
settle: 3s
stretchP99: 20
makespanOverFloor: 20
latenessP99: 1m
queueWaitP99: 1m
mutatingP99: 30s
watchLagP99: 30s
ratio409: 1
`

// lab is one call of the command against the shared control plane.
type lab struct {
	t         *testing.T
	plane     *controlplane.ControlPlane
	out       string
	arguments []string
}

// operatorBinary is built once for all tests.
var operatorBinary string

func newLab(t *testing.T, limits string, arguments ...string) *lab {
	t.Helper()
	plane := controlplane.Shared(t)
	if operatorBinary == "" {
		operatorBinary = filepath.Join(plane.Dir, "kyma-operator")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", operatorBinary, "github.com/kyma-incubator/kymactl/cmd/kyma-operator")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the operator: %v\n%s", err, out)
		}
	}
	l := &lab{t: t, plane: plane, out: t.TempDir()}
	thresholds := filepath.Join(l.out, "limits.yaml")
	if err := os.WriteFile(thresholds, []byte(limits), 0o600); err != nil {
		t.Fatal(err)
	}
	namespace := "load-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	l.arguments = append([]string{
		"--cluster=existing", "--kubeconfig=" + plane.Kubeconfig, "--operator-binary=" + operatorBinary, "--namespace=" + namespace,
		"--lifecycle-unit=50ms", "--capacity-probe=0", "--thresholds=" + thresholds, "--out=" + l.out, "--timeout=90s",
	}, arguments...)
	return l
}

// run makes the run and returns its exit code and its report, which must be
// there, follow the schema, and have its page beside it.
func (l *lab) run(ctx context.Context) (verdict.Code, *report.Report) {
	l.t.Helper()
	code := verdict.Code(run(ctx, l.arguments))
	path := filepath.Join(l.out, jsonFile)
	r, err := report.Read(path)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(l.out, logFile))
		l.t.Fatalf("exit code %d, no report: %v\n%s", code, err, log)
	}
	if r.ExitCode != int(code) {
		l.t.Errorf("exit code %d, the report says %d", code, r.ExitCode)
	}
	mustFollowTheSchema(l.t, path)
	if page, err := os.ReadFile(filepath.Join(l.out, htmlFile)); err != nil || !bytes.Contains(page, []byte("<svg")) {
		l.t.Errorf("no page with charts: %v", err)
	}
	return code, r
}

func mustFollowTheSchema(t *testing.T, path string) {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("report.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(document); err != nil {
		t.Errorf("the report does not follow its schema: %v", err)
	}
}

func invariants(r *report.Report, status invariant.Status) []string {
	var out []string
	for _, i := range r.Invariants {
		if i.Status == status {
			out = append(out, i.ID)
		}
	}
	return out
}

func TestBurstPasses(t *testing.T) {
	l := newLab(t, patient, "--kymas=20", "--capacity-probe=1s")
	code, r := l.run(t.Context())
	if code != verdict.Passed {
		t.Fatalf("exit code %d: %v", code, r.Reasons)
	}
	if got := invariants(r, invariant.Pass); len(got) != 9 {
		t.Errorf("these invariants hold: %v; all but I8 and I11 must, which need other scenarios", got)
	}
	if r.Latency.Kyma.Count != 20 || r.Makespan == nil || r.Floor.Capacity == nil {
		t.Errorf("%d Kymas, makespan %v, floor %+v", r.Latency.Kyma.Count, r.Makespan, r.Floor)
	}
	for _, id := range []string{"stretch", "lateness", "queue-wait", "api-latency", "writes-per-kyma", "cpu", "rss", "watch-lag"} {
		if i := slices.IndexFunc(r.SLIs, func(s report.SLI) bool { return s.ID == id }); i < 0 || r.SLIs[i].Value == nil {
			t.Errorf("%s was not measured", id)
		}
	}
}

func TestAMisbehavingOperatorBreaksInvariants(t *testing.T) {
	tests := map[string]struct {
		fault fault
		id    string
		args  []string
	}{
		"twins": {twins, "I3", nil},
		// A single long module and a longer unit: there is time to be early.
		"early": {early, "I4", []string{"--modules=service-catalog-addons", "--lifecycle-unit=200ms"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, patient, "--kymas=3", "--timeout=10s")
			l.arguments = append(l.arguments, "--operator-kubeconfig="+misbehave(t, l.plane, tt.fault))
			l.arguments = append(l.arguments, tt.args...)
			code, r := l.run(t.Context())
			if broken := invariants(r, invariant.Fail); code != verdict.Broken || !slices.Contains(broken, tt.id) {
				t.Errorf("exit code %d, broken: %v, want %s among them; %v", code, broken, tt.id, r.Reasons)
			}
		})
	}
}

func TestAnImpossibleSLOIsMissed(t *testing.T) {
	l := newLab(t, patient+"\nwritesPerKyma: 1\n", "--kymas=3", "--modules=istio,ory")
	code, r := l.run(t.Context())
	if code != verdict.SLOMissed || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "writes per Kyma") {
		t.Errorf("exit code %d: %v", code, r.Reasons)
	}
}

// A run that is interrupted leaves a partial report; compared with another
// workload, it is refused.
func TestAnInterruptLeavesAPartialReport(t *testing.T) {
	l := newLab(t, patient, "--kymas=2", "--lifecycle-unit=1s")
	ctx, interrupt := context.WithTimeout(t.Context(), 8*time.Second)
	defer interrupt()
	code, r := l.run(ctx)
	if code != verdict.Interrupted || r.Makespan != nil {
		t.Errorf("exit code %d, makespan %v: %v", code, r.Makespan, r.Reasons)
	}
}

func TestSetUpFails(t *testing.T) {
	tests := map[string][]string{
		"no such kubeconfig":  {"--cluster=existing", "--kubeconfig=/absent"},
		"no kubeconfig":       {"--cluster=existing", "--kubeconfig="},
		"unknown scenario":    {"--scenario=panic"},
		"no Kymas":            {"--kymas=0"},
		"too many modules":    {"--modules=19"},
		"an empty module":     {"--modules=a,,b"},
		"a bad grid":          {"--grid=qps"},
		"no such finding":     {"--findings=client-qps,other"},
		"absent thresholds":   {"--thresholds=/absent"},
		"a stray argument":    {"burst"},
		"an unknown flag":     {"--fast"},
		"an absent operator":  {"--operator-binary=/absent"},
		"a negative fraction": {"--observe-fraction=-1"},
	}
	for name, arguments := range tests {
		t.Run(name, func(t *testing.T) {
			if code := run(t.Context(), append(arguments, "--out="+t.TempDir())); code != int(verdict.SetUp) {
				t.Errorf("exit code %d, want 1", code)
			}
		})
	}
}

func TestCompareWithABaseline(t *testing.T) {
	workload := report.Workload{Scenario: "burst", Kymas: 10}
	write := func(change func(*report.Report)) string {
		r := &report.Report{SchemaVersion: report.SchemaVersion, Workload: workload, SLIs: []report.SLI{{ID: "writes-per-kyma", Value: new(float64)}}}
		*r.SLIs[0].Value = 40
		change(r)
		path := filepath.Join(t.TempDir(), "old.json")
		if err := report.Write(r, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	now := func() *report.Report {
		v := 50.0
		return &report.Report{Workload: workload, Verdict: "pass", SLIs: []report.SLI{{ID: "writes-per-kyma", Value: &v}}}
	}
	f, err := parseFlags(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(f)
	s.baseline = write(func(*report.Report) {})
	r := now()
	if err := s.compare(r); err != nil || r.ExitCode != int(verdict.Regression) {
		t.Errorf("a fourth more writes: %v, exit code %d", err, r.ExitCode)
	}
	s.baseline = write(func(r *report.Report) { r.Workload.Kymas = 20 })
	if err := s.compare(now()); err == nil || !strings.Contains(err.Error(), "different workload") {
		t.Errorf("another workload: %v", err)
	}
	s.baseline = write(func(r *report.Report) { r.Env.CPUs = 64 })
	if err := s.compare(now()); err == nil || !strings.Contains(err.Error(), "different CPUs") {
		t.Errorf("another machine: %v", err)
	}
	data, err := json.Marshal(map[string]int{"schemaVersion": 99})
	if err != nil {
		t.Fatal(err)
	}
	s.baseline = filepath.Join(t.TempDir(), "future.json")
	if err := os.WriteFile(s.baseline, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.compare(now()); err == nil || !strings.Contains(err.Error(), fmt.Sprint("schema version ", 99)) {
		t.Errorf("another schema: %v", err)
	}
}
