#!/usr/bin/env bash
# Builds the embedded control plane into bin/control-plane from the versions that hack/controlplane pins: etcd,
# kube-apiserver, kube-controller-manager and kwokctl. Some minutes the first time; after that Go's build cache makes it a
# matter of linking, and where nothing changed it does nothing.
#
# ETCD_BINARY, KUBE_APISERVER_BINARY, KUBE_CONTROLLER_MANAGER_BINARY, KWOKCTL_BINARY or a folder in KUBEBUILDER_ASSETS
# name existing programs; those are used and not built. (Keep in step with e2e/controlplane/binaries.go.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/controlplane"
out=${1:-../../bin/control-plane}
mkdir -p "$out"
out=$(cd "$out" && pwd)

export CGO_ENABLED=0 GOWORK=off GOFLAGS="${GOFLAGS:-} -buildvcs=false"

# Everything that the programs are made of, and how.
stamp=$({ go env GOVERSION GOOS GOARCH; cat go.mod go.sum etcd/main.go ../build-control-plane.sh; } | git hash-object --stdin)

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# Fails where the environment names a program that is not there; prints the program's path, or nothing.
external() { # variable, name
  local path=${!1:-}
  if [[ -n $path ]]; then
    [[ -x $path && ! -d $path ]] || { echo "$1: $path is not a program" >&2; return 1; }
  elif [[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$2 ]]; then
    path=$KUBEBUILDER_ASSETS/$2
  fi
  echo "$path"
}

heartbeat() { # process, label, log of `go build -v`
  local start=$SECONDS line
  while kill -0 "$1" 2>/dev/null; do
    line="$2  $(clock $((SECONDS - start)))  $(wc -l <"$3") packages compiled"
    if [[ -t 2 ]]; then printf '\r%s ' "$line" >&2; elif (((SECONDS - start) % 10 == 9)); then echo "$line" >&2; fi
    sleep 1
  done
  if [[ -t 2 ]]; then printf '\r' >&2; fi
  echo "$2  $(clock $((SECONDS - start)))  done" >&2
}

build() { # index, name, package, linker flags
  local log=$out/$2.log pid
  [[ -x $out/$2 && $(cat "$out/$2.stamp" 2>/dev/null) == "$stamp" ]] && return
  : >"$log"
  go build -v -ldflags "$4" -o "$out/$2.new" "$3" 2>"$log" &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; rm -f "$out"/*.new; exit 130' INT TERM
  heartbeat "$pid" "$1/4 $2" "$log"
  if ! wait "$pid"; then
    tail -n 20 "$log" >&2
    echo "building $2 failed; the whole log is $log" >&2
    return 1
  fi
  trap - INT TERM
  # Renamed when it is whole, so that an interrupted build is never taken for a program.
  mv "$out/$2.new" "$out/$2"
  echo "$stamp" >"$out/$2.stamp"
  rm -f "$log"
}

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v*.}
kube="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  kube+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done

index=0
while read -r name variable package; do
  index=$((index + 1))
  path=$(external "$variable" "$name")
  if [[ -n $path ]]; then
    echo "$index/4 $name  $path" >&2
    continue
  fi
  flags=$kube
  [[ $name == kwokctl ]] && flags="-s -w"
  build "$index" "$name" "$package" "$flags"
done <<'LIST'
etcd ETCD_BINARY ./etcd
kube-apiserver KUBE_APISERVER_BINARY k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager KUBE_CONTROLLER_MANAGER_BINARY k8s.io/kubernetes/cmd/kube-controller-manager
kwokctl KWOKCTL_BINARY sigs.k8s.io/kwok/cmd/kwokctl
LIST
