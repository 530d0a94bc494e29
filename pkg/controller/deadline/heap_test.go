package deadline

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func drain[T any](h *Heap[T]) []T {
	var values []T
	for h.Len() > 0 {
		values = append(values, h.Pop().Value)
	}
	return values
}

func TestHeapOrdersByDeadlineThenArrival(t *testing.T) {
	var h Heap[string]
	h.Push("late", epoch.Add(time.Hour))
	h.Push("first of equals", epoch)
	h.Push("second of equals", epoch)
	h.Push("early", epoch.Add(-time.Hour))
	want := []string{"early", "first of equals", "second of equals", "late"}
	if got := drain(&h); !slices.Equal(got, want) {
		t.Errorf("order = %q, want %q", got, want)
	}
}

func TestHeapMoveAndRemove(t *testing.T) {
	var h Heap[string]
	h.Push("a", epoch)
	moved := h.Push("b", epoch.Add(time.Hour))
	removed := h.Push("c", epoch.Add(time.Minute))
	h.Move(moved, epoch.Add(-time.Hour))
	if !h.Remove(removed) {
		t.Error("an item that is in was not removed")
	}
	if h.Remove(removed) {
		t.Error("an item was removed twice")
	}
	if got, want := drain(&h), []string{"b", "a"}; !slices.Equal(got, want) {
		t.Errorf("order = %q, want %q", got, want)
	}
	if h.Remove(moved) {
		t.Error("an item that was popped was removed")
	}
}

func TestHeapOf100000LosesAndDoublesNothing(t *testing.T) {
	const n = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	var h Heap[int]
	items := make([]*Item[int], n)
	for i := range n {
		items[i] = h.Push(i, epoch.Add(time.Duration(random.IntN(n))))
	}
	for range n {
		h.Move(items[random.IntN(n)], epoch.Add(time.Duration(random.IntN(n))))
	}
	seen := make([]bool, n)
	last := epoch
	for h.Len() > 0 {
		item := h.Pop()
		if seen[item.Value] {
			t.Fatalf("%d came out twice", item.Value)
		}
		seen[item.Value] = true
		if item.deadline.Before(last) {
			t.Fatalf("%s came out after %s", item.deadline, last)
		}
		last = item.deadline
	}
	if slices.Contains(seen, false) {
		t.Error("an item was lost")
	}
}

func BenchmarkHeap(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var h Heap[int]
	for i := range 100_000 {
		h.Push(i, epoch.Add(time.Duration(random.IntN(1<<30))))
	}
	b.ReportAllocs()
	for b.Loop() {
		item := h.Pop()
		h.Push(item.Value, item.deadline.Add(time.Duration(random.IntN(1<<30))))
	}
}
