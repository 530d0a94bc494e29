// Package eventually lets tests wait for what goes on in other goroutines.
package eventually

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// patience is far longer than anything waited for takes, so that it decides
// only how long a broken test hangs.
const patience = 20 * time.Second

// True returns when condition is, and fails the test if that never comes.
func True(t *testing.T, what string, condition func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return condition(), nil
	})
	if err != nil {
		t.Fatalf("never: %s", what)
	}
}
