package controlplane

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock is an advisory lock on a file. The kernel releases it when the process ends, however it ends, so a lock that can
// be taken proves that its last owner is gone.
type lock struct{ file *os.File }

var errLocked = errors.New("locked by another process")

func tryLock(path string) (*lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &lock{file: file}, nil
}

func (l *lock) release() {
	_ = l.file.Close()
}
