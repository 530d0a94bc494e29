package moderate

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// peer is a connection whose writes end when the test says how.
type peer struct {
	net.Conn
	got    []string
	ends   chan error
	closed bool
}

func (p *peer) Write(b []byte) (int, error) {
	p.got = append(p.got, string(b))
	return len(b), <-p.ends
}

func (p *peer) Close() error {
	p.closed = true
	return nil
}

func write(t *testing.T, to *connection, what string) {
	t.Helper()
	if n, err := io.WriteString(to, what); err != nil || n != len(what) {
		t.Errorf("write of %d bytes: %d, %v", len(what), n, err)
	}
}

func TestWritesTogetherWhatIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &peer{ends: make(chan error)}
		conn := &connection{sender: newSender(server)}
		want := func(writes ...string) {
			t.Helper()
			synctest.Wait()
			if got, want := strings.Join(server.got, ","), strings.Join(writes, ","); got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
		}
		write(t, conn, "a")
		want("a")
		write(t, conn, "b")
		write(t, conn, "c")
		want("a")
		server.ends <- nil
		want("a", "bc")
		write(t, conn, "d")
		server.ends <- nil
		want("a", "bc", "d")
		server.ends <- nil
		want("a", "bc", "d")
		write(t, conn, "e")
		want("a", "bc", "d", "e")
		server.ends <- nil
	})
}

func TestWritesOfManyAreSentOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		conn := &connection{sender: newSender(client)}
		const writers, each = 8, 10_000
		for w := range writers {
			go func() {
				for i := range each {
					write(t, conn, string([]byte{byte(w), byte(i), byte(i >> 8)}))
				}
			}()
		}
		next := make([]int, writers)
		for range writers * each {
			var b [3]byte
			if _, err := io.ReadFull(server, b[:]); err != nil {
				t.Fatal(err)
			}
			w, i := int(b[0]), int(b[1])|int(b[2])<<8
			if w >= writers || i != next[w] {
				t.Fatalf("got write %d of %d", i, w)
			}
			next[w]++
		}
		synctest.Wait()
		if len(conn.sender.unsent) > 0 {
			t.Errorf("%d bytes are left", len(conn.sender.unsent))
		}
	})
}

func TestWriteWaitsForRoom(t *testing.T) {
	for name, end := range map[string]error{"sent": nil, "failed": errors.New("no buffer space")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &peer{ends: make(chan error)}
				conn := &connection{sender: newSender(server)}
				full := strings.Repeat("b", bufferSize)
				write(t, conn, "a")
				synctest.Wait()
				write(t, conn, full)
				ended := make(chan error, 2)
				for range cap(ended) {
					go func() {
						_, err := io.WriteString(conn, "c")
						ended <- err
					}()
				}
				synctest.Wait()
				if len(ended) > 0 {
					t.Error("a full buffer takes more")
				}
				server.ends <- end
				synctest.Wait()
				if len(ended) != cap(ended) {
					t.Fatalf("%d of %d still wait at the end", cap(ended)-len(ended), cap(ended))
				}
				for range cap(ended) {
					if err := <-ended; !errors.Is(err, end) {
						t.Errorf("got %v, want %v", err, end)
					}
				}
				if end == nil {
					server.ends <- nil
					server.ends <- nil
					if got := strings.Join(server.got, ""); got != "a"+full+"cc" {
						t.Errorf("sent %d bytes", len(got))
					}
				}
			})
		})
	}
}

func TestFailedWrite(t *testing.T) {
	tests := map[string]struct {
		err    error
		closes bool
	}{
		"that nobody else is told":                {errors.New("no buffer space"), true},
		"of a connection that the peer has reset": {&net.OpError{Op: "write", Err: syscall.ECONNRESET}, false},
		"of one of which that is known already":   {&net.OpError{Op: "write", Err: syscall.EPIPE}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &peer{ends: make(chan error)}
				conn := &connection{sender: newSender(server)}
				write(t, conn, "a")
				server.ends <- tc.err
				synctest.Wait()
				if server.closed != tc.closes {
					t.Errorf("closes the connection: %t, want %t", server.closed, tc.closes)
				}
				if n, err := io.WriteString(conn, "b"); n != 0 || !errors.Is(err, tc.err) {
					t.Errorf("the next write: %d, %v", n, err)
				}
				if len(server.got) != 1 {
					t.Errorf("sent %q", server.got)
				}
			})
		})
	}
}
