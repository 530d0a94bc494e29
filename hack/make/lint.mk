LINT := bin/tools/golangci-lint
LINT_STAMP := bin/tools/.golangci-lint.$(shell cat hack/tools/lint/go.mod hack/tools/lint/go.sum | git hash-object --stdin)

# Some minutes the first time; after that it comes from Go's build cache.
$(LINT_STAMP):
	@echo "building golangci-lint $$(go -C hack/tools/lint list -m -f '{{.Version}}' github.com/golangci/golangci-lint/v2) (minutes, the first time)"
	@mkdir -p bin/tools && rm -f bin/tools/.golangci-lint.*
	@CGO_ENABLED=0 go -C hack/tools/lint build -trimpath -ldflags '-s -w' -o $(CURDIR)/$(LINT) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

.PHONY: lint
lint: $(LINT_STAMP) ## golangci-lint on Go, shellcheck on scripts
	@$(LINT) run ./...
	@hack/lint-scripts.sh

.PHONY: lint-fix
lint-fix: $(LINT_STAMP) ## repair what golangci-lint can repair by itself
	@$(LINT) run --fix ./...
