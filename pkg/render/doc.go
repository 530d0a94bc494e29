// Package render turns a component's chart into manifests, and is the only
// package that imports helm.
//
// What it keeps true:
//
//   - Chart code never runs in the operator. Templates, archives and remote
//     indexes are read by a child process of the same binary, which has a
//     deadline, a memory bound and no way to open a file or a socket.
//   - The same content gives the same bytes: a manifest's digest depends on the
//     chart's files, the values, the namespace, the release name and the
//     capabilities, and on nothing of the Kyma that asks. A fleet of any size
//     that uses 18 charts costs 18 renders.
//   - An error is a sentence fit for a status: it names the chart's fault, never
//     an address, an id, a time or a temporary path.
//
// The parts, from the outside in: cache (a decorator), sources (charts in),
// process (the parent's side of the child), Child (the child's side), engine
// (helm).
package render
