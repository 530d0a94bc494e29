package deploy

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kyma-incubator/kymactl/e2e/controlplane"
	"github.com/kyma-incubator/kymactl/hack/deploy/manifests"
	"github.com/kyma-incubator/kymactl/pkg/generated/clientset/versioned"
)

// permission is one verb on one resource: the smallest thing that a role grants.
type permission struct {
	group, resource, name, verb string
}

func (p permission) String() string {
	out := p.verb + " " + p.resource
	if p.group != "" {
		out += "." + p.group
	}
	if p.name != "" {
		out += "/" + p.name
	}
	return out
}

func (p permission) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{APIGroups: []string{p.group}, Resources: []string{p.resource}, Verbs: []string{p.verb}}
	if p.name != "" {
		rule.ResourceNames = []string{p.name}
	}
	return rule
}

const inventoryGroup = "inventory.kyma-project.io"

// needs says of each permission what the operator cannot do without it. It is
// the whole list: a permission in the roles that is not here fails the test, and
// so does one that the operator does well without.
//
// Lists are for API servers that do not stream the first list as a watch, which
// is a feature gate of theirs. The trials without list do as if this one did not.
var needs = map[permission]string{
	{inventoryGroup, "kymas", "", "list"}:                          stepStarts,
	{inventoryGroup, "kymas", "", "watch"}:                         stepWatches,
	{inventoryGroup, "kymas/status", "", "update"}:                 stepReports,
	{inventoryGroup, "kymas/finalizers", "", "update"}:             stepCreates, // where OwnerReferencesPermissionEnforcement is on
	{inventoryGroup, "helmcomponents", "", "list"}:                 stepStarts,
	{inventoryGroup, "helmcomponents", "", "watch"}:                stepWatches,
	{inventoryGroup, "helmcomponents", "", "create"}:               stepCreates,
	{inventoryGroup, "helmcomponents", "", "patch"}:                stepCorrects,
	{inventoryGroup, "helmcomponents", "", "delete"}:               stepRemoves,
	{inventoryGroup, "helmcomponents/status", "", "update"}:        stepDrives,
	{"events.k8s.io", "events", "", "create"}:                      stepEvents,
	{"coordination.k8s.io", "leases", "", "create"}:                stepLeads,
	{"coordination.k8s.io", "leases", leaseName, "get"}:            stepLeads,
	{"coordination.k8s.io", "leases", leaseName, "update"}:         stepRenews,
	{"authentication.k8s.io", "tokenreviews", "", "create"}:        stepMetrics,
	{"authorization.k8s.io", "subjectaccessreviews", "", "create"}: stepMetrics,
}

// rbacBench is a cluster with the operator's roles in it, and means to take parts
// of them away.
type rbacBench struct {
	admin     *rest.Config
	kube      kubernetes.Interface
	inventory versioned.Interface
	own       *rest.Config
	audit     *auditLog
	reader    string
	stranger  string
	roles     []role
	charts    string
}

func newRBACBench(t *testing.T) *rbacBench {
	t.Helper()
	cluster := controlplane.Bare(t,
		// Otherwise kymas/finalizers is for nothing: with it, as on OpenShift, an owner that is to block its own
		// deletion needs that permission.
		controlplane.WithArgs("--enable-admission-plugins=OwnerReferencesPermissionEnforcement"),
		controlplane.WithAuditPolicy(repository(t, "e2e/deploy/testdata/audit-policy.yaml")))
	admin := rest.CopyConfig(cluster.RESTConfig())
	admin.QPS = -1
	client, err := manifests.NewClient(admin)
	if err != nil {
		t.Fatal(err)
	}
	installed := append(
		only(kustomization(t, "operator"), "Namespace", "CustomResourceDefinition", "ServiceAccount",
			"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
		only(kustomization(t, "monitoring"), "ClusterRoleBinding")...)
	if err := client.Apply(t.Context(), installed, manifests.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	bench := &rbacBench{
		admin: admin, kube: kubernetes.NewForConfigOrDie(admin), inventory: versioned.NewForConfigOrDie(admin),
		audit: &auditLog{path: cluster.AuditLog()}, charts: writeCharts(t, "istio", "tracing"),
	}
	bench.createPrometheus(t)
	bench.readRoles(t)
	bench.own = serviceAccountConfig(t, bench.kube, admin, operatorName, operatorName)
	bench.reader = serviceAccountToken(t, bench.kube, "monitoring", "prometheus-k8s")
	bench.stranger = serviceAccountToken(t, bench.kube, "monitoring", "default")
	return bench
}

func (b *rbacBench) createPrometheus(t *testing.T) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}}
	if _, err := b.kube.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "prometheus-k8s"}}
	if _, err := b.kube.CoreV1().ServiceAccounts(ns.Name).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestPermissionsAreMinimal runs the operator with its own token and the roles of
// the manifests, then again and again with one permission less.
func TestPermissionsAreMinimal(t *testing.T) {
	bench := newRBACBench(t)
	t.Run("roles and list agree", bench.rolesAndListAgree)
	t.Run("nothing else is granted", bench.nothingElseIsGranted)
	t.Run("refusals", bench.refusals)
	if t.Failed() {
		return
	}
	if failed, reason := bench.try(t, "all"); failed != "" {
		t.Fatalf("with all permissions the operator fails at %q: %s", failed, reason)
	}
	for _, p := range sortedNeeds() {
		t.Run("without "+p.String(), func(t *testing.T) {
			bench.takeAway(t, p)
			failed, reason := bench.try(t, strings.Map(dnsLabel, p.verb+"-"+p.resource))
			if failed != needs[p] {
				t.Errorf("fails at %q (%s), want %q", failed, reason, needs[p])
			}
			t.Logf("fails at %q: %s", failed, reason)
		})
	}
}

func sortedNeeds() []permission {
	var all []permission
	for p := range needs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b permission) int { return strings.Compare(a.resource+a.verb, b.resource+b.verb) })
	return all
}

func dnsLabel(r rune) rune {
	if r == '/' {
		return '-'
	}
	return r
}

// try takes the operator through a trial in a namespace of its own.
func (b *rbacBench) try(t *testing.T, name string) (failed, reason string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "trial-" + name}}
	if _, err := b.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_ = b.kube.CoordinationV1().Leases(operatorName).Delete(t.Context(), leaseName, metav1.DeleteOptions{})
	b.audit.skip(t)
	operator := startOperator(t, b.own,
		"--leader-elect", "--leader-elect-namespace="+operatorName,
		"--leader-elect-lease-duration=4s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=300ms",
		"--metrics-secure", "--charts="+b.charts, "--lifecycle-unit=10ms", "--retry-base-delay=100ms")
	r := &trial{
		kube: b.kube, inventory: b.inventory, audit: b.audit, operator: operator,
		namespace: namespace.Name, reader: b.reader, stranger: b.stranger,
	}
	failed, reason = r.run(t.Context())
	operator.Kill()
	// The next trial's operator sees all namespaces; this one's Kyma is none of its business.
	err := b.inventory.InventoryV1alpha1().Kymas(namespace.Name).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return failed, reason
}
