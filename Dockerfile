# syntax=docker/dockerfile:1
# The operator's image: docker build -t registry.example.com/platform/octroi:0.1.0 .
# Push it to your registry and name it in the chart's values (image.repository, image.tag or image.digest).

# The firewall's engine is Go; its rules are linked in with it.
FROM golang:1.26-bookworm AS go

FROM rust:1.95-slim-bookworm AS build
COPY --from=go /usr/local/go /usr/local/go
ENV PATH=/usr/local/go/bin:$PATH
# The image's own compiler: rust-toolchain.toml would make rustup fetch linters that a build does not need.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/root/go/pkg/mod \
    cargo build --release --locked -p octroi && cp target/release/octroi /octroi

# libc and CA certificates, and neither a shell nor a package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="octroi" \
      org.opencontainers.image.description="One Tenant per client, and a gateway they cannot break" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /octroi /usr/local/bin/octroi
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/octroi"]
CMD ["operator"]
