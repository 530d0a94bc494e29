// Package controlplane starts and stops a real Kubernetes control plane on this machine: etcd, kube-apiserver and
// kube-controller-manager as three processes, set up by kwokctl. Tests, the demo, the load lab and `make
// control-plane-up` all go through it.
//
// What it keeps true:
//   - Everything listens on 127.0.0.1 only, and all state lies under RunDir/Name; nothing lands in $HOME.
//   - Several control planes run side by side; names and ports do not clash.
//   - No process outlives its owner. Stop ends all of them, a failed Start leaves none, and where the owner is killed
//     before it could call Stop, a guardian process notices and does it (see guardian.go). Only a control plane that
//     was released on purpose (Release) stays.
package controlplane
