// Package moderate reads from connections at intervals and writes to them what is
// ready together, as network cards moderate their interrupts: hundreds of small
// frames a second are handled many at once, instead of each with system calls of
// its own.
//
// It keeps true: what is read is what was sent, in order, both ways; a read is put
// off by at most the pause, and not at all after one that found a lot; a write is
// put off only while there is other work to do.
package moderate

import (
	"context"
	"net"
	"time"

	"k8s.io/utils/clock"
)

const (
	// bufferSize is how much is read at once, more than usually arrives in a pause,
	// and how much may wait to be sent.
	bufferSize = 64 << 10
	// lot is what a long answer fills in a pause, such as a list: about as much as
	// a server sends before any of it is read.
	lot = bufferSize * 3 / 4
)

// Dial makes connections, as in rest.Config.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns connections that gather what is written, and whose reads begin at
// least a pause after the one before has ended. The pause is asked for before each
// read; 0 is none. A connection that has a file descriptor is read and written by it,
// whatever its own methods do.
func Dialer(dial Dial, clock clock.Clock, pause func() time.Duration) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newConnection(conn, clock, pause), nil
	}
}

// connection is read by one goroutine at a time, as net/http does.
type connection struct {
	*socket
	sender *sender
	clock  clock.Clock
	pause  func() time.Duration
	// last is when the last read ended; more, that it found a lot.
	last   time.Time
	more   bool
	unread []byte
	buffer [bufferSize]byte
}

func newConnection(conn net.Conn, clock clock.Clock, pause func() time.Duration) *connection {
	s := newSocket(conn)
	return &connection{socket: s, sender: newSender(s), clock: clock, pause: pause}
}

func (c *connection) Write(p []byte) (int, error) { return c.sender.write(p) }

func (c *connection) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// fill waits for the end of the pause, and then for something to read.
func (c *connection) fill() error {
	pause := c.pause()
	if wait := pause - c.clock.Since(c.last); wait > 0 && !c.more {
		c.wakeAt(bufferSize)
		c.clock.Sleep(wait)
		c.wakeAt(1)
	}
	read := c.socket.Read
	if pause == 0 {
		// With nothing under way no timer would wake Go's monitor thread soon, and
		// without it the work that is read now is not interrupted for others.
		read = c.Conn.Read
	}
	n, err := read(c.buffer[:])
	c.last, c.more = c.clock.Now(), n >= lot
	c.unread = c.buffer[:n]
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}
