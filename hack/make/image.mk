# Building an image needs no container engine: hack/image does it in Go.
IMAGE_NAME ?= kyma-operator
PLATFORMS ?= linux/amd64,linux/arm64
# What the manifests of a release name; a registry's name where the image was pushed to one.
IMG ?=

.PHONY: image
image: ## image archives dist/kyma-operator-{amd64,arm64}.tar, for docker load and kind load image-archive
	@go -C hack/image run . -out $(CURDIR)/dist -name '$(IMAGE_NAME)' -version '$(VERSION)' -platforms '$(PLATFORMS)'

.PHONY: image-push
image-push: ## build for all platforms and push to a registry (IMG=registry.example/kyma-operator:v1)
	@$(if $(IMG),,$(error IMG=registry.example/kyma-operator:v1 says where to))go -C hack/image run . -out $(CURDIR)/dist -name '$(IMAGE_NAME)' -version '$(VERSION)' -platforms '$(PLATFORMS)' -push '$(IMG)'

.PHONY: image-test
image-test: ## tests of the image builder: equal builds, both archive formats, run in the image, push
	@go -C hack/image test -count=1 ./...

.PHONY: release-artifacts
release-artifacts: ## dist/: install.yaml, CRDs, monitoring, image archives, bills of materials, checksums (VERSION=v1.2.3, IMG=…)
	@hack/release/artifacts.sh '$(VERSION)' '$(or $(IMG),$(IMAGE_NAME):$(VERSION))' '$(PLATFORMS)'
