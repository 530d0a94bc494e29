package render

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/ignore"
)

// builtinSource reads the charts in the binary. They never change.
type builtinSource struct {
	fs     fs.FS
	limits Limits
	loaded sync.Map // component name to chartData
}

func (s *builtinSource) stamp(*Request) (stamp, bool) { return stamp{}, true }

func (s *builtinSource) load(_ context.Context, req *Request) (chartData, error) {
	if c, ok := s.loaded.Load(req.Component); ok {
		return c.(chartData), nil
	}
	if _, err := fs.Stat(s.fs, path.Join(req.Component, "Chart.yaml")); err != nil {
		return chartData{}, failure(KindNotFound, "there is no built-in chart named %s", req.Component).because(err)
	}
	files, err := (&dirReader{fs: s.fs, limits: s.limits}).read(req.Component)
	if err != nil {
		return chartData{}, err
	}
	c := chartData{digest: digestFiles(files), files: files, builtin: true}
	s.loaded.Store(req.Component, c)
	return c, nil
}

// localSource reads charts under the charts directory, through an os.Root, so
// that no path and no link leads out of it. The root is opened anew each time:
// whoever updates charts may put a new directory in the old one's place.
type localSource struct {
	dir    string
	limits Limits
}

// at gives the path of the request's chart within the directory.
func (s *localSource) at(req *Request) (string, error) {
	location := req.ChartLocation
	if location == "" {
		return req.Component, nil
	}
	outside := failure(KindRefused, "the chart location lies outside the charts directory")
	if filepath.IsAbs(location) {
		base, err := filepath.Abs(s.dir)
		if err != nil {
			return "", failure(KindInternal, "the charts directory cannot be found").because(err)
		}
		if location, err = filepath.Rel(base, location); err != nil {
			return "", outside.because(err)
		}
	}
	if !filepath.IsLocal(location) {
		return "", outside
	}
	return path.Clean(filepath.ToSlash(location)), nil
}

// find opens the root and tells what the chart is there: a directory or a .tgz.
func (s *localSource) find(req *Request) (*os.Root, string, fs.FileInfo, error) {
	at, err := s.at(req)
	if err != nil {
		return nil, "", nil, err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, "", nil, failure(KindNotFound, "the charts directory cannot be opened").because(err)
	}
	info, err := root.Stat(at)
	if errors.Is(err, fs.ErrNotExist) && req.ChartLocation == "" {
		at += ".tgz"
		info, err = root.Stat(at)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = failure(KindNotFound, "there is no chart %s in the charts directory", strings.TrimSuffix(at, ".tgz")).because(err)
	case err != nil:
		// os.Root reports a link that leads out with an error of its own.
		err = failure(KindRefused, "the chart location cannot be reached within the charts directory").because(err)
	case info.IsDir(), info.Mode().IsRegular() && strings.HasSuffix(at, ".tgz"):
		return root, at, info, nil
	default:
		err = failure(KindInvalid, "the chart location is neither a directory nor a .tgz file")
	}
	root.Close()
	return nil, "", nil, err
}

func (s *localSource) load(_ context.Context, req *Request) (chartData, error) {
	root, at, info, err := s.find(req)
	if err != nil {
		return chartData{}, err
	}
	defer root.Close()
	reader := &dirReader{fs: rootFS{root}, limits: s.limits}
	if !info.IsDir() {
		archive, err := reader.file(at, s.limits.ArchiveBytes)
		if err != nil {
			return chartData{}, err
		}
		return chartData{digest: sha256.Sum256(archive), archive: archive}, nil
	}
	files, err := reader.read(at)
	if err != nil {
		return chartData{}, err
	}
	return chartData{digest: digestFiles(files), files: files}, nil
}

func (s *localSource) stamp(req *Request) (stamp, bool) {
	root, at, _, err := s.find(req)
	if err != nil {
		return stamp{}, false
	}
	defer root.Close()
	h := sha256.New()
	count := 0
	err = fs.WalkDir(root.FS(), at, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if count++; count > s.limits.Files {
			return fs.SkipAll // the chart is refused anyway
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		h.Write([]byte(name))
		_ = binary.Write(h, binary.BigEndian, [3]int64{info.Size(), info.ModTime().UnixNano(), int64(info.Mode())})
		return nil
	})
	if err != nil {
		return stamp{}, false
	}
	return stamp(h.Sum(nil)), false
}

// rootFS opens files so that a named pipe in a chart cannot block the operator.
type rootFS struct{ *os.Root }

func (r rootFS) Open(name string) (fs.File, error) {
	return r.OpenFile(name, os.O_RDONLY|nonblock, 0)
}

// dirReader reads a chart's directory within the limits.
type dirReader struct {
	fs     fs.FS
	limits Limits
	rules  *ignore.Rules
	bytes  int64
	count  int
	files  []chartFile
}

// maxIgnore bounds .helmignore, whose every line is matched with every file.
const maxIgnore = 16 << 10

func (r *dirReader) read(dir string) ([]chartFile, error) {
	rules, err := r.ignores(path.Join(dir, ignore.HelmIgnore))
	if err != nil {
		return nil, err
	}
	r.rules = rules
	err = fs.WalkDir(r.fs, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return failure(KindInvalid, "the chart's directory cannot be read").because(err)
		}
		if name == dir {
			return nil
		}
		return r.visit(name, strings.TrimPrefix(name, dir+"/"), entry)
	})
	if err != nil {
		return nil, err
	}
	if len(r.files) == 0 {
		return nil, failure(KindInvalid, "the chart's directory is empty")
	}
	return r.files, nil
}

func (r *dirReader) visit(name, within string, entry fs.DirEntry) error {
	if r.count++; r.count > r.limits.Files {
		return failure(KindTooLarge, "the chart has more than %d files", r.limits.Files)
	}
	info, err := entry.Info()
	if err != nil {
		return failure(KindInvalid, "the chart's directory cannot be read").because(err)
	}
	ignored := r.rules.Ignore(within, info)
	switch {
	case entry.IsDir() && ignored:
		return fs.SkipDir
	case entry.IsDir(), ignored:
		return nil
	case entry.Type()&fs.ModeSymlink != 0:
		return failure(KindRefused, "the chart holds a link, %s", within)
	case !entry.Type().IsRegular():
		return failure(KindRefused, "the chart holds something that is not a file, %s", within)
	}
	data, err := r.file(name, r.limits.FileBytes)
	if err != nil {
		return err
	}
	if r.bytes += int64(len(data)); r.bytes > r.limits.UnpackedBytes {
		return failure(KindTooLarge, "the chart is larger than %s", size(r.limits.UnpackedBytes))
	}
	r.files = append(r.files, chartFile{name: within, data: data})
	return nil
}

func (r *dirReader) ignores(name string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	if info, err := fs.Stat(r.fs, name); err == nil && info.Mode().IsRegular() {
		data, err := r.file(name, maxIgnore)
		if err != nil {
			return nil, err
		}
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, failure(KindInvalid, "the chart's %s is not valid", ignore.HelmIgnore).because(err)
		}
	}
	rules.AddDefaults()
	return rules, nil
}

// file reads one regular file of at most limit bytes.
func (r *dirReader) file(name string, limit int64) ([]byte, error) {
	f, err := r.fs.Open(name)
	if err != nil {
		return nil, failure(KindInvalid, "%s cannot be read", path.Base(name)).because(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, failure(KindRefused, "%s is not a file", path.Base(name)).because(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, failure(KindInvalid, "%s cannot be read", path.Base(name)).because(err)
	}
	if int64(len(data)) > limit {
		return nil, failure(KindTooLarge, "%s is larger than %s", path.Base(name), size(limit))
	}
	return data, nil
}
