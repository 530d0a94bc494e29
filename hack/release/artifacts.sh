#!/usr/bin/env bash
# Writes everything that a release consists of into dist/:  hack/release/artifacts.sh VERSION IMAGE [PLATFORMS]
# IMAGE is what install.yaml tells the cluster to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -ge 2 ] || { echo "usage: ${0##*/} VERSION IMAGE [PLATFORMS]" >&2; exit 2; }
version=$1 image=$2 platforms=${3:-linux/amd64,linux/arm64}
out=$PWD/dist

# Nothing of an earlier version may end up among the checksums.
rm -rf "$out"
mkdir -p "$out"

go -C hack/image run . -out "$out" -version "$version" -platforms "$platforms"
go build -o "$out/.deploy" ./hack/deploy
"$out/.deploy" -image "$image" render manifests/operator >"$out/install.yaml"
"$out/.deploy" -image "$image" render manifests/overlays/scale >"$out/install-scale.yaml"
"$out/.deploy" render manifests/crds >"$out/crds.yaml"
"$out/.deploy" render manifests/monitoring >"$out/monitoring.yaml"
rm "$out/.deploy"

(cd "$out" && sha256sum -- * >checksums.txt)
echo "$out: $version, running $image"
ls -l "$out"
