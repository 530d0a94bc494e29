package moderate

import (
	"errors"
	"io"
	"net"
	"strings"
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
		const writers, each = 8, 1000
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
	for name, end := range map[string]error{"sent": nil, "failed": errors.New("broken pipe")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &peer{ends: make(chan error)}
				conn := &connection{sender: newSender(server)}
				write(t, conn, "a")
				synctest.Wait()
				write(t, conn, strings.Repeat("b", bufferSize-1))
				write(t, conn, "cc")
				full, returned := error(nil), false
				go func() {
					_, full = io.WriteString(conn, "d")
					returned = true
				}()
				synctest.Wait()
				if returned {
					t.Error("a full buffer takes more")
				}
				server.ends <- end
				synctest.Wait()
				if !returned || !errors.Is(full, end) {
					t.Errorf("waits after the end: %t, %v", !returned, full)
				}
				if end == nil {
					server.ends <- nil
					server.ends <- nil
					if got := strings.Join(server.got, ""); got != "a"+strings.Repeat("b", bufferSize-1)+"ccd" {
						t.Errorf("sent %d bytes", len(got))
					}
				}
			})
		})
	}
}

func TestFailedWriteClosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &peer{ends: make(chan error)}
		conn := &connection{sender: newSender(server)}
		write(t, conn, "a")
		broken := errors.New("broken pipe")
		server.ends <- broken
		synctest.Wait()
		if !server.closed {
			t.Error("whoever reads would wait for ever")
		}
		if n, err := io.WriteString(conn, "b"); n != 0 || !errors.Is(err, broken) {
			t.Errorf("the next write: %d, %v", n, err)
		}
		if len(server.got) != 1 {
			t.Errorf("sent %q", server.got)
		}
	})
}
