package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kyma-incubator/kymactl/e2e/lab/bench"
	"github.com/kyma-incubator/kymactl/e2e/lab/experiment"
	"github.com/kyma-incubator/kymactl/e2e/lab/place"
	"github.com/kyma-incubator/kymactl/e2e/lab/threshold"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

// Scenarios that consist of several runs.
const (
	sweep    = "sweep"
	findings = "findings"
)

// flags are the command line.
type flags struct {
	cluster, kubeconfig, scenario, modules, operatorArgs, out, baseline, thresholds        string
	operatorBinary, operatorKubeconfig, operatorNamespace, grid, namespace, name, document string
	findings                                                                               []string
	kymas, batches, kills, repeat                                                          int
	rate, churnShare, observe                                                              float64
	unit, timeout, capacity, resync                                                        time.Duration
	keep, limitsOff                                                                        bool
	seed                                                                                   uint64

	limits threshold.Limits
	parsed []v1alpha1.KymaComponent
	args   []string
	axes   experiment.Grid
}

func parseFlags(args []string) (*flags, error) {
	f := &flags{}
	set := pflag.NewFlagSet("load", pflag.ContinueOnError)
	set.SortFlags = false
	f.bind(set)
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if err := f.complete(set); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *flags) bind(set *pflag.FlagSet) {
	set.StringVar(&f.cluster, "cluster", place.Embedded, "Where to run: embedded, kind (an operator in the cluster) or existing.")
	set.StringVar(&f.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "Kubeconfig of a kind or existing cluster.")
	set.StringVar(&f.scenario, "scenario", bench.Burst, "One of "+strings.Join(scenarios(), ", ")+".")
	set.IntVar(&f.kymas, "kymas", 100, "Number of Kymas; in each batch, for batches; for observe, how many to wait for (0: those that come).")
	set.StringVar(&f.modules, "modules", "18", "Modules of each Kyma: how many of the standard ones (1 to 18), or a list of names.")
	set.Float64Var(&f.rate, "rate", 10, "Kymas a second, for scenario rate.")
	set.IntVar(&f.batches, "batches", 4, "Number of batches, for scenario batches.")
	set.IntVar(&f.kills, "kills", 3, "How often the operator is killed, for scenario kill.")
	set.Float64Var(&f.churnShare, "churn-share", 0.3, "Share of the Kymas that are changed, for scenario churn.")
	set.DurationVar(&f.resync, "resync-period", 30*time.Second, "Resync periods of the operator, for scenario resync.")
	set.StringVar(&f.grid, "grid", "", "What a sweep varies, like \"kube-api-qps=20,150,-1;helmcomponent-workers=4,32\"; empty: a grid around the defaults.")
	set.StringSliceVar(&f.findings, "findings", experiment.FindingIDs(), "Which experiments the scenario findings makes.")
	set.StringVar(&f.operatorArgs, "operator-args", "--kube-api-qps=-1", "Flags of the operator under test, separated by spaces.")
	set.StringVar(&f.operatorBinary, "operator-binary", "", "Operator to run as a process; embedded: bin/kyma-operator. Empty elsewhere: the one in the cluster.")
	set.StringVar(&f.operatorKubeconfig, "operator-kubeconfig", "", "Kubeconfig for that process, if not the lab's own.")
	set.StringVar(&f.operatorNamespace, "operator-namespace", "kyma-operator", "Namespace of the Deployment kyma-operator, where it runs in the cluster.")
	set.DurationVar(&f.unit, "lifecycle-unit", time.Second, "The operator's unit of the timeline; shorter makes tests quick.")
	set.DurationVar(&f.timeout, "timeout", 30*time.Minute, "Longest time from the first send until all are success.")
	set.DurationVar(&f.capacity, "capacity-probe", 10*time.Second, "How long the write capacity is probed before the run; 0: not at all.")
	set.Float64Var(&f.observe, "observe-fraction", 1, "Share of the Kymas whose components are watched; less is cheaper for the API server.")
	set.StringVar(&f.thresholds, "thresholds", "", "YAML file with limits; the built-in ones for what it does not name.")
	set.StringVar(&f.baseline, "baseline", "", "JSON report of an earlier run to compare with.")
	set.StringVar(&f.out, "out", "", "Folder for the report (JSON and HTML) and the operator's log; empty: .run/load/<scenario>-<kymas>-<time>.")
	set.StringVar(&f.document, "document", "", "Markdown file whose measured part a sweep or the findings renew, like docs/findings.md.")
	set.IntVar(&f.repeat, "repeat", 1, "Make the run so many times; the report is that of the median makespan.")
	set.StringVar(&f.namespace, "namespace", "kyma-load", "Namespace of the Kymas; it is deleted afterwards, unless it was there before.")
	set.StringVar(&f.name, "name", "load", "Name of the embedded control plane.")
	set.Uint64Var(&f.seed, "seed", 1, "Seed of what is random, as in churn.")
	set.BoolVar(&f.limitsOff, "disable-api-limits", false, "Switch priority and fairness of the embedded API server off.")
	set.BoolVar(&f.keep, "keep", false, "Leave Kymas and cluster behind.")
}

func scenarios() []string { return append(bench.Scenarios(), sweep, findings) }

// complete checks what was given and fills in what follows from it.
func (f *flags) complete(set *pflag.FlagSet) error {
	if !slices.Contains(scenarios(), f.scenario) {
		return fmt.Errorf("--scenario=%s is none of %s", f.scenario, strings.Join(scenarios(), ", "))
	}
	if !slices.Contains([]string{place.Embedded, place.Kind, place.Existing}, f.cluster) {
		return fmt.Errorf("--cluster=%s is none of embedded, kind, existing", f.cluster)
	}
	if f.cluster != place.Embedded && f.kubeconfig == "" {
		return fmt.Errorf("--cluster=%s needs --kubeconfig", f.cluster)
	}
	if f.scenario == bench.Observe && !set.Changed("kymas") {
		f.kymas = 0
	}
	ranges := map[string]bool{
		"--kymas must be at least 1": f.kymas < 1 && f.scenario != bench.Observe, "--kymas must not be negative": f.kymas < 0,
		"--rate must be positive": f.rate <= 0, "--batches must be at least 1": f.batches < 1, "--kills must not be negative": f.kills < 0,
		"--churn-share must be from 0 to 1": f.churnShare < 0 || f.churnShare > 1, "--observe-fraction must be from 0 to 1": f.observe < 0 || f.observe > 1,
		"--lifecycle-unit must be positive": f.unit <= 0, "--timeout must be positive": f.timeout <= 0,
		"--capacity-probe must not be negative": f.capacity < 0, "--repeat must be at least 1": f.repeat < 1,
		"--resync-period must be positive": f.resync <= 0,
	}
	for text, wrong := range ranges {
		if wrong {
			return fmt.Errorf("%s", text)
		}
	}
	var err error
	if f.parsed, err = parseModules(f.modules); err != nil {
		return err
	}
	if f.limits, err = threshold.Load(f.thresholds); err != nil {
		return err
	}
	if f.axes, err = experiment.ParseGrid(f.grid); err != nil {
		return err
	}
	for _, id := range f.findings {
		if !slices.Contains(experiment.FindingIDs(), id) {
			return fmt.Errorf("--findings: %s is none of %s", id, strings.Join(experiment.FindingIDs(), ", "))
		}
	}
	f.args = strings.Fields(f.operatorArgs)
	for _, file := range []string{f.baseline, f.operatorKubeconfig, f.operatorBinary} {
		if _, err := os.Stat(file); file != "" && err != nil {
			return err
		}
	}
	return nil
}

// parseModules reads a number of standard modules, or a list of names.
func parseModules(text string) ([]v1alpha1.KymaComponent, error) {
	standard := v1alpha1.StandardComponents()
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > len(standard) {
			return nil, fmt.Errorf("--modules=%d: there are 1 to %d standard modules", n, len(standard))
		}
		return standard[:n], nil
	}
	var out []v1alpha1.KymaComponent
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, fmt.Errorf("--modules=%s: a name is empty", text)
		}
		i := slices.IndexFunc(standard, func(m v1alpha1.KymaComponent) bool { return m.Name == name })
		if i >= 0 {
			out = append(out, standard[i])
		} else {
			out = append(out, v1alpha1.KymaComponent{Name: name})
		}
	}
	return out, nil
}

// options are those of one run.
func (f *flags) options() bench.Options {
	scenario := f.scenario
	if scenario == sweep || scenario == findings {
		scenario = bench.Burst
	}
	o := bench.Options{
		Scenario: scenario, Kymas: f.kymas, Modules: f.parsed, Rate: f.rate, Batches: f.batches, Kills: f.kills,
		ChurnShare: f.churnShare, Seed: f.seed, ResyncPeriod: f.resync, Timeline: lifecycle.Timeline{Unit: f.unit},
		Limits: f.limits, Timeout: f.timeout, CapacityProbe: f.capacity, ObserveFraction: f.observe, Namespace: f.namespace,
		OperatorArgs: slices.Clone(f.args), Keep: f.keep,
	}
	o.ReferenceKyma = scenario == bench.Kill || scenario == bench.Churn
	if scenario == bench.Resync {
		period := f.resync.String()
		o.OperatorArgs = append(o.OperatorArgs, "--kyma-resync-period="+period, "--helmcomponent-resync-period="+period)
	}
	return o
}
