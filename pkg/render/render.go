package render

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/manifests/charts"
)

// Request says what to render. Everything in it is part of the cache's key, so
// a caller that wants one render for the whole fleet passes nothing that
// differs from Kyma to Kyma.
type Request struct {
	// Component is the module's name; it names the built-in chart.
	Component string
	// ChartLocation is empty, a path under the charts directory, or an oci://
	// or https:// address.
	ChartLocation string
	// Version selects a chart of a repository; local charts ignore it.
	Version string
	// Namespace is what templates see as .Release.Namespace.
	Namespace string
	// ReleaseName is what templates see as .Release.Name; the component's name
	// when it is empty.
	ReleaseName string
	// Values are merged over the chart's defaults. Nil is the cheap case.
	Values map[string]any
}

// Manifest is the outcome of a render.
type Manifest struct {
	// Digest is sha256:<hex> of YAML.
	Digest string
	// Objects counts the documents of YAML.
	Objects int
	// YAML is the canonical stream of documents: CRDs of crds/ first, then
	// install order, keys sorted. It is shared between callers and must not be
	// changed. It is nil where Options.DigestOnly is set.
	YAML []byte
}

// Renderer renders one request. Implementations are safe for concurrent use.
type Renderer interface {
	Render(ctx context.Context, req Request) (Manifest, error)
}

// Limits bound what one chart may cost. A field that is zero takes its default.
type Limits struct {
	Timeout       time.Duration `json:"timeout"`       // one render; 9 s
	FetchTimeout  time.Duration `json:"fetchTimeout"`  // one fetch; 5 s
	MemoryBytes   int64         `json:"memoryBytes"`   // of the child process; 256 MiB
	ArchiveBytes  int64         `json:"archiveBytes"`  // a packed chart; 10 MiB
	IndexBytes    int64         `json:"indexBytes"`    // a repository's index; 20 MiB
	Files         int           `json:"files"`         // in a chart and its sub-charts; 4,096
	FileBytes     int64         `json:"fileBytes"`     // one unpacked file; 5 MiB
	UnpackedBytes int64         `json:"unpackedBytes"` // all unpacked files; 32 MiB
	OutputBytes   int64         `json:"outputBytes"`   // the rendered documents; 8 MiB
	Depth         int           `json:"depth"`         // of sub-charts in sub-charts; 8
}

const mib = 1 << 20

func (l Limits) withDefaults() Limits {
	l.Timeout = orDefault(l.Timeout, 9*time.Second)
	l.FetchTimeout = orDefault(l.FetchTimeout, 5*time.Second)
	l.MemoryBytes = orDefault(l.MemoryBytes, 256*mib)
	l.ArchiveBytes = orDefault(l.ArchiveBytes, 10*mib)
	l.IndexBytes = orDefault(l.IndexBytes, 20*mib)
	l.Files = orDefault(l.Files, 4096)
	l.FileBytes = orDefault(l.FileBytes, 5*mib)
	l.UnpackedBytes = orDefault(l.UnpackedBytes, 32*mib)
	l.OutputBytes = orDefault(l.OutputBytes, 8*mib)
	l.Depth = orDefault(l.Depth, 8)
	return l
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Options assemble a Renderer. The zero value renders the built-in charts,
// uncached.
type Options struct {
	// ChartsDir is the directory of --charts; empty means the built-in charts.
	ChartsDir string
	// Builtin replaces the embedded charts.
	Builtin fs.FS

	// Cache switches the cache on.
	Cache bool
	// CacheBytes bounds the cache; 32 MiB.
	CacheBytes int64
	// DigestOnly makes the cache drop the YAML, for callers that need the
	// digest alone: an entry then costs about a kilobyte whatever the chart.
	DigestOnly bool
	// Recheck is how long a chart on disk is believed unchanged; 1 s.
	Recheck time.Duration
	// ErrorTTL is how long an error is remembered at least; 30 s. An error that
	// took longer to come about is remembered ten times that long, so that a
	// chart which burns its whole deadline costs a tenth of a core at most.
	ErrorTTL time.Duration

	// FetchDir keeps fetched charts; by default a directory in the user's cache
	// directory, else a temporary one.
	FetchDir string
	// FetchBytes bounds FetchDir; 256 MiB.
	FetchBytes int64
	// CA holds PEM certificates that are trusted besides the system's.
	CA []byte
	// AllowPlainHTTP lets repositories be plain http. For tests.
	AllowPlainHTTP bool

	// Executable and Args start the child process; by default this binary with
	// ChildCommand.
	Executable string
	Args       []string
	// Concurrency bounds the child processes that render built-in charts, and
	// separately those that render any other, so that foreign charts never hold
	// up built-in ones; one per CPU, at most 4.
	Concurrency int
	Limits      Limits
	// KubeVersion is what templates see in .Capabilities.KubeVersion.
	KubeVersion string

	Clock   clock.PassiveClock
	Metrics Metrics
}

// DefaultKubeVersion is what templates are told when nobody knows better.
const DefaultKubeVersion = "v1.36.0"

func (o Options) withDefaults() Options {
	o.CacheBytes = orDefault(o.CacheBytes, 32*mib)
	o.Recheck = orDefault(o.Recheck, time.Second)
	o.ErrorTTL = orDefault(o.ErrorTTL, 30*time.Second)
	o.FetchBytes = orDefault(o.FetchBytes, 256*mib)
	o.Concurrency = orDefault(o.Concurrency, min(runtime.GOMAXPROCS(0), 4))
	o.KubeVersion = orDefault(o.KubeVersion, DefaultKubeVersion)
	o.Limits = o.Limits.withDefaults()
	if o.Builtin == nil {
		o.Builtin = charts.FS
	}
	if o.Args == nil {
		o.Args = []string{ChildCommand}
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	return o
}

// New assembles source, child process and cache. It starts nothing. It fails
// when the charts directory is not one, or a limit is not positive.
func New(opts Options) (Renderer, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	proc, err := newProcess(opts)
	if err != nil {
		return nil, err
	}
	src := newSources(opts, proc)
	if !opts.Cache {
		return &uncached{source: src, next: proc}, nil
	}
	return newCache(opts, src, proc), nil
}

func (o Options) validate() error {
	l := o.Limits
	if l.Timeout < 0 || l.FetchTimeout < 0 || l.MemoryBytes < 0 || l.ArchiveBytes < 0 || l.IndexBytes < 0 ||
		l.Files < 0 || l.FileBytes < 0 || l.UnpackedBytes < 0 || l.OutputBytes < 0 || l.Depth < 0 {
		return fmt.Errorf("render limits must not be negative: %+v", l)
	}
	if o.CacheBytes < 0 || o.FetchBytes < 0 || o.Concurrency < 0 || o.Recheck < 0 || o.ErrorTTL < 0 {
		return fmt.Errorf("render options must not be negative: cache %d, fetch %d, concurrency %d, recheck %s, error TTL %s",
			o.CacheBytes, o.FetchBytes, o.Concurrency, o.Recheck, o.ErrorTTL)
	}
	if o.ChartsDir == "" {
		return nil
	}
	info, err := os.Stat(o.ChartsDir)
	if err != nil {
		return fmt.Errorf("open charts directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("open charts directory: %s is not a directory", o.ChartsDir)
	}
	return nil
}

// chartRenderer renders a chart that has been loaded already.
type chartRenderer interface {
	renderChart(ctx context.Context, c chartData, req Request) (Manifest, error)
}

// uncached loads and renders on every call. The experiment that shows why there
// is a cache runs on it.
type uncached struct {
	source source
	next   chartRenderer
}

func (u *uncached) Render(ctx context.Context, req Request) (Manifest, error) {
	c, err := u.source.load(ctx, &req)
	if err != nil {
		return Manifest{}, err
	}
	return u.next.renderChart(ctx, c, req)
}
