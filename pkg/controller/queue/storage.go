package queue

import (
	"time"

	"github.com/kyma-incubator/kymactl/pkg/controller/deadline"
)

// storage is what a workqueue keeps its keys in: a heap by deadline. The
// workqueue calls it under its own lock and never pushes a key that is in it.
type storage[K comparable] struct {
	deadline func(K) time.Time
	heap     deadline.Heap[K]
	byKey    map[K]*deadline.Item[K]
}

func newStorage[K comparable](of func(K) time.Time) *storage[K] {
	return &storage[K]{deadline: of, byKey: map[K]*deadline.Item[K]{}}
}

// Touch moves a key that was added again to where its deadline is now.
func (s *storage[K]) Touch(key K) {
	if item, ok := s.byKey[key]; ok {
		s.heap.Move(item, s.deadline(key))
	}
}

func (s *storage[K]) Push(key K) { s.byKey[key] = s.heap.Push(key, s.deadline(key)) }

func (s *storage[K]) Len() int { return s.heap.Len() }

func (s *storage[K]) Pop() K {
	key := s.heap.Pop().Value
	delete(s.byKey, key)
	return key
}
