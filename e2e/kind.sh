#!/usr/bin/env bash
# The operator on a real cluster, from nothing to nothing: makes a kind cluster, loads the image, deploys, brings a Kyma to
# success, takes the leader away twice (a deleted pod, a SIGKILL) while another Kyma is under way, removes everything, looks
# for traces, and deletes the cluster.
#
#   make image && e2e/kind.sh [options]
#     --name NAME            of the cluster                                        (kyma-operator-e2e)
#     --node-image IMAGE     for `kind create cluster`; also $KIND_NODE_IMAGE      (kind's own default)
#     --kind-config FILE     for `kind create cluster`; also $KIND_CONFIG          (none)
#     --archive FILE         the operator's image                                  (dist/kyma-operator-<architecture>.tar)
#     --keep                 leave the cluster and the operator in it
#
# Needs kind, a container engine, go, and nothing else: where there is no kubectl, the one in the node is used.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name=kyma-operator-e2e keep='' archive=''
node_image=${KIND_NODE_IMAGE:-} kind_config=${KIND_CONFIG:-}
while [ $# -gt 0 ]; do
  case $1 in
  --name) name=$2; shift ;;
  --node-image) node_image=$2; shift ;;
  --kind-config) kind_config=$2; shift ;;
  --archive) archive=$2; shift ;;
  --keep) keep=yes ;;
  -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "${0##*/}: unknown option $1; --help lists them" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
now() { date +%s%3N; }
# The seconds since a moment that now() gave.
since() { local ms=$(($(now) - $1)); printf '%d.%02d s' $((ms / 1000)) $((ms % 1000 / 10)); }

for tool in kind go docker; do
  command -v "$tool" >/dev/null || { echo "${0##*/}: $tool is needed" >&2; exit 2; }
done
archive=${archive:-dist/kyma-operator-$(go env GOHOSTARCH).tar}
[ -s "$archive" ] || { echo "${0##*/}: no image archive at $archive; make image builds it" >&2; exit 2; }
image=$(tar -xOf "$archive" manifest.json | sed 's/.*"RepoTags":\["\([^"]*\)".*/\1/')

work=$(mktemp -d)
export KUBECONFIG=$work/kubeconfig
namespace=kyma-operator
lease=kyma-operator.inventory.kyma-project.io

made='' finished=''
cleanup() {
  local code=$?
  trap - EXIT INT TERM
  if [ -n "$made" ] && [ -z "$finished" ] && [ "$code" != 0 ]; then
    say "what the cluster looked like:"
    { kube get pods -A -o wide; kube -n "$namespace" describe pods; kube -n "$namespace" logs -l app.kubernetes.io/name=kyma-operator --tail=20 --prefix; kube get kymas -A; } 2>&1 | tail -100 || true
  fi
  if [ -n "$made" ] && [ -z "$keep" ]; then
    kind delete cluster --name "$name" >/dev/null 2>&1 && say "cluster deleted"
  fi
  if [ -n "$made" ] && [ -n "$keep" ]; then
    say "kept; KUBECONFIG=$KUBECONFIG, remove it with: kind delete cluster --name $name"
  else
    rm -rf "$work"
  fi
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if command -v kubectl >/dev/null; then
  kube() { kubectl "$@"; }
else
  kube() { docker exec -i "$name-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
fi

# Waits up to $1 seconds for a command to succeed, and says what it waited for if it does not.
await() {
  local limit=$1 what=$2 end
  shift 2
  end=$(($(now) + limit * 1000))
  until "$@" 2>/dev/null; do
    [ "$(now)" -lt "$end" ] || fail "not within $limit s: $what"
    sleep 0.1
  done
}

holder() { kube -n "$namespace" get lease "$lease" -o jsonpath='{.spec.holderIdentity}'; }
# The seconds from a moment until the present holder took the lease, by the lease itself: kubectl alone takes its time.
taken_after() {
  local acquired
  acquired=$(kube -n "$namespace" get lease "$lease" -o jsonpath='{.spec.acquireTime}')
  if acquired=$(date -d "$acquired" +%s%3N 2>/dev/null); then
    printf '%d.%02d s' $(((acquired - $1) / 1000)) $(((acquired - $1) % 1000 / 10))
  else
    since "$1"
  fi
}
holder_is_not() { local h; h=$(holder) && [ -n "$h" ] && [ "$h" != "$1" ]; }
succeeded() { [ "$(kube get kymas "$1" -o jsonpath='{.status.status}')" = success ]; }
both_ready() { [ 2 = "$(kube -n "$namespace" get deployment kyma-operator -o jsonpath='{.status.readyReplicas}')" ]; }
components_gone() { [ -z "$(kube get helmcomponents -A -o name)" ]; }
under_way() { [ -n "$(kube get helmcomponents -o jsonpath='{.items[?(@.status.status!="success")].metadata.name}')" ]; }

# Every object of every kind that lists, by name; what comes and goes by itself is left out.
inventory() {
  local kinds
  kinds=$(kube api-resources --verbs=list -o name | grep -v '^events\|^leases\|^endpoints\|^componentstatuses\|^replicasets\|^controllerrevisions' | sort -u | paste -sd,)
  kube get "$kinds" -A -o jsonpath='{range .items[*]}{.kind}{" "}{.metadata.namespace}{" "}{.metadata.name}{"\n"}{end}' | sort
}

say "creating cluster $name"
start=$(now)
made=yes
kind create cluster --name "$name" --kubeconfig "$KUBECONFIG" --wait 120s \
  ${node_image:+--image "$node_image"} ${kind_config:+--config "$kind_config"} >"$work/kind.log" 2>&1 ||
  { cat "$work/kind.log" >&2; fail "kind create cluster"; }
say "cluster made in $(since "$start"): $(kube version -o json | sed -n '/serverVersion/,/}/s/.*"gitVersion": "\(.*\)".*/Kubernetes \1/p')"

start=$(now)
kind load image-archive "$archive" --name "$name" >"$work/load.log" 2>&1 || { cat "$work/load.log" >&2; fail "kind load image-archive"; }
say "image $image loaded in $(since "$start")"

go build -o "$work/deploy" ./hack/deploy
await 60 "the default service account" kube -n default get serviceaccount default -o name >/dev/null
inventory >"$work/before"

start=$(now)
"$work/deploy" -image "$image" apply manifests/overlays/kind >"$work/deploy.log" || { cat "$work/deploy.log"; fail "deploy"; }
say "deployed $(grep -c ^applied "$work/deploy.log") objects, both replicas ready after $(since "$start")"
await 30 "a leader" holder_is_not ''
say "leader: $(holder)"

start=$(now)
kube apply -f - <manifests/samples/kyma.yaml >/dev/null
await 150 "the Kyma is success" succeeded kyma
say "Kyma of 18 modules at success after $(since "$start") (ideal: 67 s)"

# The second Kyma is under way while the leader goes, twice.
start=$(now)
sed 's/^  name: kyma$/  name: second/' manifests/samples/kyma.yaml | kube apply -f - >/dev/null
await 20 "the second Kyma is under way" under_way
old=$(holder) && lost=$(now)
kube -n "$namespace" delete pod "${old%_*}" --wait=false >/dev/null
await 20 "a new leader after the old one's pod was deleted" holder_is_not "$old"
say "leader's pod deleted: taken over after $(taken_after "$lost") by $(holder)"

old=$(holder)
node=$(kube -n "$namespace" get pod "${old%_*}" -o jsonpath='{.spec.nodeName}')
container=$(kube -n "$namespace" get pod "${old%_*}" -o jsonpath='{.status.containerStatuses[0].containerID}')
pid=$(docker exec "$node" ctr --namespace k8s.io tasks list | awk -v id="${container#containerd://}" '$1 == id { print $2 }')
lost=$(docker exec "$node" sh -c 'kill -9 "$1" && date +%s%3N' sh "$pid")
await 30 "a new leader after the old one was killed" holder_is_not "$old"
say "leader killed (SIGKILL): taken over after $(taken_after "$lost") by $(holder)"

await 150 "the second Kyma is success" succeeded second
say "second Kyma at success after $(since "$start"), both changes of leader included"
await 90 "both replicas are ready again" both_ready

# Metrics are for those who may read them. The API server's proxy passes no credentials on.
if kube get --raw "/api/v1/namespaces/$namespace/services/https:kyma-operator-metrics:8443/proxy/metrics" >"$work/metrics" 2>&1; then
  fail "metrics are served without a token"
fi
grep -qi 'unauthorized\|must be logged in' "$work/metrics" || fail "metrics without a token: $(cat "$work/metrics")"
say "metrics refuse a request without a token"

if [ -n "$keep" ]; then
  finished=yes
  exit 0
fi

kube delete kymas --all -A >/dev/null
await 60 "the components are collected with their Kymas" components_gone
start=$(now)
"$work/deploy" -image "$image" delete manifests/overlays/kind >/dev/null
say "Kymas and operator removed in $(since "$start")"
inventory >"$work/after"
diff "$work/before" "$work/after" >"$work/traces" || { cat "$work/traces" >&2; fail "traces are left in the cluster (or something is missing)"; }
say "no trace left: the same $(wc -l <"$work/after") objects as before"
finished=yes
say "PASSED"
