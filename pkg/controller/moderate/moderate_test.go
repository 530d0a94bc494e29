package moderate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

const pause = 10 * time.Millisecond

// script is a connection that returns what was written down for each read.
type script struct {
	net.Conn
	reads []string
	err   error
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.reads) == 0 {
		return 0, s.err
	}
	n := copy(p, s.reads[0])
	s.reads = s.reads[1:]
	if len(s.reads) == 0 {
		return n, s.err
	}
	return n, nil
}

// moderated returns a connection that reads what the script says, and a clock
// that is put forward by whoever sleeps.
func moderated(t *testing.T, s *script, pause time.Duration) (net.Conn, *clocktesting.FakeClock) {
	t.Helper()
	wall := clocktesting.NewFakeClock(time.Unix(1000, 0))
	dialer := Dialer(func(context.Context, string, string) (net.Conn, error) { return s, nil }, wall, func() time.Duration { return pause })
	conn, err := dialer(t.Context(), "tcp", "server")
	if err != nil {
		t.Fatal(err)
	}
	return conn, wall
}

func TestReadsBeginAPauseApart(t *testing.T) {
	zeroes := string(make([]byte, lot))
	for name, tc := range map[string]struct {
		first  string
		pause  time.Duration
		passed time.Duration
		want   time.Duration
	}{
		"right after the first": {first: "a", pause: pause, want: pause},
		"within the pause":      {first: "a", pause: pause, passed: pause / 4, want: pause * 3 / 4},
		"after the pause":       {first: "a", pause: pause, passed: pause},
		"no pause":              {first: "a"},
		"after a lot":           {first: zeroes, pause: pause},
		"after a little less":   {first: zeroes[1:], pause: pause, want: pause},
	} {
		t.Run(name, func(t *testing.T) {
			conn, wall := moderated(t, &script{reads: []string{tc.first, "b"}}, tc.pause)
			begin := wall.Now()
			if _, err := io.ReadFull(conn, make([]byte, len(tc.first))); err != nil {
				t.Fatal(err)
			}
			if slept := wall.Since(begin); slept != 0 {
				t.Errorf("the first read waits %s", slept)
			}
			wall.Step(tc.passed)
			begin = wall.Now()
			got := make([]byte, 2)
			if n, err := conn.Read(got); err != nil || string(got[:n]) != "b" {
				t.Errorf("got %q, %v, want b", got[:n], err)
			}
			if slept := wall.Since(begin); slept != tc.want {
				t.Errorf("the second read waits %s, want %s", slept, tc.want)
			}
		})
	}
}

func TestNothingIsLost(t *testing.T) {
	gone := errors.New("connection reset")
	conn, wall := moderated(t, &script{reads: []string{"ab", "cde", "f"}, err: gone}, pause)
	begin := wall.Now()
	var got bytes.Buffer
	for {
		p := make([]byte, 2)
		n, err := conn.Read(p)
		got.Write(p[:n])
		if err != nil {
			if !errors.Is(err, gone) {
				t.Errorf("got %v, want %v", err, gone)
			}
			break
		}
	}
	if got.String() != "abcdef" {
		t.Errorf("got %q", &got)
	}
	// Between four reads, and not for what is left of one.
	if slept := wall.Since(begin); slept != 3*pause {
		t.Errorf("slept %s, want %s", slept, 3*pause)
	}
}

func TestDialFails(t *testing.T) {
	refused := errors.New("refused")
	d := Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, refused }, clock.RealClock{}, nil)
	if conn, err := d(t.Context(), "tcp", "server"); conn != nil || !errors.Is(err, refused) {
		t.Errorf("got %v, %v", conn, err)
	}
}

// sleeper is told when somebody sleeps.
type sleeper struct {
	clock.Clock
	sleeps func()
}

func (s sleeper) Sleep(time.Duration) { s.sleeps() }

// watched notes how much has to arrive to wake its reader.
type watched struct {
	*net.TCPConn
	t     *testing.T
	reads []int
}

func (w *watched) SyscallConn() (syscall.RawConn, error) {
	raw, err := w.TCPConn.SyscallConn()
	return watchedRaw{raw, w}, err
}

type watchedRaw struct {
	syscall.RawConn
	*watched
}

func (w watchedRaw) Read(f func(fd uintptr) bool) error {
	w.reads = append(w.reads, w.wakesAt())
	return w.RawConn.Read(f)
}

func (w *watched) wakesAt() (size int) {
	w.t.Helper()
	raw, err := w.TCPConn.SyscallConn()
	if err != nil {
		w.t.Fatal(err)
	}
	var getErr error
	if err := raw.Control(func(fd uintptr) {
		size, getErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	}); err != nil || getErr != nil {
		w.t.Fatal(err, getErr)
	}
	return size
}

func (w *watched) moderated(wall clock.Clock, pause time.Duration) *connection {
	return newConnection(w, wall, func() time.Duration { return pause })
}

// TestWakesForLittleOnlyToRead looks at a real socket: a process that pauses is
// not woken for what arrives, and one that reads is, however little it is.
func TestWakesForLittleOnlyToRead(t *testing.T) {
	socket, server := connect(t)
	client := &watched{TCPConn: socket.Conn.(*net.TCPConn), t: t}
	var paused []int
	wall := sleeper{clock.RealClock{}, func() { paused = append(paused, client.wakesAt()) }}
	conn := client.moderated(wall, time.Hour)
	for _, sent := range "abc" {
		if _, err := server.Write([]byte{byte(sent)}); err != nil {
			t.Fatal(err)
		}
		got := []byte{0}
		if _, err := conn.Read(got); err != nil || rune(got[0]) != sent {
			t.Fatalf("got %q, %v, want %q", got, err, sent)
		}
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read([]byte{0}); !errors.Is(err, io.EOF) {
		t.Errorf("got %v at the end", err)
	}
	if want := []int{1, 1, 1, 1}; !slices.Equal(client.reads, want) {
		t.Errorf("is woken for %v bytes when it reads, want %v", client.reads, want)
	}
	if len(paused) != 3 {
		t.Errorf("paused %d times, want 3", len(paused))
	}
	for _, size := range paused {
		if size < bufferSize/4 {
			t.Errorf("is woken for %d bytes in a pause", size)
		}
	}
}

// Go's monitor thread is woken when no timer of ours would.
func TestReadsWithoutAPauseAreNetsOwn(t *testing.T) {
	socket, server := connect(t)
	client := &watched{TCPConn: socket.Conn.(*net.TCPConn), t: t}
	conn := client.moderated(clock.RealClock{}, 0)
	if _, err := server.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	got := []byte{0}
	if _, err := conn.Read(got); err != nil || got[0] != 'a' {
		t.Errorf("got %q, %v", got, err)
	}
	if len(client.reads) > 0 {
		t.Error("the scheduler was passed by")
	}
}
