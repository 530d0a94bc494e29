package throttle

import (
	"time"

	"github.com/kyma-incubator/kymactl/pkg/controller/deadline"
)

// parking holds those who wait for capacity to spare without holding up a
// worker, by when they were due.
type parking struct {
	heap deadline.Heap[spot]
	byID map[any]*deadline.Item[spot]
}

type spot struct {
	id   any
	wake func()
}

func (p *parking) len() int { return p.heap.Len() }

func (p *parking) add(id any, due time.Time, wake func()) {
	if item, ok := p.byID[id]; ok {
		p.heap.Move(item, due)
		return
	}
	if p.byID == nil {
		p.byID = map[any]*deadline.Item[spot]{}
	}
	p.byID[id] = p.heap.Push(spot{id, wake}, due)
}

func (p *parking) has(id any) bool {
	_, ok := p.byID[id]
	return ok
}

func (p *parking) remove(id any) {
	if item, ok := p.byID[id]; ok {
		p.heap.Remove(item)
		delete(p.byID, id)
	}
}

// next takes out whoever is due earliest.
func (p *parking) next() func() {
	s := p.heap.Pop().Value
	delete(p.byID, s.id)
	return s.wake
}
