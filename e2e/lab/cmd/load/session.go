package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/lab/bench"
	"github.com/kyma-incubator/kymactl/e2e/lab/document"
	"github.com/kyma-incubator/kymactl/e2e/lab/experiment"
	"github.com/kyma-incubator/kymactl/e2e/lab/operator"
	"github.com/kyma-incubator/kymactl/e2e/lab/page"
	"github.com/kyma-incubator/kymactl/e2e/lab/place"
	"github.com/kyma-incubator/kymactl/e2e/lab/progress"
	"github.com/kyma-incubator/kymactl/e2e/lab/report"
	"github.com/kyma-incubator/kymactl/e2e/lab/verdict"
	"github.com/kyma-incubator/kymactl/e2e/lab/view"
)

// Files of a report's folder.
const (
	jsonFile = "report.json"
	htmlFile = "report.html"
	logFile  = "operator.log"
)

// session is one call of the command.
type session struct {
	*flags
	clock clock.WithTicker
	board *progress.Board
	tty   bool
	// opened counts the control planes that were started.
	opened int
}

func newSession(f *flags) *session {
	s := &session{flags: f, clock: clock.RealClock{}, tty: term.IsTerminal(int(os.Stdout.Fd()))}
	var note func(string)
	if !s.tty {
		note = func(line string) { fmt.Println(line) }
	}
	s.board = progress.NewBoard(note)
	return s
}

// run makes the runs, and writes and prints the report.
func (s *session) run(ctx context.Context) (verdict.Code, error) {
	if s.out == "" {
		root, err := controlplane.RepositoryRoot()
		if err != nil {
			return verdict.SetUp, err
		}
		s.out = filepath.Join(root, ".run", "load", fmt.Sprintf("%s-%d-%s", s.scenario, s.kymas, s.clock.Now().Format("0102-150405")))
	}
	out, err := filepath.Abs(s.out)
	if err != nil {
		return verdict.SetUp, fmt.Errorf("resolve %s: %w", s.out, err)
	}
	s.out = out
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return verdict.SetUp, fmt.Errorf("make %s: %w", s.out, err)
	}
	r, err := s.shown(ctx)
	if r == nil {
		return verdict.SetUp, err
	}
	if s.baseline != "" {
		if e := s.compare(r); e != nil {
			err = errors.Join(err, e)
		}
	}
	return verdict.Code(r.ExitCode), errors.Join(err, s.leave(r))
}

// shown makes the runs while the view shows them.
func (s *session) shown(ctx context.Context) (*report.Report, error) {
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	viewCtx, endView := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		if s.tty {
			if err := view.Live(viewCtx, os.Stdout, s.board, s.clock, interrupt); err == nil {
				return
			}
		}
		view.Plain(viewCtx, os.Stdout, s.board, s.clock)
	})
	defer wg.Wait()
	defer endView()
	switch s.scenario {
	case sweep:
		return experiment.Sweep(ctx, s.variant(len(s.axes.Variants())), s.axes)
	case findings:
		names := make([]string, 0, len(s.parsed))
		for _, m := range s.parsed {
			names = append(names, m.Name)
		}
		return experiment.Findings(ctx, s.variant(experiment.FindingRuns(s.findings)), s.findings, s.out, names, s.options().Ideal())
	}
	return s.median(ctx)
}

// median makes the run as often as asked for and returns the one with the median
// makespan. The worst exit code of all stays.
func (s *session) median(ctx context.Context) (*report.Report, error) {
	var all []*report.Report
	for i := range s.repeat {
		if s.repeat > 1 {
			s.board.Update(func(st *progress.Status) { st.Experiment = fmt.Sprintf("%d of %d", i+1, s.repeat) })
		}
		r, err := s.once(ctx, s.options())
		if r == nil || err != nil || ctx.Err() != nil {
			return r, err
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b *report.Report) int { return compareMakespan(a.Makespan, b.Makespan) })
	middle := all[(len(all)-1)/2]
	for _, r := range all {
		if worst := verdict.Worst(verdict.Code(middle.ExitCode), verdict.Code(r.ExitCode)); worst != verdict.Code(middle.ExitCode) {
			middle.ExitCode, middle.Verdict, middle.Reasons = r.ExitCode, r.Verdict, r.Reasons
		}
	}
	if len(all) > 1 {
		var text strings.Builder
		text.WriteString("makespans of the repetitions:")
		for _, r := range all {
			text.WriteString(" " + view.Value(r.Makespan, "s"))
		}
		middle.Warnings = append(middle.Warnings, text.String())
	}
	return middle, nil
}

func compareMakespan(a, b *float64) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil || *a < *b:
		return -1
	case *a > *b:
		return 1
	}
	return 0
}

// variant makes the runs of an experiment.
func (s *session) variant(of int) experiment.Runner {
	n := 0
	return func(ctx context.Context, v experiment.Variant) (*report.Report, error) {
		n++
		text := fmt.Sprintf("%s (%d of %d)", v.Name, n, of)
		s.board.Update(func(st *progress.Status) { st.Experiment = text })
		s.board.Note("--- " + text)
		o := s.options()
		o.OperatorArgs = append(o.OperatorArgs, v.Args...)
		if v.Change != nil {
			v.Change(&o)
		}
		return s.once(ctx, o)
	}
}

// once makes one run on a place of its own.
func (s *session) once(ctx context.Context, o bench.Options) (r *report.Report, err error) {
	s.board.Update(func(st *progress.Status) {
		*st = progress.Status{Scenario: s.scenario, Experiment: st.Experiment, Phase: "set-up", Since: s.clock.Now(), Kymas: o.Kymas}
	})
	p, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	if p.Name == place.Embedded && (s.keep || s.scenario == bench.Observe) {
		s.board.Note("export KUBECONFIG=" + p.Kubeconfig)
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	op, err := s.operator(ctx, p, o)
	if err != nil {
		return nil, err
	}
	return bench.New(p, op, s.clock, s.board, o).Run(ctx)
}

func (s *session) open(ctx context.Context) (*place.Place, error) {
	if s.cluster == place.Embedded {
		s.board.Note("starting the embedded control plane")
		s.opened++
		name := s.name
		if s.opened > 1 {
			// client-go keeps connections by the path of the CA's certificate: those of
			// an earlier control plane must not be found again.
			name = fmt.Sprintf("%s-%d", s.name, s.opened)
		}
		return place.StartEmbedded(ctx, name, s.limitsOff, s.keep)
	}
	return place.Open(ctx, s.cluster, s.kubeconfig)
}

// operator is the process or the Deployment under test.
func (s *session) operator(ctx context.Context, p *place.Place, o bench.Options) (bench.Operator, error) {
	binary := s.operatorBinary
	if binary == "" && s.cluster == place.Embedded && s.scenario != bench.Observe {
		root, err := controlplane.RepositoryRoot()
		if err != nil {
			return nil, err
		}
		binary = filepath.Join(root, "bin", "kyma-operator")
		if _, err := os.Stat(binary); err != nil {
			return nil, fmt.Errorf("no operator to test: %w (`make build` makes it)", err)
		}
	}
	args := append(slices.Clone(o.OperatorArgs), "--lifecycle-unit="+s.unit.String())
	if binary == "" {
		return operator.InCluster(ctx, p.Kube, s.operatorNamespace, args, s.clock)
	}
	kubeconfig := s.operatorKubeconfig
	if kubeconfig == "" {
		kubeconfig = p.Kubeconfig
	}
	return &operator.Process{
		Binary: binary, Kubeconfig: kubeconfig, Args: args, LogPath: filepath.Join(s.out, logFile), Clock: s.clock,
	}, nil
}

// compare holds the report against the baseline; a regression may worsen its
// verdict.
func (s *session) compare(r *report.Report) error {
	old, err := report.Read(s.baseline)
	if err != nil {
		return err
	}
	r.Baseline = report.Compare(old, r, s.baseline, s.limits.Baseline)
	if r.Baseline.Refused != "" {
		return fmt.Errorf("cannot compare with %s: %s", s.baseline, r.Baseline.Refused)
	}
	code := verdict.Code(r.ExitCode)
	for _, reason := range r.Baseline.Regressed() {
		code = verdict.Worst(code, verdict.Regression)
		r.Reasons = append(r.Reasons, verdict.Regression.String()+": "+reason)
	}
	r.ExitCode, r.Verdict = int(code), code.String()
	return nil
}

// leave writes the report and prints the summary.
func (s *session) leave(r *report.Report) error {
	err := errors.Join(report.Write(r, filepath.Join(s.out, jsonFile)), page.Write(r, filepath.Join(s.out, htmlFile)))
	if s.document != "" {
		err = errors.Join(err, document.Write(r, s.document))
	}
	view.Summary(os.Stdout, r)
	fmt.Printf("\nreport: %s\n        %s\n", filepath.Join(s.out, jsonFile), filepath.Join(s.out, htmlFile))
	return err
}
