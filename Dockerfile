# For those who build images with an engine:  docker build -t kyma-operator:dev .
# `make image` needs none and gives the same contents; releases are made with it.
# With BuildKit, --platform linux/arm64 cross-compiles instead of emulating.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd cmd
COPY pkg pkg
COPY manifests manifests
ARG TARGETOS=linux TARGETARCH=amd64 VERSION=dev REVISION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -mod=readonly \
    -ldflags "-s -w -buildid= -X github.com/kyma-incubator/kymactl/cmd/kyma-operator/app.version=$VERSION -X github.com/kyma-incubator/kymactl/cmd/kyma-operator/app.revision=$REVISION" \
    -o /out/kyma-operator ./cmd/kyma-operator && mkdir -m 1777 /out/tmp

FROM scratch
ARG VERSION=dev REVISION=unknown
LABEL org.opencontainers.image.title=kyma-operator \
      org.opencontainers.image.source=https://github.com/kyma-incubator/kymactl \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /
ENV HOME=/tmp
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/kyma-operator"]
