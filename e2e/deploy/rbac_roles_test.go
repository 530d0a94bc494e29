package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// role is one of the operator's roles as the manifests have it; namespace is
// empty for a ClusterRole.
type role struct {
	namespace, name string
	rules           []rbacv1.PolicyRule
}

// readRoles finds the roles by what binds them to the operator's account.
func (b *rbacBench) readRoles(t *testing.T) {
	t.Helper()
	rbac := b.kube.RbacV1()
	clusterBindings, err := rbac.ClusterRoleBindings().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range clusterBindings.Items {
		binding := &clusterBindings.Items[i]
		if !bindsOperator(binding.Subjects) {
			continue
		}
		bound, err := rbac.ClusterRoles().Get(t.Context(), binding.RoleRef.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b.roles = append(b.roles, role{name: bound.Name, rules: bound.Rules})
	}
	bindings, err := rbac.RoleBindings("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		if !bindsOperator(binding.Subjects) {
			continue
		}
		if binding.Namespace != operatorName {
			t.Errorf("RoleBinding %s/%s reaches beyond the operator's namespace", binding.Namespace, binding.Name)
		}
		bound, err := rbac.Roles(binding.Namespace).Get(t.Context(), binding.RoleRef.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b.roles = append(b.roles, role{namespace: bound.Namespace, name: bound.Name, rules: bound.Rules})
	}
}

func bindsOperator(subjects []rbacv1.Subject) bool {
	for _, subject := range subjects {
		if subject.Kind == rbacv1.ServiceAccountKind && subject.Name == operatorName && subject.Namespace == operatorName {
			return true
		}
	}
	return false
}

// split takes rules apart into single permissions.
func split(rules []rbacv1.PolicyRule) []permission {
	var out []permission
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range names {
					for _, verb := range rule.Verbs {
						out = append(out, permission{group, resource, name, verb})
					}
				}
			}
		}
	}
	return out
}

// takeAway removes one permission from the roles until the test ends.
func (b *rbacBench) takeAway(t *testing.T, p permission) {
	t.Helper()
	b.write(t, &p)
	b.awaitAccess(t, p, false)
	t.Cleanup(func() {
		b.write(t, nil)
		b.awaitAccess(t, p, true)
	})
}

// write puts the roles in place, all permissions but one.
func (b *rbacBench) write(t *testing.T, missing *permission) {
	t.Helper()
	// Cleanups call this, when t.Context() has ended.
	ctx, rbac := context.Background(), b.kube.RbacV1()
	for _, r := range b.roles {
		var rules []rbacv1.PolicyRule
		for _, p := range split(r.rules) {
			if missing == nil || p != *missing {
				rules = append(rules, p.rule())
			}
		}
		var err error
		meta := metav1.ObjectMeta{Name: r.name, Namespace: r.namespace}
		if r.namespace == "" {
			_, err = rbac.ClusterRoles().Update(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
		} else {
			_, err = rbac.Roles(r.namespace).Update(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// awaitAccess waits until the API server's authorizer has heard of a change.
func (b *rbacBench) awaitAccess(t *testing.T, p permission, want bool) {
	t.Helper()
	resource, subresource, _ := strings.Cut(p.resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + operatorName + ":" + operatorName,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: operatorName, Verb: p.verb, Group: p.group, Resource: resource, Subresource: subresource, Name: p.name,
		},
	}}
	deadline := time.Now().Add(10 * time.Second)
	for {
		result, err := b.kube.AuthorizationV1().SubjectAccessReviews().Create(context.Background(), review, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if result.Status.Allowed == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still allowed=%t", p, !want)
		}
	}
}

// rolesAndListAgree compares the roles with the list of what each permission is
// for.
func (b *rbacBench) rolesAndListAgree(t *testing.T) {
	granted := map[permission]bool{}
	for _, r := range b.roles {
		for _, p := range split(r.rules) {
			granted[p] = true
			if needs[p] == "" {
				t.Errorf("%s grants %s, which nothing is known to need", r.name, p)
			}
		}
	}
	for p := range needs {
		if !granted[p] {
			t.Errorf("no role grants %s", p)
		}
	}
}

// nothingElseIsGranted asks the API server for everything that the account may
// do, by whatever way it came to it.
func (b *rbacBench) nothingElseIsGranted(t *testing.T) {
	own := kubernetes.NewForConfigOrDie(b.own)
	for _, namespace := range []string{operatorName, "default", "kube-system"} {
		review, err := own.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(),
			&authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range review.Status.ResourceRules {
			for _, p := range split([]rbacv1.PolicyRule{{
				APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames, Verbs: rule.Verbs,
			}}) {
				if everybodys(p) {
					continue
				}
				if needs[p] == "" {
					t.Errorf("in %s the account may %s", namespace, p)
				}
				if p.resource == "leases" && namespace != operatorName {
					t.Errorf("in %s the account may %s", namespace, p)
				}
			}
		}
	}
}

// everybodys is what every account may do: ask about itself.
func everybodys(p permission) bool {
	return p.verb == "create" && (strings.HasPrefix(p.resource, "selfsubject") || p.resource == "selfsubjectreviews")
}

// refusals makes requests that an intruder with the operator's token would.
func (b *rbacBench) refusals(t *testing.T) {
	own := kubernetes.NewForConfigOrDie(b.own)
	ctx := t.Context()
	admin := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}
	subject := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: operatorName, Namespace: operatorName}}
	for name, request := range map[string]func() error{
		"list all secrets": func() error {
			_, err := own.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})
			return err
		},
		"read a secret of its own namespace": func() error {
			_, err := own.CoreV1().Secrets(operatorName).Get(ctx, "any", metav1.GetOptions{})
			return err
		},
		"read a config map": func() error {
			_, err := own.CoreV1().ConfigMaps("kube-system").Get(ctx, "extension-apiserver-authentication", metav1.GetOptions{})
			return err
		},
		"create a pod": func() error {
			_, err := own.CoreV1().Pods(operatorName).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}, metav1.CreateOptions{})
			return err
		},
		"list deployments": func() error {
			_, err := own.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
			return err
		},
		"list nodes": func() error {
			_, err := own.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
			return err
		},
		"list clusters of its own group": func() error {
			return own.CoreV1().RESTClient().Get().AbsPath("/apis/inventory.kyma-project.io/v1alpha1/clusters").Do(ctx).Error()
		},
		"create a Kyma": func() error {
			return own.CoreV1().RESTClient().Post().AbsPath("/apis/inventory.kyma-project.io/v1alpha1/namespaces/default/kymas").
				Body([]byte(`{"apiVersion":"inventory.kyma-project.io/v1alpha1","kind":"Kyma","metadata":{"name":"k"}}`)).
				SetHeader("Content-Type", "application/json").Do(ctx).Error()
		},
		"become cluster-admin": func() error {
			_, err := own.RbacV1().ClusterRoleBindings().Create(ctx,
				&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "up"}, RoleRef: admin, Subjects: subject}, metav1.CreateOptions{})
			return err
		},
		"widen its own role": func() error {
			_, err := own.RbacV1().ClusterRoles().Patch(ctx, operatorName, "application/json-patch+json",
				[]byte(`[{"op":"replace","path":"/rules/0/verbs","value":["*"]}]`), metav1.PatchOptions{})
			return err
		},
		"impersonate": func() error {
			return own.CoreV1().RESTClient().Get().AbsPath("/api/v1/namespaces").SetHeader("Impersonate-User", "admin").Do(ctx).Error()
		},
		"make a token of another account": func() error {
			return own.CoreV1().RESTClient().Post().AbsPath("/api/v1/namespaces/monitoring/serviceaccounts/prometheus-k8s/token").
				Body([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest"}`)).
				SetHeader("Content-Type", "application/json").Do(ctx).Error()
		},
		"take another program's lease": func() error {
			_, err := own.CoordinationV1().Leases("kube-system").Get(ctx, "kube-controller-manager", metav1.GetOptions{})
			return err
		},
		"list leases of its own namespace": func() error {
			_, err := own.CoordinationV1().Leases(operatorName).List(ctx, metav1.ListOptions{})
			return err
		},
		"raise its own priority": func() error {
			return own.FlowcontrolV1().FlowSchemas().Delete(ctx, operatorName, metav1.DeleteOptions{})
		},
		"change a CRD": func() error {
			return own.CoreV1().RESTClient().Delete().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kymas.inventory.kyma-project.io").Do(ctx).Error()
		},
	} {
		if err := request(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want it refused", name, fmt.Sprint(err))
		}
	}
}
