NAME ?= kyma
KYMAS ?= 1

.PHONY: control-plane
control-plane: ## build etcd, kube-apiserver, kube-controller-manager and kwokctl, once, into bin/control-plane
	@hack/build-control-plane.sh

.PHONY: bin/tools/controlplane
bin/tools/controlplane:
	@go build -o $@ ./e2e/controlplane/cmd

.PHONY: control-plane-up
control-plane-up: control-plane bin/tools/controlplane ## start one (NAME=kyma; QPS_LIMITS=off); kubeconfig at .run/NAME/kubeconfig
	@bin/tools/controlplane up -name '$(NAME)' $(if $(filter off,$(QPS_LIMITS)),-disable-qps-limits)

.PHONY: control-plane-down
control-plane-down: bin/tools/controlplane ## stop it and remove its state (NAME=kyma)
	@bin/tools/controlplane down -name '$(NAME)'

.PHONY: install
install: bin/tools/controlplane ## install the CRDs into the cluster of the current kubeconfig
	@bin/tools/controlplane install

.PHONY: uninstall
uninstall: bin/tools/controlplane ## remove the CRDs, and with them every Kyma
	@bin/tools/controlplane uninstall

.PHONY: run
run: build ## run the operator against the current kubeconfig (OPERATOR_ARGS=…)
	@exec bin/kyma-operator $(OPERATOR_ARGS)

.PHONY: demo
demo: build control-plane ## KYMAS=1 Kymas to success on a control plane of their own, live (KEEP=1: leave it up; OPERATOR_ARGS=…)
	@go build -o bin/tools/demo ./e2e/demo
	@exec bin/tools/demo -kymas '$(KYMAS)' $(if $(KEEP),-keep) -- $(OPERATOR_ARGS)
