package main

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/utils/clock"

	inventory "github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// states are the states of a component in the order of its life.
var states = []inventory.ComponentState{
	inventory.ComponentPending, inventory.ComponentStarted, inventory.ComponentFailing,
	inventory.ComponentRetrying, inventory.ComponentSuccess,
}

// tracker keeps what the watches say about the fleet. All times are of this process's clock: from the send of the create
// to the moment the success is seen.
type tracker struct {
	clock   clock.PassiveClock
	ideal   time.Duration
	modules int
	order   []string

	mu    sync.Mutex
	begin time.Time
	kymas map[string]*kyma
	// done is closed when every Kyma is success.
	done    chan struct{}
	success int
}

type kyma struct {
	sent, created, success time.Time
	waiting                int
	components             map[string]inventory.ComponentState
}

func newTracker(c clock.PassiveClock, names []string, sample *inventory.Kyma, unit time.Duration) *tracker {
	t := &tracker{
		clock: c, ideal: ideal(sample, unit), modules: len(sample.Spec.Components), order: names,
		begin: c.Now(), kymas: make(map[string]*kyma, len(names)), done: make(chan struct{}),
	}
	for _, name := range names {
		t.kymas[name] = &kyma{waiting: t.modules, components: map[string]inventory.ComponentState{}}
	}
	return t
}

// sending notes that the create of a Kyma is about to be sent.
func (t *tracker) sending(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kymas[name].sent = t.clock.Now()
}

// sawKyma notes a Kyma's state. A status that is not about the current spec says nothing.
func (t *tracker) sawKyma(object *inventory.Kyma) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kymas[object.Name]
	if k == nil {
		return
	}
	if k.created.IsZero() {
		k.created = t.clock.Now()
	}
	if object.Status.Status == "" || object.Status.ObservedGeneration != object.Generation {
		return
	}
	k.waiting = len(object.Status.WaitingFor)
	if object.Status.Status == inventory.KymaSuccess && k.success.IsZero() {
		k.success = t.clock.Now()
		if t.success++; t.success == len(t.order) {
			close(t.done)
		}
	}
}

// sawComponent notes a component's state.
func (t *tracker) sawComponent(object *inventory.HelmComponent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.kymas[object.Labels[inventory.LabelKyma]]; k != nil {
		k.components[object.Name] = object.Status.Status
	}
}

// row is one line of the table.
type row struct {
	name     string
	success  int
	states   map[inventory.ComponentState]int
	elapsed  time.Duration
	finished bool
}

// report is the state of the fleet at one moment.
type report struct {
	rows    []row
	modules int
	elapsed time.Duration
	ideal   time.Duration
	// created counts the Kymas that were seen, success those that are there.
	created, success int
	// components counts the modules that are success, of all Kymas.
	components int
	// eta is how long it will still take; not known before anything has come to success and the ideal time is over.
	eta      time.Duration
	etaKnown bool
	// counted says that every Kyma's components are watched, not only those of the first ones.
	counted bool
}

func (t *tracker) report() report {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	r := report{modules: t.modules, elapsed: now.Sub(t.begin), ideal: t.ideal, success: t.success, counted: len(t.order) <= maxRows}
	for _, name := range t.order {
		k := t.kymas[name]
		if !k.created.IsZero() {
			r.created++
		}
		line := k.row(name, t.modules, now)
		r.components += line.success
		r.rows = append(r.rows, line)
	}
	r.eta, r.etaKnown = t.eta(r)
	return r
}

func (k *kyma) row(name string, modules int, now time.Time) row {
	line := row{name: name, success: modules - k.waiting, states: map[inventory.ComponentState]int{}}
	for _, state := range k.components {
		line.states[state]++
	}
	// The Kyma's own count may follow its components' by a moment.
	line.success = max(line.success, line.states[inventory.ComponentSuccess])
	switch {
	case !k.success.IsZero():
		line.finished, line.elapsed = true, k.success.Sub(k.sent)
	case !k.sent.IsZero():
		line.elapsed = now.Sub(k.sent)
	}
	return line
}

// eta is the rest of the ideal time, and after that what the pace so far says.
func (t *tracker) eta(r report) (time.Duration, bool) {
	if rest := t.ideal - r.elapsed; rest > 0 {
		return rest, true
	}
	if r.components == 0 {
		return 0, false
	}
	todo := t.modules*len(t.order) - r.components
	return time.Duration(float64(r.elapsed) * float64(todo) / float64(r.components)), true
}

// watched returns the names of the Kymas whose components are watched one by one. It is not all of a large fleet, since
// every watcher of components is work for the API server, which is what is measured.
func (t *tracker) watched() sets.Set[string] {
	return sets.New(t.order[:min(len(t.order), maxRows)]...)
}
