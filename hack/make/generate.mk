.PHONY: generate
generate: ## deepcopy, register, clients, listers, informers, apply configurations, CRDs, RBAC, generated docs
	@hack/generate.sh

.PHONY: verify
verify: ## fail where `make generate` would change anything, or go.mod is not tidy
	@hack/verify.sh
