#!/usr/bin/env bash
# Writes everything that a release consists of into dist/:  hack/release/artifacts.sh VERSION IMAGE [PLATFORMS]
# IMAGE is what install.yaml tells the cluster to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -ge 2 ] || { echo "usage: ${0##*/} VERSION IMAGE [PLATFORMS]" >&2; exit 2; }
version=$1 image=$2 platforms=${3:-linux/amd64,linux/arm64}
out=$PWD/dist

mkdir -p "$out"
files=(install.yaml install-scale.yaml crds.yaml monitoring.yaml)
for platform in ${platforms//,/ }; do
  files+=("kyma-operator-${platform#*/}.tar" "kyma-operator-${platform#*/}.cdx.json")
done
# What is left of an earlier version shall not be taken for a part of this one.
(cd "$out" && rm -f kyma-operator-*.tar kyma-operator-*.cdx.json "${files[@]}" checksums.txt)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/deploy" ./hack/deploy
"$work/deploy" -image "$image" render manifests/operator >"$out/install.yaml"
"$work/deploy" -image "$image" render manifests/overlays/scale >"$out/install-scale.yaml"
"$work/deploy" render manifests/crds >"$out/crds.yaml"
"$work/deploy" render manifests/monitoring >"$out/monitoring.yaml"
go -C hack/image run . -out "$out" -version "$version" -platforms "$platforms"

cd "$out"
sha256sum -- "${files[@]}" >checksums.txt
echo "$out: $version, running $image"
ls -l -- "${files[@]}" checksums.txt
