package integration

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

// TestPermissionsComeLate: the operator first may do nothing, then look, then
// everything. It recovers from each without a restart.
func TestPermissionsComeLate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	user := "operator-of-" + l.namespace
	config := l.plane.RESTConfig()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	p := l.spawn(config, "--retry-max-delay=2s")
	l.create(kyma("waiting", "ory", "rafter"))
	l.eventually("the operator serves", p.serves)
	if p.ready(t.Context()) == "" {
		t.Error("the operator is ready although it may not look at anything")
	}

	l.grant(user, "look", []string{"kymas", "helmcomponents"}, []string{"list", "watch"})
	l.grant(user, "report", []string{"kymas/status"}, []string{"update"})
	l.eventually("the operator is ready", p.ready)
	ready := l.reason("waiting", "WriteRefused")
	if ready.Status != metav1.ConditionFalse {
		t.Errorf("the condition is %+v", ready)
	}

	l.grant(user, "work", []string{"helmcomponents", "helmcomponents/status", "kymas/finalizers"}, []string{"create", "patch", "delete", "update"})
	l.success("waiting")
	l.checkOnce()
	l.checkForward(false)
	l.checkKymas()
}

// grant lets a user do something in the namespace.
func (l *lab) grant(user, name string, resources, verbs []string) {
	l.Helper()
	meta := metav1.ObjectMeta{Name: name, Namespace: l.namespace}
	_, err := l.kube.RbacV1().Roles(l.namespace).Create(l.Context(), &rbacv1.Role{
		ObjectMeta: meta,
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupName}, Resources: resources, Verbs: slices.Clone(verbs)}},
	}, metav1.CreateOptions{})
	if err == nil {
		_, err = l.kube.RbacV1().RoleBindings(l.namespace).Create(l.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		l.Fatal(err)
	}
}
