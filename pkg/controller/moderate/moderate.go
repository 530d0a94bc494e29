// Package moderate reads from connections at intervals, as network cards moderate
// their interrupts: what arrives in between is handled at once, instead of waking
// the process for each of hundreds of small frames a second.
//
// It keeps true: what is read is what was sent, in order; a read is put off by at
// most the pause, and not at all after one that found a lot.
package moderate

import (
	"context"
	"net"
	"syscall"
	"time"

	"k8s.io/utils/clock"
)

const (
	// bufferSize is how much is read at once: more than usually arrives in a pause.
	bufferSize = 64 << 10
	// lot is what a long answer fills in a pause, such as a list: about as much as
	// a server sends before any of it is read.
	lot = bufferSize * 3 / 4
)

// Dial makes connections, as in rest.Config.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns connections whose reads begin at least a pause after the one
// before has ended. The pause is asked for before each read; 0 is none.
func Dialer(dial Dial, clock clock.Clock, pause func() time.Duration) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &connection{Conn: conn, clock: clock, pause: pause}, nil
	}
}

// connection is read by one goroutine at a time, as net/http does.
type connection struct {
	net.Conn
	clock clock.Clock
	pause func() time.Duration
	// last is when the last read ended; more, that it found a lot.
	last   time.Time
	more   bool
	unread []byte
	buffer [bufferSize]byte
}

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
	if wait := c.pause() - c.clock.Since(c.last); wait > 0 && !c.more {
		c.wakeAt(bufferSize)
		c.clock.Sleep(wait)
		c.wakeAt(1)
	}
	n, err := c.Conn.Read(c.buffer[:])
	c.last, c.more = c.clock.Now(), n >= lot
	c.unread = c.buffer[:n]
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}

// wakeAt lets the kernel wake the process for this connection when so many bytes
// have arrived. Go's poller asks for all connections all the time, so without it
// each frame would, read or not.
func (c *connection) wakeAt(size int) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	// It fails on a connection that is closed, where nobody waits.
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, size)
	})
}
