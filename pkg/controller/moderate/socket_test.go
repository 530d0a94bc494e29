package moderate

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/pkg/controller/internal/eventually"
)

// connect returns the two ends of a connection by the kernel.
func connect(t *testing.T) (*socket, *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := newSocket(client)
	if s.raw == nil {
		t.Fatal("a connection of the kernel's is not seen as one")
	}
	return s, server.(*net.TCPConn)
}

// More than the kernel takes at once, both ways, so that each side has to wait.
func TestSocketWaits(t *testing.T) {
	client, server := connect(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(struct{ io.Writer }{server}, struct{ io.Reader }{server})
		echoed <- errors.Join(err, server.CloseWrite())
	}()
	written := make(chan error, 1)
	go func() {
		n, err := client.Write(sent)
		if n != len(sent) && err == nil {
			err = io.ErrShortWrite
		}
		written <- errors.Join(err, client.Conn.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes of %d, %v", len(got), len(sent), err)
	}
	if err := errors.Join(<-written, <-echoed); err != nil {
		t.Error(err)
	}
}

// Whoever looks at errors finds what net's own connections return.
func TestSocketErrors(t *testing.T) {
	tests := map[string]struct {
		end   func(client *socket, server *net.TCPConn) error
		read  error
		write error
	}{
		"closed here": {func(client *socket, _ *net.TCPConn) error { return client.Close() }, net.ErrClosed, net.ErrClosed},
		"reset there": {func(_ *socket, server *net.TCPConn) error {
			return errors.Join(server.SetLinger(0), server.Close())
		}, syscall.ECONNRESET, syscall.EPIPE},
		"too late": {func(client *socket, _ *net.TCPConn) error { return client.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			client, server := connect(t)
			if err := tc.end(client, server); err != nil {
				t.Fatal(err)
			}
			check := func(op string, err, want error) {
				t.Helper()
				var as *net.OpError
				if !errors.Is(err, want) || !errors.As(err, &as) || as.Op != op || strings.Contains(err.Error(), "raw") {
					t.Errorf("%s: %v, want %v", op, err, want)
				}
			}
			_, err := client.Read(make([]byte, 1))
			check("read", err, tc.read)
			_, err = client.Write([]byte("a"))
			check("write", err, tc.write)
		})
	}
}

func TestSocketEnds(t *testing.T) {
	client, server := connect(t)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v", n, err)
	}
}

// What has arrived before a reset is read, as it is without gathering.
func TestResetLeavesWhatHasArrived(t *testing.T) {
	client, server := connect(t)
	conn := newConnection(client.Conn, clock.RealClock{}, func() time.Duration { return 0 })
	write(t, conn, "never read")
	if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil { // a reset, with bytes that were not read
		t.Fatal(err)
	}
	for {
		if _, err := conn.Write([]byte("a")); err != nil {
			break
		}
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "answer" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestCloseReleasesWhoeverWaitsForRoom(t *testing.T) {
	client, _ := connect(t)
	conn := newConnection(client.Conn, nil, nil)
	ended := make(chan error)
	go func() {
		for {
			if _, err := conn.Write(make([]byte, 1<<10)); err != nil {
				ended <- err
				return
			}
		}
	}()
	eventually.True(t, "the kernel takes no more", func() bool {
		conn.sender.mu.Lock()
		defer conn.sender.mu.Unlock()
		return len(conn.sender.unsent) >= bufferSize && conn.sender.sending
	})
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
