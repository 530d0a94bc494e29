# The packages' integration tests each start a control plane; more than two at once only make one another slow.
TEST_PARALLEL ?= 2
TEST_ARGS ?=
# The race detector needs a C compiler, which a machine with Go, make and git alone may lack; CI has one.
RACE := $(if $(shell command -v "$$(go env CC)"),-race)

.PHONY: test
test: control-plane ## all tests, unit and integration (on a real API server), with the race detector
	@$(if $(RACE),,echo "no C compiler: testing without the race detector")
	@go test $(RACE) -p $(TEST_PARALLEL) -timeout 20m $(TEST_ARGS) ./...

.PHONY: test-unit
test-unit: ## unit tests only: no control plane, seconds
	@go test $(RACE) -short $(TEST_ARGS) ./...

.PHONY: bench
bench: ## benchmarks (BENCH=regexp, COUNT=n)
	@go test -short -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -count $(or $(COUNT),1) ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME=10s
	@hack/fuzz.sh '$(or $(FUZZTIME),10s)'
