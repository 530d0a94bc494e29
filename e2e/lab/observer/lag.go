package observer

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// ProbeName is the HelmComponent by which the lag of the watch is measured: it
// has no owner, and the lab writes an annotation of it once a second.
const ProbeName = "load-lab-watch-probe"

// probeModule has a short name and a built-in chart, so that the operator is
// done with the probe soon.
const probeModule = "ory"

// pending bounds how many writes may wait for their event.
const pending = 1000

// Lag measures how long after the answer to a write its event arrives. An event
// that arrives before the answer has no lag.
type Lag struct {
	mu     sync.Mutex
	acked  map[uint64]time.Time
	seen   map[uint64]time.Time
	values *stats.Durations
	writes atomic.Int64
}

// NewLag returns a lag without values.
func NewLag() *Lag {
	return &Lag{acked: map[uint64]time.Time{}, seen: map[uint64]time.Time{}, values: stats.NewDurations()}
}

// Acked notes the answer to the write of a version, Seen its event; they may
// come in either order.
func (l *Lag) Acked(rv uint64, at time.Time) { l.pair(rv, at, l.acked, l.seen, 1) }

// Seen notes the event of a version.
func (l *Lag) Seen(rv uint64, at time.Time) { l.pair(rv, at, l.seen, l.acked, -1) }

func (l *Lag) pair(rv uint64, at time.Time, mine, others map[uint64]time.Time, sign time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := others[rv]; ok {
		delete(others, rv)
		l.values.Record(sign * other.Sub(at))
		return
	}
	if len(mine) < pending {
		mine[rv] = at
	}
}

// Summary returns the lags; nil where none was measured. Writes that are still
// without their event count with their age.
func (l *Lag) Summary(now time.Time) *stats.Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rv, at := range l.acked {
		l.values.Record(now.Sub(at))
		delete(l.acked, rv)
	}
	return l.values.Summary()
}

// Writes counts the probe's own requests.
func (l *Lag) Writes() int { return int(l.writes.Load()) }

// Probe makes the probe object and writes to it every so often until the context
// ends.
func (l *Lag) Probe(ctx context.Context, client rest.Interface, c clock.WithTicker, namespace string, every time.Duration) error {
	if err := l.write(ctx, client, c, namespace, 0); err != nil {
		return err
	}
	ticker := c.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			// A write that fails says nothing about the watch.
			_ = l.write(ctx, client, c, namespace, n)
		}
	}
}

// Remove deletes the probe object.
func (l *Lag) Remove(ctx context.Context, client rest.Interface, namespace string) error {
	base := "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + namespace + "/" + components
	if err := client.Delete().AbsPath(base + "/" + ProbeName).Do(ctx).Error(); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete the watch probe %s/%s: %w", namespace, ProbeName, err)
	}
	return nil
}

func (l *Lag) write(ctx context.Context, client rest.Interface, c clock.Clock, namespace string, n int) error {
	object := map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "HelmComponent",
		"metadata": map[string]any{
			"name": ProbeName, "namespace": namespace, "annotations": map[string]string{"load-lab/tick": strconv.Itoa(n)},
		},
		"spec": v1alpha1.HelmComponentSpec{ComponentName: probeModule},
	}
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode the watch probe: %w", err)
	}
	l.writes.Add(1)
	base := "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + namespace + "/" + components
	request := client.Patch(types.MergePatchType).AbsPath(base + "/" + ProbeName)
	if n == 0 {
		request = client.Post().AbsPath(base)
	}
	data, err := request.Body(body).Do(ctx).Raw()
	if err != nil {
		return fmt.Errorf("write the watch probe %s/%s: %w", namespace, ProbeName, err)
	}
	var answer struct {
		Metadata struct {
			ResourceVersion uint64 `json:"resourceVersion,string"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("parse the watch probe: %w", err)
	}
	l.Acked(answer.Metadata.ResourceVersion, c.Now())
	return nil
}
