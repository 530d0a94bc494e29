package render

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
)

// chartData is a chart as its source gives it: bounded, and not parsed.
type chartData struct {
	digest  [sha256.Size]byte
	archive []byte      // a .tgz, or
	files   []chartFile // the files of a directory, sorted by name
	builtin bool
}

// stamp tells cheaply that a chart may have changed. The zero stamp stands for
// a chart that is not there.
type stamp [sha256.Size]byte

// source finds the chart of a request.
type source interface {
	// stamp is called about once a second for every chart in use; fixed is set
	// where the chart can never change.
	stamp(req *Request) (s stamp, fixed bool)
	load(ctx context.Context, req *Request) (chartData, error)
}

// sources picks the source by the request's location.
type sources struct {
	builtin, local, remote source
	hasDir                 bool
}

func newSources(opts Options, f fetcher) *sources {
	return &sources{
		builtin: &builtinSource{fs: opts.Builtin, limits: opts.Limits},
		local:   &localSource{dir: opts.ChartsDir, limits: opts.Limits},
		remote:  newRemoteSource(opts, f),
		hasDir:  opts.ChartsDir != "",
	}
}

// names is what a component may be called: a DNS label, as in the API.
var names = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (s *sources) pick(req *Request) (source, error) {
	if !names.MatchString(req.Component) {
		return nil, failure(KindRefused, "the component's name %q is not a DNS label", req.Component)
	}
	scheme, _, remote := strings.Cut(req.ChartLocation, "://")
	switch {
	case req.ChartLocation == "" && !s.hasDir:
		return s.builtin, nil
	case !remote && !s.hasDir:
		return nil, failure(KindRefused, "a path as chart location needs a charts directory, and there is none")
	case !remote:
		return s.local, nil
	case scheme == "oci", scheme == "https", scheme == "http":
		return s.remote, nil
	default:
		return nil, failure(KindRefused, "charts are not read from %s://", scheme)
	}
}

func (s *sources) stamp(req *Request) (stamp, bool) {
	src, err := s.pick(req)
	if err != nil {
		return stamp{}, true
	}
	return src.stamp(req)
}

func (s *sources) load(ctx context.Context, req *Request) (chartData, error) {
	src, err := s.pick(req)
	if err != nil {
		return chartData{}, err
	}
	return src.load(ctx, req)
}

// digestFiles sorts the files and hashes names and contents.
func digestFiles(files []chartFile) [sha256.Size]byte {
	slices.SortFunc(files, func(a, b chartFile) int { return strings.Compare(a.name, b.name) })
	h := sha256.New()
	var length [16]byte
	for _, f := range files {
		binary.BigEndian.PutUint64(length[:8], uint64(len(f.name)))
		binary.BigEndian.PutUint64(length[8:], uint64(len(f.data)))
		h.Write(length[:])
		h.Write([]byte(f.name))
		h.Write(f.data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// fetcher gets a chart's archive over the network.
type fetcher interface {
	fetch(ctx context.Context, req *Request) ([]byte, error)
}

// remoteSource fetches charts and keeps them on disk. A version is taken to
// stay what it was when it was fetched first.
type remoteSource struct {
	fetcher   fetcher
	plainHTTP bool

	mu    sync.Mutex
	store *store
	open  func() (*store, error)
}

func newRemoteSource(opts Options, f fetcher) *remoteSource {
	return &remoteSource{
		fetcher: f, plainHTTP: opts.AllowPlainHTTP,
		open: func() (*store, error) { return openStore(opts.FetchDir, opts.FetchBytes, opts.Clock) },
	}
}

func (s *remoteSource) stamp(*Request) (stamp, bool) { return stamp{}, true }

func (s *remoteSource) load(ctx context.Context, req *Request) (chartData, error) {
	if err := s.check(req); err != nil {
		return chartData{}, err
	}
	store, err := s.disk()
	if err != nil {
		return chartData{}, failure(KindInternal, "the directory for fetched charts cannot be used").because(err)
	}
	ref := remoteRef(req)
	archive, err := store.get(ref)
	if err != nil {
		return chartData{}, failure(KindInternal, "the directory for fetched charts cannot be read").because(err)
	}
	if archive == nil {
		if archive, err = s.fetcher.fetch(ctx, req); err != nil {
			return chartData{}, err
		}
		// A chart that cannot be kept is fetched again next time, no more.
		_ = store.put(ref, archive)
	}
	return chartData{digest: sha256.Sum256(archive), archive: archive}, nil
}

// check refuses what no fetch should be started for.
func (s *remoteSource) check(req *Request) error {
	scheme, rest, _ := strings.Cut(req.ChartLocation, "://")
	last := rest[strings.LastIndex(rest, "/")+1:]
	pinned := (scheme == "oci" && strings.ContainsAny(last, ":@") && strings.Contains(rest, "/")) ||
		(scheme != "oci" && strings.HasSuffix(last, ".tgz"))
	switch {
	case scheme == "http" && !s.plainHTTP:
		return failure(KindRefused, "charts are not read from http://")
	case strings.Contains(rest, "@") && scheme != "oci":
		return failure(KindRefused, "a chart location holds no user or password")
	case req.Version == "" && !pinned:
		return failure(KindInvalid, "a chart of a repository needs a version")
	case req.Version != "" && !exact(req.Version):
		return failure(KindInvalid, "the version %q is not an exact one", req.Version)
	}
	return nil
}

// exact tells a version from a range, which would be another chart over time.
func exact(version string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	return err == nil
}

func (s *remoteSource) disk() (*store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store == nil {
		opened, err := s.open()
		if err != nil {
			return nil, err
		}
		s.store = opened
	}
	return s.store, nil
}

// remoteRef names what a request fetches: a repository's chart is named like the
// component.
func remoteRef(req *Request) string {
	sum := sha256.Sum256([]byte(req.ChartLocation + "\x00" + req.Version + "\x00" + req.Component))
	return hex.EncodeToString(sum[:])
}
