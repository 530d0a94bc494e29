// Package generator sends what the schedule says, when it says so. It never
// waits for an answer before the next send is due, and it records how late it
// was itself.
package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/e2e/lab/schedule"
	"github.com/kyma-incubator/kymactl/e2e/lab/stats"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// A create whose outcome is unknown, or that the server refused for load, is
// tried again.
const (
	attempts   = 8
	retryAfter = 500 * time.Millisecond
)

// Generator creates, changes and deletes Kymas. It is safe for concurrent use.
type Generator struct {
	client   rest.Interface
	clock    clock.Clock
	recorder *history.Recorder
	modules  []v1alpha1.KymaComponent

	acked, failed, writes atomic.Int64
	mu                    sync.Mutex
	delay                 *stats.Durations
	uids                  map[history.Ref]types.UID
	first, last           time.Time
}

// New returns a generator of Kymas with the given modules. The client's own
// limits must be off.
func New(client rest.Interface, c clock.Clock, recorder *history.Recorder, modules []v1alpha1.KymaComponent) *Generator {
	return &Generator{
		client: client, clock: c, recorder: recorder, modules: modules,
		delay: stats.NewDurations(), uids: map[history.Ref]types.UID{},
	}
}

// Run sends a schedule and returns when every send was answered. At most
// inFlight requests are under way; a send that has to wait for a place is late,
// and its lateness is recorded.
func (g *Generator) Run(ctx context.Context, sends []schedule.Send, inFlight int) error {
	start := g.clock.Now()
	places := make(chan struct{}, inFlight)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, send := range sends {
		due := start.Add(send.After)
		if wait := due.Sub(g.clock.Now()); wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-g.clock.After(wait):
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case places <- struct{}{}:
		}
		wg.Go(func() {
			defer func() { <-places }()
			g.Create(ctx, send.Ref, due)
		})
	}
	return nil
}

// Create sends one Kyma that was due at the given moment.
func (g *Generator) Create(ctx context.Context, ref history.Ref, due time.Time) {
	g.CreateWith(ctx, ref, due, g.modules)
}

// CreateWith is Create with other modules.
func (g *Generator) CreateWith(ctx context.Context, ref history.Ref, due time.Time, modules []v1alpha1.KymaComponent) {
	act := history.Act{Kind: history.CreateKyma, Ref: ref, Scheduled: due, Sent: g.clock.Now()}
	g.noteSend(act.Sent, act.Sent.Sub(due))
	uid, rv, err := g.create(ctx, ref, modules)
	act.Acked, act.UID, act.RV = g.clock.Now(), uid, rv
	if err != nil {
		act.Error = err.Error()
		g.failed.Add(1)
	} else {
		g.acked.Add(1)
		g.mu.Lock()
		g.uids[ref] = uid
		g.mu.Unlock()
	}
	g.recorder.Act(act)
}

func (g *Generator) create(ctx context.Context, ref history.Ref, modules []v1alpha1.KymaComponent) (types.UID, uint64, error) {
	body, err := encode(ref, modules)
	if err != nil {
		return "", 0, err
	}
	for attempt := 1; ; attempt++ {
		g.writes.Add(1)
		data, err := g.client.Post().AbsPath(path(ref.Namespace, "")).Param("fieldValidation", "Ignore").Body(body).Do(ctx).Raw()
		if apierrors.IsAlreadyExists(err) && attempt > 1 {
			// An attempt whose answer was lost has done it.
			data, err = g.client.Get().AbsPath(path(ref.Namespace, ref.Name)).Do(ctx).Raw()
		}
		if err == nil {
			return identity(data)
		}
		if attempt == attempts || apierrors.IsAlreadyExists(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err) || ctx.Err() != nil {
			return "", 0, fmt.Errorf("create Kyma %s: %w", ref, err)
		}
		select {
		case <-ctx.Done():
			return "", 0, ctx.Err()
		case <-g.clock.After(retryAfter):
		}
	}
}

// Refused sends a Kyma that the API server must not take, once, and tells
// whether it was refused.
func (g *Generator) Refused(ctx context.Context, ref history.Ref, modules []v1alpha1.KymaComponent) bool {
	body, err := encode(ref, modules)
	if err != nil {
		return false
	}
	g.writes.Add(1)
	return g.client.Post().AbsPath(path(ref.Namespace, "")).Body(body).Do(ctx).Error() != nil
}

func encode(ref history.Ref, modules []v1alpha1.KymaComponent) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Kyma",
		"metadata": map[string]any{"namespace": ref.Namespace, "name": ref.Name},
		"spec":     v1alpha1.KymaSpec{Components: modules},
	})
	if err != nil {
		return nil, fmt.Errorf("encode Kyma %s: %w", ref, err)
	}
	return body, nil
}

// SetModules replaces the modules of a Kyma.
func (g *Generator) SetModules(ctx context.Context, ref history.Ref, modules []v1alpha1.KymaComponent) error {
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"components": modules}})
	if err != nil {
		return fmt.Errorf("encode modules of Kyma %s: %w", ref, err)
	}
	act := history.Act{Kind: history.UpdateKyma, Ref: ref, UID: g.uid(ref), Sent: g.clock.Now()}
	g.writes.Add(1)
	data, err := g.client.Patch(types.MergePatchType).AbsPath(path(ref.Namespace, ref.Name)).Body(body).Do(ctx).Raw()
	if err == nil {
		_, act.RV, err = identity(data)
	}
	return g.finish(act, err)
}

// Delete deletes a Kyma of this generator by its UID.
func (g *Generator) Delete(ctx context.Context, ref history.Ref) error {
	uid := g.uid(ref)
	act := history.Act{Kind: history.DeleteKyma, Ref: ref, UID: uid, Sent: g.clock.Now()}
	body, err := json.Marshal(metav1.DeleteOptions{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, Preconditions: metav1.NewUIDPreconditions(string(uid)),
	})
	if err != nil {
		return fmt.Errorf("encode deletion of Kyma %s: %w", ref, err)
	}
	g.writes.Add(1)
	return g.finish(act, g.client.Delete().AbsPath(path(ref.Namespace, ref.Name)).Body(body).Do(ctx).Error())
}

// DeleteAll deletes every Kyma that this generator created and that still lives.
func (g *Generator) DeleteAll(ctx context.Context) error {
	g.mu.Lock()
	refs := slices.Collect(maps.Keys(g.uids))
	g.mu.Unlock()
	var errs []error
	for _, ref := range refs {
		if err := g.Delete(ctx, ref); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (g *Generator) finish(act history.Act, err error) error {
	act.Acked = g.clock.Now()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", act.Kind, act.Ref, err)
		act.Error = err.Error()
	}
	g.recorder.Act(act)
	return err
}

func (g *Generator) uid(ref history.Ref) types.UID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.uids[ref]
}

func (g *Generator) noteSend(sent time.Time, late time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay.Record(late)
	if g.first.IsZero() {
		g.first = sent
	}
	g.last = sent
}

// Acked counts the acknowledged creates.
func (g *Generator) Acked() int { return int(g.acked.Load()) }

// Failed counts the creates that were refused.
func (g *Generator) Failed() int { return int(g.failed.Load()) }

// Writes counts all requests that were sent.
func (g *Generator) Writes() int { return int(g.writes.Load()) }

// Sends returns when the first and the last create left, and how late they were.
func (g *Generator) Sends() (first, last time.Time, delay *stats.Summary) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first, g.last, g.delay.Summary()
}

func path(namespace, name string) string {
	p := "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + namespace + "/kymas"
	if name != "" {
		p += "/" + name
	}
	return p
}

// identity reads uid and resourceVersion of an answer, and nothing else.
func identity(data []byte) (types.UID, uint64, error) {
	var answer struct {
		Metadata struct {
			UID             types.UID `json:"uid"`
			ResourceVersion uint64    `json:"resourceVersion,string"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", 0, fmt.Errorf("parse answer: %w", err)
	}
	return answer.Metadata.UID, answer.Metadata.ResourceVersion, nil
}
