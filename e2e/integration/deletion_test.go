package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

func (l *lab) deleteKyma(name string) types.UID {
	l.Helper()
	ky, err := l.kymas.Get(l.Context(), name, metav1.GetOptions{})
	if err == nil {
		err = l.kymas.Delete(l.Context(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		l.Fatal(err)
	}
	return ky.UID
}

// noComponentsOf waits until no component of a Kyma that is gone is left.
func (l *lab) noComponentsOf(uid types.UID) {
	l.Helper()
	l.eventually("the components are collected", func(ctx context.Context) string {
		list, err := l.components.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		left := 0
		for i := range list.Items {
			if seatOf(&list.Items[i]).kyma == uid {
				left++
			}
		}
		if left > 0 {
			return fmt.Sprintf("%d are left", left)
		}
		return ""
	})
}

func TestDeletedKymaTakesItsComponentsAlong(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start()
	l.create(standard("going"), kyma("staying", "ory"))
	l.success("staying")
	// Mid-flight: its components are on their way.
	uid := l.deleteKyma("going")
	l.noComponentsOf(uid)
	l.success("staying")
	l.checkOnce()
}

// TestKymaMadeAgainUnderItsName holds for a running operator and for one that
// was away meanwhile and begins with what it finds.
func TestKymaMadeAgainUnderItsName(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"while the operator runs": false, "while the operator is away": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			// Names are free only when the old components are gone.
			args := []string{"--retry-base-delay=200ms", "--retry-max-delay=2s"}
			operator := l.start(args...)
			modules := []string{"ory", "rafter", "kiali", "istio"}
			l.create(kyma("again", modules...))
			l.success("again")
			if away {
				operator.Kill()
			}
			old := l.deleteKyma("again")
			l.create(kyma("again", modules...))
			if away {
				l.start(args...)
			}
			l.noComponentsOf(old)
			l.success("again")
			l.checkOnce()
			l.checkForward(false)
			l.checkKymas()
			checkNeverDeleted(l, old)
		})
	}
}

// checkNeverDeleted fails if any component went but those of the old Kyma.
func checkNeverDeleted(l *lab, old types.UID) {
	l.Helper()
	for _, c := range l.history.all() {
		if c.component != nil && c.gone && seatOf(c.component).kyma != old {
			l.Errorf("component %s of the new Kyma was deleted", c.component.Name)
		}
	}
}

// TestOperatorNeverDeletesWhatTheCollectorDoes: the operator's own deletions are
// of removed modules only.
func TestOperatorNeverDeletesWhatTheCollectorDoes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	g := newGate(t, l.plane.RESTConfig())
	l.startAs(g.config())
	l.create(kyma("gone", "ory", "rafter"))
	l.success("gone")
	l.noComponentsOf(l.deleteKyma("gone"))
	l.create(kyma("gone", "ory", "rafter"))
	l.success("gone")
	l.update("gone", func(ky *v1alpha1.Kyma) { ky.Spec.Components = ky.Spec.Components[:1] })
	l.success("gone")
	l.eventually("the removed module's component is deleted", func(context.Context) string {
		if !slices.ContainsFunc(g.written(), isDelete) {
			return "no deletion was asked for"
		}
		return ""
	})
	deletions := 0
	for _, write := range g.written() {
		if isDelete(write) {
			deletions++
		}
	}
	if deletions != 1 {
		t.Errorf("the operator deleted %d components, want the removed module's one: %v", deletions, g.written())
	}
}

func isDelete(write string) bool { return len(write) > 6 && write[:6] == "DELETE" }
