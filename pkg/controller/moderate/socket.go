package moderate

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket makes a connection's system calls without Go's scheduler, which prepares
// for each that it might block. These do not wait for the peer: Go's sockets are
// non-blocking. The first prepared call after a rest wakes Go's monitor thread, which
// then looks at what runs every 20 µs, for a millisecond. The race detector does not
// see these calls.
type socket struct {
	net.Conn
	// raw is nil for a connection that is none of the kernel's.
	raw syscall.RawConn
}

func newSocket(conn net.Conn) *socket {
	s := &socket{Conn: conn}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	return s
}

func (s *socket) Read(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return s.Conn.Read(p)
	}
	var n int
	var errno syscall.Errno
	err := s.raw.Read(func(fd uintptr) bool {
		n, errno = transfer(unix.SYS_READ, fd, p)
		return errno != syscall.EAGAIN
	})
	if err := s.opError("read", err, errno); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (s *socket) Write(p []byte) (int, error) {
	if s.raw == nil {
		return s.Conn.Write(p)
	}
	written := 0
	var errno syscall.Errno
	err := s.raw.Write(func(fd uintptr) bool {
		errno = 0
		for written < len(p) && errno == 0 {
			var n int
			n, errno = transfer(unix.SYS_WRITE, fd, p[written:])
			written += n
		}
		return errno != syscall.EAGAIN
	})
	return written, s.opError("write", err, errno)
}

// wakeAt lets the kernel wake the process for this connection when so many bytes
// have arrived. Go's poller asks for all connections all the time, so without it
// each frame would, read or not.
func (s *socket) wakeAt(size int32) {
	if s.raw == nil {
		return
	}
	// It fails on a connection that is closed, where nobody waits.
	_ = s.raw.Control(func(fd uintptr) {
		_, _, _ = syscall.RawSyscall6(unix.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT,
			uintptr(unsafe.Pointer(&size)), unsafe.Sizeof(size), 0)
	})
}

// opError is the error that net's own connections have, if there is one.
func (s *socket) opError(op string, err error, errno syscall.Errno) error {
	var inner *net.OpError
	switch {
	case errors.As(err, &inner):
		err = inner.Err // its operation is another
	case err == nil && errno != 0:
		err = os.NewSyscallError(op, errno)
	case err == nil:
		return nil
	}
	return &net.OpError{Op: op, Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}

// transfer reads into p or writes it.
func transfer(call, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
