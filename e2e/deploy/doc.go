// Package deploy holds the tests of what runs the operator in a cluster: its
// manifests, its permissions, its monitoring and its image. Each of them uses the
// real thing: a real API server, a real Prometheus, the files that users apply.
package deploy
