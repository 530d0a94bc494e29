#!/usr/bin/env bash
# The load test: measures a fleet of Kymas in parallel against the ideal of one, on a cluster of your choice, and leaves
# a summary, a JSON file and an HTML page.
#
#   e2e/load.sh [options]
#     --cluster PLACE        embedded: a control plane of its own on this machine          (default)
#                            kind: creates a kind cluster, runs the operator in it, and deletes it
#                            existing: the cluster of --kubeconfig, with the operator that runs there
#     --kymas N              how many                                                      (100)
#     --scenario NAME        burst, rate, batches, restart, kill, resync, churn, poison, observe, sweep, findings
#     --modules N|LIST       standard modules of each Kyma: how many, or names             (18)
#     --rate R               Kymas a second, for the scenario rate                         (10)
#     --operator-args ARGS   flags of the operator under test, in one word                 (--kube-api-qps=-1)
#     --out FOLDER           for report.json and report.html                               (.run/load/...)
#     --baseline FILE        report.json of an earlier run to compare with
#     --thresholds FILE      YAML with limits; the built-in ones for what it leaves out
#     --kubeconfig FILE      for --cluster existing                                        ($KUBECONFIG)
#     --node-image IMAGE     for --cluster kind                                            ($KIND_NODE_IMAGE, or a pinned one)
#     --kind-config FILE     for --cluster kind                                            ($KIND_CONFIG, or e2e/kind-load.yaml)
#     --name NAME            of the control plane or kind cluster                          (kyma-load)
#     --keep                 leave the cluster and the Kymas behind
#     --help
#   Every other option goes to the lab as it is; `e2e/load.sh --lab-help` lists them all.
#
# Exit codes: 0 pass, 1 set-up, 2 time-out, 3 an SLO missed, 4 an invariant broken, 5 the run is invalid, 6 a regression
# against the baseline, 130 interrupted. docs/load-testing.md says how to read a report.
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The node image of the kind release that the project is tested with.
default_node_image=kindest/node:v1.36.1
cluster=embedded name=kyma-load keep='' kubeconfig=${KUBECONFIG:-}
node_image=${KIND_NODE_IMAGE:-$default_node_image} kind_config=${KIND_CONFIG:-e2e/kind-load.yaml}
lab=()

usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; }
fail() { echo "${0##*/}: $*" >&2; exit 1; }
# A path that was given relative to where the script was called.
path() { case $1 in /*) echo "$1" ;; *) echo "$here/$1" ;; esac; }

while [ $# -gt 0 ]; do
  option=$1
  case $option in
  --help | -h) usage; exit 0 ;;
  --lab-help) exec go run ./e2e/lab/cmd/load --help ;;
  --keep) keep=yes; lab+=(--keep); shift; continue ;;
  --*=*) set -- "${option%%=*}" "${option#*=}" "${@:2}"; option=$1 ;;
  --disable-api-limits) lab+=("$option"); shift; continue ;;
  --*) ;;
  *) fail "unexpected argument $option; --help lists the options" ;;
  esac
  [ $# -ge 2 ] || fail "$option needs a value"
  value=$2
  shift 2
  case $option in
  --cluster) cluster=$value ;;
  --name) name=$value ;;
  --kubeconfig) kubeconfig=$(path "$value") ;;
  --node-image) node_image=$value ;;
  --kind-config) kind_config=$(path "$value") ;;
  --out | --baseline | --thresholds | --operator-binary | --operator-kubeconfig) lab+=("$option=$(path "$value")") ;;
  *) lab+=("$option=$value") ;;
  esac
done

case $cluster in
embedded | existing) ;;
kind)
  for tool in docker kind; do
    command -v "$tool" >/dev/null || fail "--cluster kind needs $tool, which is not here; --cluster embedded needs nothing, --cluster existing a kubeconfig"
  done
  docker version >/dev/null 2>&1 || fail "--cluster kind needs a running container engine (docker version fails); --cluster embedded needs nothing, --cluster existing a kubeconfig"
  [ -r "$kind_config" ] || fail "no kind config at $kind_config"
  ;;
*) fail "--cluster $cluster is none of embedded, kind, existing" ;;
esac

KYMA_LAB_REVISION=$(git describe --always --dirty 2>/dev/null || echo unknown)
export KYMA_LAB_REVISION
mkdir -p bin/tools
go build -o bin/tools/load ./e2e/lab/cmd/load || fail "the lab does not build"

case $cluster in
embedded)
  make control-plane build
  exec bin/tools/load --cluster=embedded --name="$name" "${lab[@]}"
  ;;
existing)
  [ -n "$kubeconfig" ] || fail "--cluster existing needs --kubeconfig or \$KUBECONFIG"
  exec bin/tools/load --cluster=existing --kubeconfig="$kubeconfig" "${lab[@]}"
  ;;
esac

work=$(mktemp -d) made='' running=''
# Deletes what was made, however the script ends; the exit code stays that of the run.
cleanup() {
  code=$?
  trap - EXIT
  trap '' INT TERM
  if [ -n "$made" ] && [ -z "$keep" ]; then
    kind delete cluster --name "$name" >/dev/null 2>&1 || echo "${0##*/}: could not delete kind cluster $name" >&2
  fi
  if [ -n "$made" ] && [ -n "$keep" ]; then
    echo "kept: export KUBECONFIG=$work/kubeconfig; kind delete cluster --name $name removes it"
  else
    rm -rf "$work"
  fi
  exit "$code"
}
trap cleanup EXIT
# The lab gets the signal too, writes its report and ends; then the script goes on to clean up.
trap '[ -z "$running" ] && exit 130' INT TERM

if kind get clusters 2>/dev/null | grep -qx "$name"; then
  fail "a kind cluster $name is already there; --name takes another"
fi
architecture=$(go env GOHOSTARCH)
version=load-$(date +%s)
make image VERSION="$version" PLATFORMS="linux/$architecture"
made=yes
kind create cluster --name "$name" --image "$node_image" --config "$kind_config" --kubeconfig "$work/kubeconfig" --wait 120s
kind load image-archive "dist/kyma-operator-$architecture.tar" --name "$name"
KUBECONFIG=$work/kubeconfig go run ./hack/deploy -image "kyma-operator:$version" apply manifests/overlays/kind

running=yes
status=0
bin/tools/load --cluster=kind --kubeconfig="$work/kubeconfig" "${lab[@]}" &
run=$!
# TERM: a process in the background ignores INT.
trap 'kill -TERM "$run" 2>/dev/null' INT TERM
while :; do
  wait "$run" && status=0 || status=$?
  kill -0 "$run" 2>/dev/null || break
done
[ "$status" = 0 ] || exit "$status"
