package informers

import (
	"runtime"
	"sync"
	"weak"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// owners are the references to Kymas in the cache.
var owners = sharedOwners{lists: map[metav1.OwnerReference]weak.Pointer[ownerList]{}}

// sharedOwners gives all components of a Kyma one list of owner references, for
// as long as any of them is there. Equal references must be so by their pointers
// too.
type sharedOwners struct {
	mu    sync.Mutex
	lists map[metav1.OwnerReference]weak.Pointer[ownerList]
}

type ownerList [1]metav1.OwnerReference

func (s *sharedOwners) share(ref metav1.OwnerReference) []metav1.OwnerReference {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lists[ref].Value()
	if list == nil {
		list = &ownerList{ref}
		s.lists[ref] = weak.Make(list)
		runtime.AddCleanup(list, s.forget, ref)
	}
	return list[:]
}

// forget drops a list that nobody has any more.
func (s *sharedOwners) forget(ref metav1.OwnerReference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists[ref].Value() == nil {
		delete(s.lists, ref)
	}
}
