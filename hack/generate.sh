#!/usr/bin/env bash
# Everything that is generated, from pinned tools: deepcopy, register, clientset with fake, listers, informers, apply
# configurations, CRDs and RBAC. Run by `make generate`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
module=$(go list -m)
export GOBIN=$root/bin/tools

codegen=$(cd hack/tools && go mod download -json k8s.io/code-generator@"$(go list -m -f '{{.Version}}' k8s.io/code-generator)" |
  sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
# shellcheck source=/dev/null
source "$codegen/kube_codegen.sh"

kube::codegen::gen_helpers --boilerplate "$root/hack/boilerplate.go.txt" "$root/pkg/apis"
kube::codegen::gen_register --boilerplate "$root/hack/boilerplate.go.txt" "$root/pkg/apis"
kube::codegen::gen_client --with-watch --with-applyconfig \
  --boilerplate "$root/hack/boilerplate.go.txt" \
  --output-dir "$root/pkg/generated" --output-pkg "$module/pkg/generated" \
  "$root/pkg/apis"

go -C hack/tools build -o "$GOBIN/" sigs.k8s.io/controller-tools/cmd/controller-gen
"$GOBIN/controller-gen" crd:headerFile=/dev/null paths=./pkg/apis/... output:crd:dir=manifests/crds
"$GOBIN/controller-gen" rbac:roleName=kyma-operator,fileName=role.yaml paths=./pkg/controller/... output:rbac:dir=manifests/rbac

go test ./cmd/kyma-operator/app -run TestDocs -update -count=1 >/dev/null
