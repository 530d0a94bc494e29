// Package integration tests the operator as a process on a real etcd,
// kube-apiserver and kube-controller-manager.
//
// The tests share one control plane, each in a namespace and with an operator
// of its own; those that break the control plane, or count what it was asked,
// have it to themselves. What happened is read from etcd's own history, which no
// fault of the API server can hide, and between the operator and the API server
// stands a gate that can hold, cut and count requests. Nothing here sleeps: a
// test waits for what it wants to see.
package integration
