# The load lab: docs/load-testing.md.
CLUSTER ?= embedded
SCENARIO ?= burst
LOAD_KYMAS = $(if $(filter file undefined default,$(origin KYMAS)),100,$(KYMAS))
LOAD_ARGS ?=
LOAD = e2e/load.sh --cluster '$(CLUSTER)' $(if $(OUT),--out '$(OUT)') $(if $(BASELINE),--baseline '$(BASELINE)') $(if $(OPERATOR_ARGS),--operator-args '$(OPERATOR_ARGS)') $(LOAD_ARGS)

.PHONY: load
load: ## load test of KYMAS=100 in parallel (OUT=folder, SCENARIO=burst, CLUSTER=embedded|kind|existing, BASELINE=report.json, LOAD_ARGS=…)
	@$(LOAD) --scenario '$(SCENARIO)' --kymas '$(LOAD_KYMAS)'

.PHONY: load-sweep
load-sweep: ## the same load over a grid of settings; says which to use (KYMAS=100, OUT=folder, LOAD_ARGS='--grid …')
	@$(LOAD) --scenario sweep --kymas '$(LOAD_KYMAS)'

.PHONY: load-findings
load-findings: ## five A/B experiments, one line each (KYMAS=100, OUT=folder)
	@$(LOAD) --scenario findings --kymas '$(LOAD_KYMAS)'

.PHONY: load-test
load-test: ## tests of the load lab only
	@go test -race $(TEST_ARGS) ./e2e/lab/...
