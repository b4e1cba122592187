# One image for everything that runs: the `vltava` binary on a base with glibc and nothing else.
#
#   docker build -t vltava .
#
# Where the base images cannot be pulled, name others, or bring a binary built outside:
#
#   docker build --build-arg BINARY=prebuilt --build-arg RUNTIME_IMAGE=my/base FOLDER-WITH-vltava -f Dockerfile
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot
ARG BINARY=compiled

FROM ${BUILD_IMAGE} AS compiled
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --package vltava && strip --strip-debug -o /vltava target/release/vltava

FROM scratch AS prebuilt
COPY vltava /vltava

FROM ${BINARY} AS binary

FROM ${RUNTIME_IMAGE}
COPY --from=binary --chmod=0755 /vltava /vltava
# The same number as the base's `nonroot`, written as a number: Kubernetes cannot check a name.
USER 65532:65532
ENTRYPOINT ["/vltava"]
