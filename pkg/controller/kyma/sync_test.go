package kyma

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/commit"
	"github.com/kyma-incubator/kymactl/pkg/controller/informers"
	"github.com/kyma-incubator/kymactl/pkg/controller/queue"
	"github.com/kyma-incubator/kymactl/pkg/controller/throttle"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned/fake"
)

var keyPB = Key{cache.ObjectName{Namespace: "ns", Name: "pb"}}

type fixture struct {
	*Controller
	t        *testing.T
	client   *fake.Clientset
	clock    *clocktesting.FakeClock
	statuses []v1alpha1.KymaStatus
	changes  []string
	putError error
}

type noMetrics struct{}

func (noMetrics) StatusWrite(string, string, int)         {}
func (noMetrics) Reconciled(string, time.Duration, error) {}

// newFixture wires a controller whose caches hold the given objects.
func newFixture(t *testing.T, ky *v1alpha1.Kyma, children ...*v1alpha1.HelmComponent) *fixture {
	t.Helper()
	f := &fixture{t: t, client: fake.NewClientset(), clock: clocktesting.NewFakeClock(epoch)}
	kymas, err := informers.NewKymas(f.client, informers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	components, err := informers.NewHelmComponents(f.client, informers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Controller, err = New(Dependencies{
		Client: f.client.InventoryV1alpha1(), Create: f.create, PutStatus: f.putStatus, Kymas: kymas, Components: components,
		Throttle: throttle.New(throttle.Options{QPS: -1, MaxInFlight: 8, Clock: f.clock}),
		Clock:    f.clock, Metrics: noMetrics{}, Recorder: f,
		Current: func(context.Context, cache.ObjectName) (metav1.Object, error) { return nil, f.putError },
	}, Options{Workers: 1, Retry: queue.Retry{BaseDelay: time.Second, MaxDelay: time.Minute, QPS: 10, Burst: 10}, Timeline: timeline})
	if err != nil {
		t.Fatal(err)
	}
	if ky != nil {
		must(t, kymas.GetStore().Add(ky))
	}
	held := make([]any, len(children))
	for i, hc := range children {
		held[i] = hc
	}
	must(t, components.GetStore().Replace(held, "10"))
	t.Cleanup(f.queue.ShutDown)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) putStatus(_ context.Context, body commit.Body[v1alpha1.KymaStatus]) (string, error) {
	if f.putError != nil {
		return "", f.putError
	}
	f.statuses = append(f.statuses, body.Status)
	return "100", nil
}

func (f *fixture) create(ctx context.Context, hc *v1alpha1.HelmComponent) (string, error) {
	created, err := f.client.InventoryV1alpha1().HelmComponents(hc.Namespace).Create(ctx, hc, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return created.ResourceVersion, nil
}

func (f *fixture) KymaChanged(_ *v1alpha1.Kyma, _ *metav1.Condition, ready metav1.Condition) {
	f.changes = append(f.changes, ready.Reason)
}

// actions are the API calls of the controller, sorted.
func (f *fixture) actions() []string {
	var all []string
	for _, a := range f.client.Actions() {
		name := ""
		switch action := a.(type) {
		case clienttesting.CreateActionImpl:
			name = action.Object.(metav1.Object).GetName()
		case clienttesting.DeleteActionImpl:
			name = fmt.Sprintf("%s uid=%s", action.Name, *action.DeleteOptions.Preconditions.UID)
		case clienttesting.PatchActionImpl:
			name = action.Name
		}
		all = append(all, a.GetVerb()+" "+name)
	}
	slices.Sort(all)
	return all
}

// reply makes creations return objects with a resourceVersion, as a server does.
func (f *fixture) reply(err error) {
	f.client.PrependReactor("create", "helmcomponents", func(action clienttesting.Action) (bool, runtime.Object, error) {
		hc := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.HelmComponent).DeepCopy()
		hc.ResourceVersion = "50"
		return true, hc, err
	})
}

func (f *fixture) sync(want time.Duration) {
	f.t.Helper()
	after, err := f.Controller.sync(f.t.Context(), keyPB)
	if err != nil || after != want {
		f.t.Fatalf("sync = %s, %v; want %s", after, err, want)
	}
}

func (f *fixture) expectActions(want ...string) {
	f.t.Helper()
	if got := f.actions(); !slices.Equal(got, want) {
		f.t.Errorf("actions = %q, want %q", got, want)
	}
}

func TestSyncCreatesWhatIsMissingOnce(t *testing.T) {
	f := newFixture(t, kymaOf("ory", "istio"))
	f.reply(nil)
	f.sync(0)
	f.expectActions("create pb-istio", "create pb-ory")
	if len(f.statuses) != 1 || !slices.Equal(f.statuses[0].WaitingFor, []string{"ory", "istio"}) {
		t.Errorf("statuses = %+v", f.statuses)
	}
	// The cache shows nothing of it yet: neither components nor status.
	f.sync(staleDelay)
	ky := kymaOf("ory", "istio")
	ky.ResourceVersion, ky.Status = "100", f.statuses[0]
	must(t, f.Kymas.GetStore().Add(ky))
	f.sync(0)
	f.expectActions("create pb-istio", "create pb-ory")
	if len(f.statuses) != 1 {
		t.Errorf("%d status writes, want 1", len(f.statuses))
	}
}

func TestSyncWithOthersWaitingCreatesTheLongestOnly(t *testing.T) {
	f := newFixture(t, kymaOf("ory", "monitoring", "istio", "kiali", "serverless"))
	f.reply(nil)
	f.queue.Add(Key{cache.ObjectName{Namespace: "ns", Name: "other"}})
	f.sync(0)
	f.expectActions("create pb-istio", "create pb-monitoring", "create pb-serverless")
	if len(f.statuses) != 0 {
		t.Error("a status was written before all components are there")
	}
	if f.queue.Len() != 2 {
		t.Error("the Kyma did not queue up for its next component")
	}
}

func TestSyncCorrectsAndRemoves(t *testing.T) {
	ky := kymaOf("ory")
	f := newFixture(t, ky,
		childOf(ky, "ory", func(hc *v1alpha1.HelmComponent) { hc.Spec.Version = "9"; hc.Spec.ComponentName = "other" }),
		childOf(ky, "rafter"))
	f.client.PrependReactor("patch", "helmcomponents", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, childOf(ky, "ory"), nil
	})
	f.client.PrependReactor("delete", "helmcomponents", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	f.sync(0)
	f.expectActions("delete pb-rafter uid=uid-of-pb-rafter", "patch pb-ory")
	for _, a := range f.client.Actions() {
		if patch, ok := a.(clienttesting.PatchActionImpl); ok {
			var got map[string]map[string]any
			must(t, json.Unmarshal(patch.Patch, &got))
			if got["spec"]["componentName"] != "ory" || got["metadata"]["resourceVersion"] != "1" {
				t.Errorf("patch = %s", patch.Patch)
			}
			if version, ok := got["spec"]["version"]; !ok || version != nil {
				t.Errorf("the patch leaves a foreign version: %s", patch.Patch)
			}
		}
	}
	// What was deleted is still in the cache, and must not be deleted twice.
	f.client.ClearActions()
	plan, err := f.plan(ky)
	must(t, err)
	if len(plan.remove) != 0 {
		t.Error("a component would be deleted twice")
	}
}

func TestSyncWritesTheFinalSuccess(t *testing.T) {
	ky := kymaOf("ory", "istio")
	f := newFixture(t, ky, childOf(ky, "ory", succeeded), childOf(ky, "istio", succeeded))
	f.sync(0)
	if len(f.statuses) != 1 || f.statuses[0].Status != v1alpha1.KymaSuccess {
		t.Errorf("statuses = %+v", f.statuses)
	}
	if !slices.Equal(f.changes, []string{reasonSuccess}) {
		t.Errorf("changes told = %q", f.changes)
	}
	f.expectActions()
}

func TestSyncOfAConvergedKymaWritesNothing(t *testing.T) {
	ky := kymaOf("ory")
	child := childOf(ky, "ory", succeeded)
	ky.Status = statusOf(ky, makePlan(ky, viewOf(child), timeline), nil, epoch)
	f := newFixture(t, ky, child)
	f.clock.Step(time.Hour)
	f.sync(0)
	f.expectActions()
	if len(f.statuses) != 0 {
		t.Errorf("statuses = %+v", f.statuses)
	}
}

func TestSyncTellsWhatIsWrongAndBacksOff(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "helmcomponents"}, "pb-ory", errors.New("no"))
	tests := map[string]struct {
		reply    error
		children []*v1alpha1.HelmComponent
		reason   string
		words    string
	}{
		"refused":       {reply: forbidden, reason: reasonWriteRefused, words: "create helmcomponent pb-ory"},
		"name is taken": {children: []*v1alpha1.HelmComponent{{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pb-ory"}}}, reason: reasonNameTaken, words: "pb-ory"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, kymaOf("ory"), tc.children...)
			f.reply(tc.reply)
			_, err := f.Controller.sync(t.Context(), keyPB)
			if err == nil || !strings.Contains(err.Error(), tc.words) {
				t.Errorf("err = %v, want one that names %s", err, tc.words)
			}
			if len(f.statuses) != 1 || f.statuses[0].Conditions[0].Reason != tc.reason {
				t.Errorf("statuses = %+v", f.statuses)
			}
		})
	}
}

func TestSyncLeavesAlone(t *testing.T) {
	now := metav1.NewTime(epoch)
	going := kymaOf("ory")
	going.DeletionTimestamp = &now
	for name, ky := range map[string]*v1alpha1.Kyma{"gone": nil, "being deleted": going} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, ky)
			f.sync(0)
			f.expectActions()
		})
	}
}

// A component of a Kyma that was made again under its old name belongs to the
// old one: it is neither adopted nor deleted.
func TestSyncOfAKymaMadeAgainWaitsForItsPredecessorsComponents(t *testing.T) {
	old := kymaOf("ory")
	old.UID = "uid-of-before"
	f := newFixture(t, kymaOf("ory"), childOf(old, "ory"))
	if _, err := f.Controller.sync(t.Context(), keyPB); err == nil {
		t.Error("no back-off while the name is taken")
	}
	f.expectActions()
}

func TestConflictsAndBusyServers(t *testing.T) {
	ky := kymaOf("ory")
	f := newFixture(t, ky, childOf(ky, "ory"))
	f.putError = apierrors.NewConflict(schema.GroupResource{}, "pb", errors.New("changed"))
	f.sync(staleDelay)
	f.putError = nil
	var release func()
	for range 8 {
		var err error
		release, err = f.Throttle.TryAcquire()
		must(t, err)
	}
	f.sync(busyDelay)
	if len(f.statuses) != 0 || !f.Throttle.Parked(keyPB) {
		t.Error("an intermediate status was written on a busy server")
	}
	release()
	f.sync(0)
	if len(f.statuses) != 1 {
		t.Error("an intermediate status was not written when there was capacity to spare")
	}
}

// What is parked and gone would be woken for nothing.
func TestParkedKymasThatAreGoneLeave(t *testing.T) {
	f := newFixture(t, nil)
	for range 8 {
		_, err := f.Throttle.TryAcquire()
		must(t, err)
	}
	f.Throttle.Park(keyPB, epoch, func() {})
	f.sync(0)
	if f.Throttle.Parked(keyPB) {
		t.Error("a Kyma that is gone is still parked")
	}
}
