// Package v1alpha1 holds the inventory API: Kyma (a managed cluster and its
// modules), HelmComponent (one module on its way to success) and Cluster (where
// a Kyma's workload runs).
//
// Bounds live in the schema alone, as enums, lengths and list maps, because a
// CEL rule would be paid for on every status write.
//
// +k8s:deepcopy-gen=package
// +groupName=inventory.kyma-project.io
package v1alpha1
