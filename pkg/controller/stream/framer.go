package stream

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
)

// bufferSize holds a few events; a longer one is put together.
const bufferSize = 32 << 10

// framer splits a stream by its lines: a line break in JSON is never part of a
// string, so the only question is whether a line is a whole event.
type framer struct{ runtime.Framer }

// NewFrameReader implements runtime.Framer.
func (f framer) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	return &lines{stream: r, buffered: bufio.NewReaderSize(r, bufferSize), standard: f.Framer}
}

// lines is a frame reader: each Read returns one frame, or io.ErrShortBuffer and
// as much of the frame as there is room for.
type lines struct {
	stream   io.ReadCloser
	buffered *bufio.Reader
	rest     []byte
	standard runtime.Framer
	// other reads the stream once it turned out not to be made of lines.
	other io.ReadCloser
}

func (l *lines) Read(p []byte) (int, error) {
	if l.other != nil {
		return l.other.Read(p)
	}
	if len(l.rest) == 0 {
		line, err := l.next()
		if err != nil {
			return 0, err
		}
		if !whole(line) {
			l.other = l.standard.NewFrameReader(&joined{io.MultiReader(bytes.NewReader(bytes.Clone(line)), l.buffered), l.stream})
			return l.other.Read(p)
		}
		l.rest = line
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	if len(l.rest) > 0 {
		return n, io.ErrShortBuffer
	}
	return n, nil
}

// next returns the next line that is not empty.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.buffered.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line = bytes.Clone(line)
			var end []byte
			end, err = l.buffered.ReadBytes('\n')
			line = append(line, end...)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			// Cut off in the middle, or the last without a line break.
			err = nil
			if !whole(line) {
				err = io.ErrUnexpectedEOF
			}
		}
		return line, err
	}
}

func whole(line []byte) bool {
	return bytes.HasPrefix(line, []byte(eventStart)) && bytes.HasSuffix(bytes.TrimRight(line, "\n"), []byte("}}"))
}

func (l *lines) Close() error { return l.stream.Close() }

type joined struct {
	io.Reader
	io.Closer
}
