# Deploying needs neither kubectl nor kustomize: hack/deploy has what it takes of both.
OVERLAY ?= operator

.PHONY: deploy
deploy: ## the operator into the cluster of the current kubeconfig (IMG=name:tag, OVERLAY=operator|overlays/scale|overlays/kind)
	@go run ./hack/deploy -image '$(IMG)' apply manifests/$(OVERLAY)

.PHONY: undeploy
undeploy: ## remove it; CRDs and Kymas stay (CRDS=yes: these too)
	@go run ./hack/deploy $(if $(filter yes,$(CRDS)),,-keep-crds) delete manifests/$(OVERLAY)

.PHONY: deploy-monitoring
deploy-monitoring: ## ServiceMonitor, alerts and dashboards; needs prometheus-operator's CRDs
	@go run ./hack/deploy apply manifests/monitoring

.PHONY: dashboards
dashboards: ## generate the Grafana dashboards in manifests/monitoring/dashboards
	@go run ./hack/dashboards

.PHONY: e2e-kind
e2e-kind: image ## install, use, fail over and remove the operator on a kind cluster of its own (KIND_ARGS=…)
	@e2e/kind.sh $(KIND_ARGS)
