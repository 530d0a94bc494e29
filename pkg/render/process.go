package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"k8s.io/utils/clock"
)

// process is the parent's side of the child: one process per render or fetch.
// The processes that may run at once are bounded per lane.
type process struct {
	exe         string
	args        []string
	limits      Limits
	kubeVersion string
	ca          []byte
	plainHTTP   bool
	clock       clock.PassiveClock
	metrics     Metrics

	builtin, foreign, fetches chan struct{}
}

func newProcess(opts Options) (*process, error) {
	exe := opts.Executable
	if exe == "" {
		var err error
		if exe, err = self(); err != nil {
			return nil, fmt.Errorf("find the operator's own binary: %w", err)
		}
	}
	return &process{
		exe: exe, args: opts.Args, limits: opts.Limits, kubeVersion: opts.KubeVersion,
		ca: opts.CA, plainHTTP: opts.AllowPlainHTTP, clock: opts.Clock, metrics: opts.Metrics,
		builtin: make(chan struct{}, opts.Concurrency),
		foreign: make(chan struct{}, opts.Concurrency),
		fetches: make(chan struct{}, opts.Concurrency),
	}, nil
}

// self names the running binary. On Linux that is the running image itself, so
// that a binary replaced on disk never speaks to its older parent.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

func (p *process) renderChart(ctx context.Context, c chartData, req Request) (Manifest, error) {
	header := wireRequest{
		Op: opRender, Limits: p.limits, KubeVersion: p.kubeVersion,
		Release: orDefault(req.ReleaseName, req.Component), Namespace: req.Namespace,
	}
	payload, err := fill(&header, c, req.Values)
	if err != nil {
		return Manifest{}, failure(KindInvalid, "the values cannot be encoded").because(err)
	}
	lane := p.foreign
	if c.builtin {
		lane = p.builtin
	}
	if err := enter(ctx, lane); err != nil {
		return Manifest{}, err
	}
	defer leave(lane)

	start := p.clock.Now()
	reply, yaml, err := p.run(ctx, header, payload, p.limits.Timeout, p.limits.OutputBytes, nil)
	if err == nil {
		err = reply.failure()
	}
	if ctx.Err() == nil { // an abandoned render says nothing about the chart
		p.metrics.Rendered(KindOf(err), p.clock.Since(start))
	}
	if err != nil {
		return Manifest{}, err
	}
	sum := sha256.Sum256(yaml)
	return Manifest{Digest: "sha256:" + hex.EncodeToString(sum[:]), Objects: reply.Objects, YAML: yaml}, nil
}

// fetch lets a child get a chart's archive from a repository.
func (p *process) fetch(ctx context.Context, req *Request) ([]byte, error) {
	if err := enter(ctx, p.fetches); err != nil {
		return nil, err
	}
	defer leave(p.fetches)
	header := wireRequest{
		Op: opFetch, Limits: p.limits, CA: p.ca, PlainHTTP: p.plainHTTP,
		Component: req.Component, Location: req.ChartLocation, Version: req.Version,
	}
	reply, archive, err := p.run(ctx, header, nil, p.limits.FetchTimeout, p.limits.ArchiveBytes, networkEnv())
	if err == nil {
		err = reply.failure()
	}
	if KindOf(err) == KindTimeout {
		err = failure(KindFetch, "the chart repository does not answer within %s", p.limits.FetchTimeout)
	}
	if err != nil {
		return nil, err
	}
	return archive, nil
}

// networkEnv passes on what a fetch needs to reach the network, and nothing
// else: a child inherits no token and no credential.
func networkEnv() []string {
	var env []string
	for _, name := range []string{
		"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func fill(header *wireRequest, c chartData, values map[string]any) ([][]byte, error) {
	if len(values) > 0 {
		raw, err := json.Marshal(values)
		if err != nil {
			return nil, err
		}
		header.Values = raw
	}
	if c.archive != nil {
		header.Archive = int64(len(c.archive))
		return [][]byte{c.archive}, nil
	}
	payload := make([][]byte, 0, len(c.files))
	for _, f := range c.files {
		header.Files = append(header.Files, wireFile{Name: f.name, Size: int64(len(f.data))})
		payload = append(payload, f.data)
	}
	return payload, nil
}

func enter(ctx context.Context, lane chan struct{}) error {
	select {
	case lane <- struct{}{}:
		return nil
	case <-ctx.Done():
		return failure(KindInProgress, "rendering waits for its turn").because(ctx.Err())
	}
}

func leave(lane chan struct{}) { <-lane }

// run starts a child, speaks one frame each way, and sees to its end.
func (p *process) run(ctx context.Context, header wireRequest, payload [][]byte, timeout time.Duration, limit int64, env []string) (wireReply, []byte, error) {
	var reply wireReply
	in, err := frame(header, payload...)
	if err != nil {
		return reply, nil, failure(KindTooLarge, "the chart has too many files or values").because(err)
	}
	deadline, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	stdout := &boundedBuffer{limit: limit + maxHeader}
	stderr := &boundedBuffer{limit: 64 << 10, discard: true}
	cmd := exec.CommandContext(deadline, p.exe, p.args...)
	cmd.Env = append([]string{"HOME=/nonexistent"}, env...)
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, stdout, stderr
	cmd.WaitDelay = time.Second
	isolate(cmd)

	err = cmd.Run()
	if deadline.Err() != nil {
		if ctx.Err() != nil {
			return reply, nil, failure(KindInProgress, "rendering was cancelled").because(ctx.Err())
		}
		return reply, nil, failure(KindTimeout, "rendering takes longer than %s", timeout)
	}
	if err != nil {
		return reply, nil, p.died(err, stderr.buf.Bytes())
	}
	if err := readHeader(&stdout.buf, &reply); err != nil {
		return reply, nil, failure(KindCrash, "the render process gave no answer").because(err)
	}
	body, err := readPayload(&stdout.buf, reply.Size, limit)
	if err != nil {
		return reply, nil, failure(KindTooLarge, "the output is larger than %s", size(limit)).because(err)
	}
	return reply, body, nil
}

// died says why a child ended without an answer.
func (p *process) died(err error, stderr []byte) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return failure(KindInternal, "the render process cannot be started").because(err)
	}
	cause := fmt.Errorf("%w: %s", err, clean(string(stderr)))
	switch {
	case exit.ExitCode() == exitMemory || bytes.Contains(stderr, []byte("out of memory")) ||
		bytes.Contains(stderr, []byte("cannot allocate memory")):
		return failure(KindMemory, "rendering needs more than %s of memory", size(p.limits.MemoryBytes)).because(cause)
	case bytes.Contains(stderr, []byte("stack overflow")) || bytes.Contains(stderr, []byte("stack exceeds")):
		return failure(KindMemory, "the templates nest too deeply").because(cause)
	case killedByCPU(exit):
		return failure(KindTimeout, "rendering takes longer than %s", p.limits.Timeout).because(cause)
	default:
		return failure(KindCrash, "the render process died").because(cause)
	}
}

func (r wireReply) failure() error {
	if r.Kind == "" {
		return nil
	}
	return &Error{Kind: r.Kind, Message: clean(r.Message)}
}

// size prints a bound the way people write it.
func size(n int64) string {
	if n >= mib {
		return fmt.Sprintf("%d MiB", n/mib)
	}
	return fmt.Sprintf("%d bytes", n)
}

// boundedBuffer keeps the first bytes and then either fails, which closes the
// child's pipe, or drops the rest.
type boundedBuffer struct {
	buf     bytes.Buffer
	limit   int64
	discard bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	room := b.limit - int64(b.buf.Len())
	if int64(len(p)) <= room {
		return b.buf.Write(p)
	}
	if b.discard {
		b.buf.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return 0, io.ErrShortBuffer
}
