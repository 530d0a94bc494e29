package render

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// store keeps fetched archives in a directory: <digest>.tgz for the content and
// <ref>.ref, which holds a digest, for each thing that was asked for. A file is
// believed only when it has the digest that names it.
type store struct {
	mu    sync.Mutex
	dir   string
	limit int64
	clock clock.PassiveClock
}

const (
	blobSuffix = ".tgz"
	refSuffix  = ".ref"
)

// openStore makes the directory. Without one it takes the user's cache
// directory, and where that cannot be written, as in a container with a
// read-only root, a temporary one.
func openStore(dir string, limit int64, clk clock.PassiveClock) (*store, error) {
	if dir == "" {
		if base, err := os.UserCacheDir(); err == nil {
			dir = filepath.Join(base, "kyma-operator", "charts")
		}
		if dir == "" || os.MkdirAll(dir, 0o700) != nil {
			temporary, err := os.MkdirTemp("", "kyma-operator-charts-")
			if err != nil {
				return nil, fmt.Errorf("make directory for fetched charts: %w", err)
			}
			dir = temporary
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for fetched charts: %w", err)
	}
	return &store{dir: dir, limit: limit, clock: clk}, nil
}

func (s *store) root() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open directory for fetched charts: %w", err)
	}
	return root, nil
}

// get returns nil where the chart is not there.
func (s *store) get(ref string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	digest, err := root.ReadFile(ref + refSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read reference: %w", err)
	}
	name := string(bytes.TrimSpace(digest)) + blobSuffix
	archive, err := root.ReadFile(name)
	if err != nil || hexDigest(archive)+blobSuffix != name {
		// Evicted, or not what it was: fetch it again.
		_ = root.Remove(ref + refSuffix)
		return nil, nil
	}
	now := s.clock.Now()
	_ = root.Chtimes(name, now, now) // eviction goes by the last use
	return archive, nil
}

func (s *store) put(ref string, archive []byte) error {
	if int64(len(archive)) > s.limit {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := s.root()
	if err != nil {
		return err
	}
	defer root.Close()
	digest := hexDigest(archive)
	if err := s.write(root, digest+blobSuffix, archive); err != nil {
		return err
	}
	if err := s.write(root, ref+refSuffix, []byte(digest+"\n")); err != nil {
		return err
	}
	return s.evict(root, digest+blobSuffix)
}

// write puts a whole file in place or none.
func (s *store) write(root *os.Root, name string, data []byte) error {
	temporary := name + ".tmp"
	if err := root.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("write fetched chart: %w", err)
	}
	now := s.clock.Now()
	if err := root.Chtimes(temporary, now, now); err != nil {
		return fmt.Errorf("write fetched chart: %w", err)
	}
	if err := root.Rename(temporary, name); err != nil {
		return fmt.Errorf("write fetched chart: %w", err)
	}
	return nil
}

// evict removes the archives used longest ago until the rest fits. References
// to them are removed when they are next looked up, and with the oldest
// archives here, so that they do not pile up.
func (s *store) evict(root *os.Root, keep string) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("list fetched charts: %w", err)
	}
	type file struct {
		name string
		size int64
		used time.Time
	}
	var files []file
	var total int64
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		files = append(files, file{entry.Name(), cost(entry.Name(), info.Size()), info.ModTime()})
		total += files[len(files)-1].size
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.name, b.name)) })
	for _, f := range files {
		if total <= s.limit {
			break
		}
		if f.name == keep {
			continue
		}
		if err := root.Remove(f.name); err != nil {
			return fmt.Errorf("evict fetched chart: %w", err)
		}
		total -= f.size
	}
	return nil
}

// cost counts a reference as the block it takes on disk.
func cost(name string, bytes int64) int64 {
	if strings.HasSuffix(name, refSuffix) {
		return 4096
	}
	return bytes
}

func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
