package render

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"k8s.io/utils/clock"
)

// ChildCommand is the hidden command line argument that makes the operator's
// binary a child.
const ChildCommand = "render-child"

// exitMemory is the exit status of a child that met its memory bound.
const exitMemory = 86

// Child answers one request of a parent and returns the exit status. It gives up
// most rights of the process it runs in, so nothing may follow it but os.Exit.
// With ctx a fetch ends.
func Child(ctx context.Context, in io.Reader, out io.Writer) int {
	log.SetOutput(io.Discard) // helm warns there, in words of the chart
	var req wireRequest
	if err := readHeader(in, &req); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	req.Limits = req.Limits.withDefaults()
	if err := confine(req.Op, req.Limits); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	boundMemory(req.Limits.MemoryBytes)

	reply, body := answer(ctx, in, &req)
	reply.Size = int64(len(body))
	answer, err := frame(reply, body)
	if err == nil {
		_, err = io.Copy(out, answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func answer(ctx context.Context, in io.Reader, req *wireRequest) (reply wireReply, body []byte) {
	defer func() {
		if r := recover(); r != nil {
			reply, body = wireReply{Kind: KindCrash, Message: clean(fmt.Sprintf("helm fails on the chart: %v", r))}, nil
		}
	}()
	var err error
	switch req.Op {
	case opRender:
		reply.Objects, body, err = renderPayload(in, req)
	case opFetch:
		ctx, cancel := context.WithTimeout(ctx, req.Limits.FetchTimeout)
		defer cancel()
		body, err = fetchChart(ctx, req)
	default:
		err = failure(KindInternal, "the render process does not know the operation %q", req.Op)
	}
	if err != nil {
		return wireReply{Kind: KindOf(err), Message: Reason(err)}, nil
	}
	return reply, body
}

func renderPayload(in io.Reader, req *wireRequest) (int, []byte, error) {
	files, err := chartFiles(in, req)
	if err != nil {
		return 0, nil, err
	}
	return renderFiles(files, req)
}

// chartFiles reads the chart off the wire, unpacked, with the sub-charts that
// were packed in it.
func chartFiles(in io.Reader, req *wireRequest) ([]chartFile, error) {
	u := &unpacker{limits: req.Limits}
	if req.Files == nil {
		archive, err := readPayload(in, req.Archive, req.Limits.ArchiveBytes)
		if err != nil {
			return nil, failure(KindTooLarge, "the archive is larger than %s", size(req.Limits.ArchiveBytes)).because(err)
		}
		return u.archive(archive, 0)
	}
	var files []chartFile
	for _, f := range req.Files {
		data, err := readPayload(in, f.Size, req.Limits.FileBytes)
		if err != nil {
			return nil, failure(KindTooLarge, "%s is larger than %s", f.Name, size(req.Limits.FileBytes)).because(err)
		}
		files = append(files, chartFile{name: f.Name, data: data})
	}
	return u.files(files)
}

// boundMemory makes the collector work hard near the bound, ends runaway
// recursion, and ends the process when the bound is passed.
func boundMemory(limit int64) {
	// A render is over in milliseconds; collecting garbage early is a waste.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(limit / 4 * 3)
	debug.SetMaxStack(int(limit / 4))
	go func() {
		samples := []metrics.Sample{
			{Name: "/memory/classes/total:bytes"},
			{Name: "/memory/classes/heap/released:bytes"},
		}
		for range (clock.RealClock{}).NewTicker(5 * time.Millisecond).C() {
			metrics.Read(samples)
			if used := samples[0].Value.Uint64() - samples[1].Value.Uint64(); used > uint64(limit) {
				os.Exit(exitMemory)
			}
		}
	}()
}
