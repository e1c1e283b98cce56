#!/usr/bin/env bash
# Octroi on the lab: builds the operator beside the lab's own parts, makes its image, installs its chart.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

IMAGE=octroi.test/octroi

usage() {
    echo "usage: lab/octroi.sh install    build the operator, start the lab, install the chart" >&2
    exit 2
}

# The digest in the tag makes the chart roll the pods out exactly when the binary changed.
image_tag() {
    sha256sum "$1" | cut -c1-12
}

install() {
    lab/lab.sh preflight full
    lab/lab.sh packages
    local log build
    log=$(mktemp)
    # The Rust build and the lab's Go builds share the cores: most of both is waiting for the other's linker.
    cargo build --locked -p octroi -p octroi-tests --bins >"$log" 2>&1 &
    build=$!
    if ! lab/lab.sh up; then
        wait "$build" || true
        rm -f "$log"
        exit 1
    fi
    echo "octroi: building the operator"
    if ! wait "$build"; then
        tail -n 40 "$log" >&2
        echo "octroi: the operator does not build; the whole log is $log" >&2
        exit 1
    fi
    rm -f "$log"
    local binary=${CARGO_TARGET_DIR:-target}/debug/octroi tag
    tag=$(image_tag "$binary")
    lab/lab.sh image "$IMAGE:$tag" "$binary"
    echo "octroi: installing the chart"
    eval "$(lab/lab.sh env)"
    "$(lab/lab.sh bin kubectl)" apply --server-side --force-conflicts -f crds >/dev/null
    "$(lab/lab.sh bin helm)" upgrade --install octroi charts/octroi --namespace octroi-system --create-namespace \
        --set image.repository="$IMAGE" --set image.tag="$tag" --set image.pullPolicy=Never \
        --set gatewayClasses.envoyGateway.create=true --set admission.breakGlassGroup=platform-emergency --wait --timeout 3m >/dev/null
}

case "${1:-}" in
    install) install ;;
    *) usage ;;
esac
