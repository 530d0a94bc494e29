package moderate

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"syscall"
)

// sender writes to a connection what was ready to be written together: the two
// frames of a request, and the requests of all workers that have one.
//
// A write has ended when its bytes are taken, as with the buffer of a socket. That
// they could not be sent is known by the end of what is read and by the next write's
// error, and a write deadline is one for sending. Unlike a socket's buffer, what is not
// sent when the connection is closed is dropped, TLS's farewell with it.
type sender struct {
	conn io.WriteCloser

	mu     sync.Mutex
	room   sync.Cond
	unsent []byte
	// spare is the buffer that was sent before.
	spare   []byte
	sending bool
	err     error
}

func newSender(conn io.WriteCloser) *sender {
	s := &sender{conn: conn}
	s.room.L = &s.mu
	return s
}

// write takes p to be sent. It waits while a full buffer is not sent yet. The error
// is that of a write that was sent before.
func (s *sender) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unsent) >= bufferSize && s.err == nil {
		s.room.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.unsent = append(s.unsent, p...)
	if !s.sending {
		s.sending = true
		go s.send()
	}
	return len(p), nil
}

// send goes on until all is sent.
func (s *sender) send() {
	for {
		// After whoever is ready to write.
		runtime.Gosched()
		out := s.next()
		if len(out) == 0 {
			return
		}
		if _, err := s.conn.Write(out); err != nil {
			s.fail(err)
			return
		}
	}
}

// next takes what is to be sent; nothing ends the sending.
func (s *sender) next() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.unsent
	s.unsent, s.spare = s.spare[:0], out
	s.sending = len(out) > 0
	s.room.Broadcast()
	return out
}

func (s *sender) fail(err error) {
	s.mu.Lock()
	s.err = err
	s.room.Broadcast()
	s.mu.Unlock()
	// The kernel tells these two to whoever reads as well, after what has arrived.
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		_ = s.conn.Close()
	}
}
