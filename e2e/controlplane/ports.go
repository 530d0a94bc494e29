package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Ports come from below the range that the kernel hands out for outgoing connections, so that no client on this machine
// can take one between our look and the component's bind.
const (
	firstPort = 20000
	lastPort  = 31999
)

type ports struct {
	etcd, etcdPeer, apiServer, controllerManager int
}

// reservePorts picks four free ports and keeps other starts on this machine away from them until release is called,
// which is when the components have bound them.
func reservePorts() (p ports, release func(), err error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("kymactl-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p, nil, fmt.Errorf("reserve ports: %w", err)
	}
	var locks []*lock
	release = func() {
		for _, l := range locks {
			l.release()
		}
	}
	next := firstPort + rand.IntN(lastPort-firstPort)
	for _, port := range []*int{&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllerManager} {
		for range lastPort - firstPort {
			if next++; next > lastPort {
				next = firstPort
			}
			l, err := tryLock(filepath.Join(dir, strconv.Itoa(next)))
			if errors.Is(err, errLocked) {
				continue
			}
			if err != nil {
				release()
				return p, nil, fmt.Errorf("reserve port %d: %w", next, err)
			}
			if portFree(next) {
				locks, *port = append(locks, l), next
				break
			}
			l.release()
		}
		if *port == 0 {
			release()
			return p, nil, fmt.Errorf("reserve ports: none free between %d and %d", firstPort, lastPort)
		}
	}
	return p, release, nil
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
