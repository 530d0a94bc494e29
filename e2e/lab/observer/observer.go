// Package observer watches Kymas and HelmComponents and feeds a recorder. It
// keeps its own cost low: one stream per kind and namespace, decoded only as far
// as the record needs. Every break of a stream is recorded as a gap, and the lag
// of the stream is measured with a probe object (see lag.go).
package observer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// The two kinds that are watched.
const (
	kymas      = "kymas"
	components = "helmcomponents"
)

// reconnectAfter is the pause before a broken stream is opened again.
const reconnectAfter = 200 * time.Millisecond

// Observer watches.
type Observer struct {
	client   rest.Interface
	clock    clock.Clock
	recorder *history.Recorder
	lag      *Lag
	wg       sync.WaitGroup
}

// New returns an observer; lag may be nil.
func New(client rest.Interface, c clock.Clock, recorder *history.Recorder, lag *Lag) *Observer {
	return &Observer{client: client, clock: c, recorder: recorder, lag: lag}
}

// Start lists and then watches: Kymas in all the namespaces, components in the
// watched ones. It returns once the lists are recorded; the watches end with the
// context. Wait waits for their end.
func (o *Observer) Start(ctx context.Context, namespaces, watched []string) error {
	open := func(resource, namespace string) error {
		s := &stream{Observer: o, resource: resource, namespace: namespace}
		if err := s.list(ctx); err != nil {
			return err
		}
		o.wg.Go(func() { s.run(ctx) })
		return nil
	}
	for _, ns := range namespaces {
		if err := open(kymas, ns); err != nil {
			return err
		}
	}
	for _, ns := range watched {
		if err := open(components, ns); err != nil {
			return err
		}
	}
	return nil
}

// Wait returns when all watches have ended.
func (o *Observer) Wait() { o.wg.Wait() }

// stream is the watch of one kind in one namespace.
type stream struct {
	*Observer
	resource, namespace string
	// version is where the stream is.
	version string
}

func (s *stream) path() string {
	return "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + s.namespace + "/" + s.resource
}

// list records the present state and sets the version to watch from.
func (s *stream) list(ctx context.Context) error {
	data, err := s.client.Get().AbsPath(s.path()).Do(ctx).Raw()
	if err != nil {
		return fmt.Errorf("list %s in %s: %w", s.resource, s.namespace, err)
	}
	var list listWire
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("parse list of %s: %w", s.resource, err)
	}
	now := s.clock.Now()
	present := map[types.UID]bool{}
	for _, item := range list.Items {
		uid, err := s.record(item, false, now)
		if err != nil {
			return err
		}
		present[uid] = true
	}
	s.version = list.Metadata.ResourceVersion
	rv, err := strconv.ParseUint(s.version, 10, 64)
	if err != nil {
		return fmt.Errorf("parse resourceVersion of the list of %s: %w", s.resource, err)
	}
	s.recorder.Relisted(s.resource, s.namespace, present, rv, now)
	return nil
}

// run watches until the context ends, and notes each break.
func (s *stream) run(ctx context.Context) {
	for {
		err := s.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		broke := s.clock.Now()
		lost := errors.Is(err, errExpired)
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.clock.After(reconnectAfter):
			}
			if !lost {
				break
			}
			if s.list(ctx) == nil {
				break
			}
		}
		s.recorder.Gap(history.Gap{Resource: s.resource, From: broke, To: s.clock.Now(), Lost: lost})
	}
}

// errExpired means that the watch cannot go on where it was.
var errExpired = errors.New("resource version expired")

func (s *stream) watch(ctx context.Context) error {
	body, err := s.client.Get().AbsPath(s.path()).Param("watch", "true").Param("allowWatchBookmarks", "true").
		Param("resourceVersion", s.version).Stream(ctx)
	if err != nil {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return errExpired
		}
		return fmt.Errorf("watch %s: %w", s.resource, err)
	}
	defer func() { _ = body.Close() }()
	decoder := json.NewDecoder(body)
	for {
		var f frame
		if err := decoder.Decode(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read watch of %s: %w", s.resource, err)
		}
		if err := s.handle(f, s.clock.Now()); err != nil {
			return err
		}
	}
}

func (s *stream) handle(f frame, at time.Time) error {
	switch f.Type {
	case "ADDED", "MODIFIED":
		_, err := s.record(f.Object, false, at)
		return err
	case "DELETED":
		_, err := s.record(f.Object, true, at)
		return err
	case "BOOKMARK":
		var w struct {
			Metadata meta `json:"metadata"`
		}
		if err := json.Unmarshal(f.Object, &w); err != nil {
			return fmt.Errorf("parse bookmark of %s: %w", s.resource, err)
		}
		s.at(w.Metadata.ResourceVersion)
		return nil
	default:
		var status statusWire
		if err := json.Unmarshal(f.Object, &status); err != nil {
			return fmt.Errorf("parse error of the watch of %s: %w", s.resource, err)
		}
		if status.Code == http.StatusGone {
			return errExpired
		}
		return fmt.Errorf("watch of %s: %s", s.resource, status.Message)
	}
}

func (s *stream) at(rv uint64) { s.version = strconv.FormatUint(rv, 10) }

// record hands one object to the recorder, but for the probe object of the lag.
func (s *stream) record(object []byte, deleted bool, at time.Time) (types.UID, error) {
	if s.resource == kymas {
		var w kymaWire
		if err := json.Unmarshal(object, &w); err != nil {
			return "", fmt.Errorf("parse Kyma: %w", err)
		}
		s.at(w.Metadata.ResourceVersion)
		s.recorder.Kyma(w.seen(deleted), at)
		return w.Metadata.UID, nil
	}
	var w componentWire
	if err := json.Unmarshal(object, &w); err != nil {
		return "", fmt.Errorf("parse HelmComponent: %w", err)
	}
	s.at(w.Metadata.ResourceVersion)
	if w.Metadata.Name == ProbeName {
		if s.lag != nil {
			s.lag.Seen(w.Metadata.ResourceVersion, at)
		}
		return w.Metadata.UID, nil
	}
	s.recorder.Component(w.seen(deleted), at)
	return w.Metadata.UID, nil
}
