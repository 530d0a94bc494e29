package integration

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/e2e/internal/process"
)

// TestMistakesOfTheCaller end in exit code 2 and one line that says what is
// wrong, before the operator touches anything.
func TestMistakesOfTheCaller(t *testing.T) {
	t.Parallel()
	kubeconfig := "--kubeconfig=" + process.Kubeconfig(t, &rest.Config{Host: "http://127.0.0.1:1"})
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no kubeconfig":         {nil, "kubeconfig"},
		"kubeconfig is missing": {[]string{"--kubeconfig=" + nowhere}, "kubeconfig"},
		"unknown flag":          {[]string{kubeconfig, "--no-such-flag"}, "--no-such-flag"},
		"unknown command":       {[]string{"run"}, `"run"`},
		"no workers":            {[]string{kubeconfig, "--kyma-workers=0"}, "--kyma-workers"},
		"qps of 0":              {[]string{kubeconfig, "--kube-api-qps=0"}, "--kube-api-qps"},
		"not a number":          {[]string{kubeconfig, "--kube-api-burst=many"}, "--kube-api-burst"},
		"not a duration":        {[]string{kubeconfig, "--lifecycle-unit=1"}, "--lifecycle-unit"},
		"delays the wrong way":  {[]string{kubeconfig, "--retry-base-delay=1m", "--retry-max-delay=1s"}, "--retry-max-delay"},
		"negative resync":       {[]string{kubeconfig, "--kyma-resync-period=-1s"}, "--kyma-resync-period"},
		"charts are missing":    {[]string{kubeconfig, "--charts=" + nowhere}, "--charts"},
		"bad address":           {[]string{kubeconfig, "--metrics-bind-address=here"}, "--metrics-bind-address"},
		"bad log format":        {[]string{kubeconfig, "--log-format=xml"}, "--log-format"},
		"lease without home":    {[]string{kubeconfig, "--leader-elect"}, "--leader-elect-namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, bareEnvironment(t), test.args...)
			if code := p.exit(t); code != 2 {
				t.Errorf("exit code is %d, want 2", code)
			}
			line, rest, _ := strings.Cut(p.Log.String(), "\n")
			if !strings.HasPrefix(line, "Error: ") || !strings.Contains(line, test.want) {
				t.Errorf("it says %q", line)
			}
			// A pointer to the help may follow.
			if strings.Count(rest, "\n") > 1 || strings.Contains(rest, "Error") {
				t.Errorf("it says more than one line: %q", p.Log.String())
			}
		})
	}
}

// bareEnvironment has no home, no kubeconfig and no pod's service account.
func bareEnvironment(t testing.TB) []string {
	return []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
}

func TestUnreachableAPIServer(t *testing.T) {
	t.Parallel()
	// A port that was free a moment ago, and that nobody listens on.
	g := newGate(t, &rest.Config{Host: "http://127.0.0.1:1"})
	address := g.server.URL
	g.server.Close()
	p := launch(t, bareEnvironment(t), "--kubeconfig="+process.Kubeconfig(t, &rest.Config{Host: address}))
	checkFailure(t, p, address)
}

func TestMissingCRDs(t *testing.T) {
	plane := controlplane.Bare(t)
	p := launch(t, bareEnvironment(t), "--kubeconfig="+process.Kubeconfig(t, plane.RESTConfig()))
	checkFailure(t, p, "make install")
}

// checkFailure wants exit code 1 and one line.
func checkFailure(t *testing.T, p *operatorProcess, want string) {
	t.Helper()
	if code := p.exit(t); code != 1 {
		t.Errorf("exit code is %d, want 1", code)
	}
	said := strings.TrimSpace(p.Log.String())
	if !strings.HasPrefix(said, "Error: ") || !strings.Contains(said, want) || strings.Contains(said, "\n") {
		t.Errorf("it says %q", said)
	}
}

// TestStopFinishesWhatIsInFlight holds a write at the gate while the operator is
// told to stop: it is not ready any more, waits for the answer, and exits with 0.
func TestStopFinishesWhatIsInFlight(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isStatusWrite(r) && !isOfKyma(r) {
			once.Do(func() { close(held) })
			hold(w, r, next, release)
			return
		}
		next.ServeHTTP(w, r)
	})
	p := l.startAs(g.config())
	l.create(standard("stopped"))
	<-held
	p.signal(syscall.SIGTERM)
	l.eventually("readyz is red", func(ctx context.Context) string {
		switch answer := p.ready(ctx); {
		case answer == "":
			return "it is green"
		case !strings.Contains(answer, "stopping"):
			t.Fatalf("readyz answers %q", answer)
		}
		return ""
	})
	before := len(g.written())
	close(release)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code is %d, want 0", code)
	}
	stored := map[string]bool{}
	for _, c := range l.history.all() {
		if c.component != nil && c.component.Status.LastReconciliation != nil {
			stored["PUT /apis/inventory.kyma-project.io/v1alpha1/namespaces/"+l.namespace+"/helmcomponents/"+c.component.Name+"/status"] = true
		}
	}
	for _, write := range g.written()[:before] {
		if strings.HasPrefix(write, "PUT") && strings.Contains(write, "/helmcomponents/") && !stored[write] {
			t.Errorf("%s was in flight and is lost", write)
		}
	}
	g.set(nil)
	l.startAs(g.config())
	l.success("stopped")
	l.checkOnce()
	l.checkForward(false)
}
