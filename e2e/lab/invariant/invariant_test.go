package invariant

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/e2e/lab/history"
	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
	"github.com/kyma-incubator/kymactl/pkg/controller/lifecycle"
)

var (
	origin  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	modules = []string{"istio", "ory"}
)

const ns = "lab"

// goodRun is a run of two Kymas with two modules each, in which nothing is
// wrong: the tests break it in one place each.
func goodRun() Input {
	h := &history.History{
		Kymas: map[types.UID]*history.Kyma{}, Components: map[types.UID]*history.Component{}, Watched: map[string]bool{ns: true},
	}
	final := &history.Final{At: origin.Add(2 * time.Minute)}
	for i := range 2 {
		addKyma(h, final, fmt.Sprintf("ky-%d", i), uint64(1000*(i+1)))
	}
	reference, err := ReferenceFrom(final)
	if err != nil {
		panic(err)
	}
	return Input{
		History: h, Final: final, Timeline: lifecycle.Timeline{Unit: time.Second},
		Converged: true, GCGrace: 10 * time.Second, Early: time.Second,
		Settle:    &Settle{Wanted: time.Minute, Lasted: time.Minute, Writes: new(0.0), QueueDepth: new(0.0)},
		Process:   &Process{Starts: 2, Injected: 2, LogRead: true, GoroutinesBefore: new(50.0), GoroutinesAfter: new(52.0), HeapBefore: new(5e6), HeapAfter: new(5e6)},
		Poison:    &Poison{ControlP99: 10 * time.Second, PoisonedP99: 10 * time.Second},
		Reference: &Reference{Faults: 1, Masked: reference},
	}
}

func addKyma(h *history.History, final *history.Final, name string, rv uint64) {
	ref := history.Ref{Namespace: ns, Name: name}
	uid := types.UID("uid-" + name)
	k := v1alpha1.Kyma{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, UID: uid, Generation: 1},
		Status:     v1alpha1.KymaStatus{Status: v1alpha1.KymaSuccess, ObservedGeneration: 1, Components: "2/2"},
	}
	h.Acts = append(h.Acts, history.Act{Kind: history.CreateKyma, Ref: ref, UID: uid, Sent: origin, Acked: origin})
	life := &history.Kyma{UID: uid, Ref: ref, Created: origin, Versions: []history.KymaVersion{
		{RV: rv, At: origin, Generation: 1, Modules: modules},
		{RV: rv + 900, At: origin.Add(20 * time.Second), Generation: 1, Observed: 1, Status: v1alpha1.KymaSuccess, Modules: modules},
	}}
	h.Kymas[uid] = life
	for j, module := range modules {
		k.Spec.Components = append(k.Spec.Components, v1alpha1.KymaComponent{Name: module})
		hc := v1alpha1.HelmComponent{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: ns, Name: name + "-" + module, UID: types.UID("uid-" + name + "-" + module),
				OwnerReferences: []metav1.OwnerReference{{Kind: "Kyma", Name: name, UID: uid, Controller: new(true)}},
				Labels:          map[string]string{v1alpha1.LabelKyma: name},
			},
			Spec:   v1alpha1.HelmComponentSpec{ComponentName: module, Namespace: v1alpha1.DefaultNamespace},
			Status: v1alpha1.HelmComponentStatus{Status: v1alpha1.ComponentSuccess},
		}
		final.Components = append(final.Components, hc)
		h.Components[hc.UID] = walk(hc, rv+uint64(100*(j+1)))
	}
	final.Kymas = append(final.Kymas, k)
}

// walk is the life of a component that is on time.
func walk(hc v1alpha1.HelmComponent, rv uint64) *history.Component {
	c := &history.Component{
		UID: hc.UID, Ref: history.Ref{Namespace: hc.Namespace, Name: hc.Name}, Created: origin,
		OwnerUID: hc.OwnerReferences[0].UID, OwnerName: hc.OwnerReferences[0].Name, Module: hc.Spec.ComponentName,
	}
	timeline := lifecycle.Timeline{Unit: time.Second}
	for i, state := range lifecycle.States() {
		c.Versions = append(c.Versions, history.Version{
			RV: rv + uint64(i), At: origin.Add(timeline.Offset(c.Module, state)), State: state, Generation: 1,
		})
	}
	return c
}

func component(in Input, name string) *history.Component {
	return in.History.Components[types.UID("uid-"+name)]
}

func without(in *Input, name string) {
	var rest []v1alpha1.HelmComponent
	for _, hc := range in.Final.Components {
		if hc.Name != name {
			rest = append(rest, hc)
		}
	}
	in.Final.Components = rest
}

func TestAGoodRunPasses(t *testing.T) {
	for _, r := range All(goodRun()) {
		// Nothing was deleted, so I9 has nothing to look at.
		if r.Status != Pass || (r.Checked == 0 && r.ID != "I9") {
			t.Errorf("%s: %s, %d checked: %v %s", r.ID, r.Status, r.Checked, r.Violations, r.Note)
		}
	}
}

// Each invariant must catch its own violation.
func TestViolations(t *testing.T) {
	tests := map[string]struct {
		id    string
		spoil func(in *Input)
		says  string
	}{
		"I1 missing component": {"I1", func(in *Input) { without(in, "ky-0-istio") }, `no component for module "istio"`},
		"I1 two for one module": {"I1", func(in *Input) {
			twin := in.Final.Components[0]
			twin.Name, twin.UID = "twin", "uid-twin"
			in.Final.Components = append(in.Final.Components, twin)
		}, "owns 2 components"},
		"I1 not in the spec":            {"I1", func(in *Input) { in.Final.Components[0].Spec.ComponentName = "other" }, "not in its spec"},
		"I1 field not copied":           {"I1", func(in *Input) { in.Final.Kymas[0].Spec.Components[0].Namespace = "istio-system" }, "istio-system"},
		"I2 orphan of an unknown owner": {"I2", func(in *Input) { in.Final.Components[0].OwnerReferences[0].UID = "nobody" }, "does not exist"},
		"I2 orphan after the grace": {"I2", func(in *Input) {
			in.History.Kymas["uid-ky-0"].DeletedAt = in.Final.At.Add(-time.Minute)
			in.Final.Kymas = in.Final.Kymas[1:]
		}, "still there 1m0s after"},
		"I2 collected too late": {"I2", func(in *Input) {
			in.History.Kymas["uid-ky-0"].DeletedAt = origin
			component(*in, "ky-0-ory").DeletedAt = origin.Add(time.Minute)
		}, "outlived its owner"},
		"I3 created twice": {"I3", func(in *Input) {
			twin := *component(*in, "ky-0-istio")
			twin.UID = "twin"
			in.History.Components["twin"] = &twin
		}, "created 2 times"},
		"I3 deleted without cause and made again": {"I3", func(in *Input) {
			twin := *component(*in, "ky-0-istio")
			twin.UID, twin.DeletedAt, twin.DeletedRV = "twin", origin.Add(time.Second), 1500
			in.History.Components["twin"] = &twin
		}, "created 2 times"},
		"I4 back": {"I4", func(in *Input) {
			c := component(*in, "ky-0-istio")
			c.Versions = append(c.Versions, history.Version{RV: 1900, At: origin.Add(time.Hour), State: v1alpha1.ComponentStarted, Generation: 1})
		}, "went back from success to started"},
		"I4 early": {"I4", func(in *Input) { component(*in, "ky-0-istio").Versions[4].At = origin.Add(14 * time.Second) }, "before it was due"},
		"I4 skipped": {"I4", func(in *Input) {
			c := component(*in, "ky-0-istio")
			c.Versions = append(c.Versions[:2:2], c.Versions[3:]...)
		}, "jumped from started to retrying"},
		"I5 success too early in the end": {"I5", func(in *Input) { in.Final.Components[0].Status.Status = "retrying" }, "is success, but [istio] are not"},
		"I5 success about an old spec":    {"I5", func(in *Input) { in.Final.Kymas[0].Generation = 2 }, "about generation 1"},
		"I5 never success":                {"I5", func(in *Input) { in.Final.Kymas[0].Status.Status = "reconciling" }, "although all"},
		"I5 waitingFor is wrong":          {"I5", func(in *Input) { in.Final.Kymas[0].Status.WaitingFor = []string{"ory"} }, "waits for [ory]"},
		"I5 success too early on the way": {"I5", func(in *Input) { in.History.Kymas["uid-ky-0"].Versions[1].RV = 1101 }, "before its module"},
		"I6 changes":                      {"I6", func(in *Input) { in.Settle.Changed = []string{"lab/ky-0"} }, "lab/ky-0 changed"},
		"I6 writes":                       {"I6", func(in *Input) { in.Settle.Writes = new(3.0) }, "3 writes"},
		"I6 queue":                        {"I6", func(in *Input) { in.Settle.QueueDepth = new(7.0) }, "7 items"},
		"I7 lost":                         {"I7", func(in *Input) { in.Final.Kymas = in.Final.Kymas[1:] }, "is gone"},
		"I8 poison spreads":               {"I8", func(in *Input) { in.Poison.PoisonedP99 = 12 * time.Second }, "rose from 10s to 12s"},
		"I9 deleted without cause":        {"I9", func(in *Input) { c := component(*in, "ky-0-istio"); c.DeletedAt, c.DeletedRV = origin, 1850 }, "was deleted"},
		"I10 panic":                       {"I10", func(in *Input) { in.Process.Panics = []string{"panic: boom"} }, "boom"},
		"I10 restart":                     {"I10", func(in *Input) { in.Process.Starts = 3 }, "started 3 times"},
		"I10 goroutines":                  {"I10", func(in *Input) { in.Process.GoroutinesAfter = new(500.0) }, "goroutines rose"},
		"I10 heap":                        {"I10", func(in *Input) { in.Process.HeapAfter = new(50e6) }, "heap rose"},
		"I11 ended differently":           {"I11", func(in *Input) { in.Final.Components[1].Status.Message = "odd" }, "ended differently"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := goodRun()
			tt.spoil(&in)
			for _, r := range All(in) {
				if r.ID != tt.id {
					continue
				}
				if r.Status != Fail || r.Broken == 0 || !strings.Contains(strings.Join(r.Violations, "\n"), tt.says) {
					t.Errorf("%s is %s: %v, want a violation that says %q", r.ID, r.Status, r.Violations, tt.says)
				}
			}
		})
	}
}

// What could not be looked at is unverified.
func TestUnverified(t *testing.T) {
	tests := map[string]struct {
		take func(in *Input)
		ids  string
	}{
		"no final list":         {func(in *Input) { in.Final = nil }, "I1 I2 I5 I7 I11"},
		"no watch":              {func(in *Input) { in.History.Watched = nil }, "I3 I4 I5 I9"},
		"lost events":           {func(in *Input) { in.History.Gaps = []history.Gap{{Resource: "helmcomponents", Lost: true}} }, "I3 I4 I5 I9"},
		"no counters":           {func(in *Input) { in.Settle.Writes = nil }, "I6"},
		"cut short":             {func(in *Input) { in.Settle.Lasted = time.Second }, "I6"},
		"not settled at all":    {func(in *Input) { in.Settle = nil }, "I6"},
		"no process":            {func(in *Input) { in.Process = nil }, "I10"},
		"no log":                {func(in *Input) { in.Process.LogRead = false }, "I10"},
		"no memory figures":     {func(in *Input) { in.Process.HeapAfter = nil }, "I10"},
		"no poison":             {func(in *Input) { in.Poison = nil }, "I8"},
		"no faults":             {func(in *Input) { in.Reference.Faults = 0 }, "I11"},
		"no reference":          {func(in *Input) { in.Reference.Masked = nil }, "I11"},
		"did not converge":      {func(in *Input) { in.Converged = false }, "I5 I6 I11"},
		"nothing created by us": {func(in *Input) { in.History.Acts = nil }, "I7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := goodRun()
			tt.take(&in)
			var got []string
			for _, r := range All(in) {
				if r.Status == Unverified {
					got = append(got, r.ID)
				}
				if r.Status == Fail {
					t.Errorf("%s fails: %v", r.ID, r.Violations)
				}
			}
			if strings.Join(got, " ") != tt.ids {
				t.Errorf("unverified: %v, want %s", got, tt.ids)
			}
		})
	}
}

// What has a good reason is no violation.
func TestAllowed(t *testing.T) {
	tests := map[string]func(in *Input){
		"coalescing skips states": func(in *Input) {
			in.Coalescing = true
			c := component(*in, "ky-0-istio")
			c.Versions = append(c.Versions[:1:1], c.Versions[4])
		},
		"seen within the resolution of the creation time": func(in *Input) {
			v := component(*in, "ky-0-istio").Versions
			v[1].At = v[1].At.Add(-time.Second)
		},
		"a wiped status starts over": func(in *Input) {
			in.History.Acts = append(in.History.Acts, history.Act{Kind: history.WipeStatus, Ref: history.Ref{Namespace: ns, Name: "ky-0-istio"}})
			c := component(*in, "ky-0-istio")
			c.Versions = append(c.Versions, history.Version{RV: 1899, At: origin.Add(time.Hour), State: "pending", Generation: 1},
				history.Version{RV: 1899, At: origin.Add(time.Hour), State: "success", Generation: 1})
		},
		"a changed spec starts a new timeline": func(in *Input) {
			c := component(*in, "ky-0-istio")
			later := origin.Add(time.Hour)
			c.Versions = append(c.Versions, history.Version{RV: 1899, At: later, State: "started", Generation: 2, Origin: later.Add(-time.Second)})
		},
		"a module removed and added again": func(in *Input) {
			k := in.History.Kymas["uid-ky-0"]
			k.Versions = append(k.Versions, history.KymaVersion{RV: 2000, Generation: 2, Modules: []string{"ory"}}, history.KymaVersion{RV: 2100, Generation: 3, Modules: modules})
			gone := *component(*in, "ky-0-istio")
			gone.UID, gone.DeletedAt, gone.DeletedRV = "gone", origin, 2050
			in.History.Components["gone"] = &gone
		},
		"a Kyma deleted by the lab": func(in *Input) {
			in.History.Acts = append(in.History.Acts, history.Act{Kind: history.DeleteKyma, UID: "uid-ky-0"})
			k := in.History.Kymas["uid-ky-0"]
			k.DeletedAt, k.DeletedRV = origin.Add(time.Minute), 3000
			for _, m := range modules {
				c := component(*in, "ky-0-"+m)
				c.DeletedAt, c.DeletedRV = origin.Add(time.Minute+time.Second), 3001
				without(in, "ky-0-"+m)
			}
			in.Final.Kymas = in.Final.Kymas[1:]
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			in := goodRun()
			change(&in)
			for _, r := range All(in) {
				if r.Status == Fail {
					t.Errorf("%s: %v", r.ID, r.Violations)
				}
			}
		})
	}
}

func TestASampleIsSaid(t *testing.T) {
	in := goodRun()
	addKyma(in.History, in.Final, "elsewhere", 5000)
	in.History.Kymas["uid-elsewhere"].Ref.Namespace = "unwatched"
	for _, r := range All(in) {
		if r.ID == "I3" && !strings.Contains(r.Note, "2 of 3 Kymas") {
			t.Errorf("I3 says %q", r.Note)
		}
	}
	if Worst(All(goodRun())) != Pass {
		t.Error("a good run is the worst of its results")
	}
}
