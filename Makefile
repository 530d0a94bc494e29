# Every target with a line of help is listed by `make help`. Targets by topic are in hack/make/*.mk.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
APP := github.com/kyma-incubator/kymactl/cmd/kyma-operator/app
LDFLAGS := -s -w -X $(APP).version=$(VERSION) -X $(APP).revision=$(REVISION)

# Programs are always given to `go build`, which knows best whether there is anything to do.
.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z][a-zA-Z0-9_-]*:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/kyma-operator
	@CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/kyma-operator ./cmd/kyma-operator

.PHONY: clean
clean: ## remove what was built, except the control plane and the tools (CLEAN=all: these too)
	@rm -rf dist coverage.out bin/kyma-operator $(if $(filter all,$(CLEAN)),bin)

include hack/make/*.mk
