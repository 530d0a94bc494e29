// Package deadline is a heap of things with a deadline: the earliest comes out
// first, equal ones in the order they went in. Deadlines are moments, not
// classes: whatever is old enough comes first at last, so nothing starves.
package deadline

import (
	"container/heap"
	"time"
)

// Item is a value in a Heap.
type Item[T any] struct {
	Value    T
	deadline time.Time
	order    uint64
	index    int
}

// Heap hands out values by deadline. The zero value is an empty heap. It is not
// safe for concurrent use.
type Heap[T any] struct {
	items  items[T]
	pushed uint64
}

// Len is the number of items in the heap.
func (h *Heap[T]) Len() int { return len(h.items) }

// Push adds a value.
func (h *Heap[T]) Push(value T, deadline time.Time) *Item[T] {
	h.pushed++
	item := &Item[T]{Value: value, deadline: deadline, order: h.pushed}
	heap.Push(&h.items, item)
	return item
}

// Pop removes the item with the earliest deadline; it panics on an empty heap.
func (h *Heap[T]) Pop() *Item[T] {
	return heap.Pop(&h.items).(*Item[T])
}

// Move gives an item of the heap another deadline.
func (h *Heap[T]) Move(item *Item[T], deadline time.Time) {
	item.deadline = deadline
	heap.Fix(&h.items, item.index)
}

// Remove takes an item out; false if it was out already.
func (h *Heap[T]) Remove(item *Item[T]) bool {
	if item.index < 0 {
		return false
	}
	heap.Remove(&h.items, item.index)
	return true
}

// items is the heap.Interface behind a Heap.
type items[T any] []*Item[T]

func (s items[T]) Len() int { return len(s) }

func (s items[T]) Less(i, j int) bool {
	if s[i].deadline.Equal(s[j].deadline) {
		return s[i].order < s[j].order
	}
	return s[i].deadline.Before(s[j].deadline)
}

func (s items[T]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *items[T]) Push(x any) {
	item := x.(*Item[T])
	item.index = len(*s)
	*s = append(*s, item)
}

func (s *items[T]) Pop() any {
	last := len(*s) - 1
	item := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	item.index = -1
	return item
}
