#!/usr/bin/env bash
# `make test`: every stage with the time it took. `lab/test.sh STAGE…` runs only those.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CARGO_DENY_VERSION=0.20.2
CACHE=${OCTROI_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/octroi-lab}
TIMES=()

# stage NAME COMMAND…
stage() {
    local name=$1 started=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@"
    TIMES+=("$(printf '%-44s %4d s' "$name" $((SECONDS - started)))")
}

cargo_deny() {
    local root=$CACHE/cargo-deny/$CARGO_DENY_VERSION
    [ -x "$root/bin/cargo-deny" ] || cargo install -q cargo-deny --locked --version "$CARGO_DENY_VERSION" --root "$root"
    # The advisory database is a git repository; where it cannot be reached, the rest is still checked.
    "$root/bin/cargo-deny" check bans licenses sources
}

pure_plan() {
    local impure
    impure=$(cargo tree --locked -p octroi-plan -e normal --prefix none | grep -E '^(tokio|hyper|kube-client|kube-runtime) ' || true)
    [ -z "$impure" ] || { echo "octroi-plan must stay pure, and depends on: $impure" >&2; return 1; }
}

check() {
    stage "format" cargo fmt --check
    stage "clippy" cargo clippy --locked -q --all-targets -- -D warnings
    stage "cargo deny" cargo_deny
    stage "the plan is pure" pure_plan
    stage "pins" lab/lab.sh check-pins
}

unit() {
    # Another history every time, and the same again when one fails.
    export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$RANDOM}
    echo "random histories: PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED"
    stage "unit tests" cargo test --locked --workspace --exclude octroi-tests
}

crs() {
    stage "core rule set: build" lab/lab.sh build coreruleset envoy
    stage "core rule set: tests" cargo run -q --locked -p octroi-crs --bin crs -- --coreruleset "$(lab/lab.sh dir coreruleset)" \
        --envoy "$(lab/lab.sh bin envoy)"
}

light() {
    stage "light lab: build" lab/lab.sh build kubernetes etcd helm gateway-api cert-manager envoy-gateway envoy route-manifests
    stage "light lab: tests" cargo test --locked --no-fail-fast -p octroi-tests --lib --test schema --test golden --test bad_input \
        --test contracts --test docs --test light_lab --test chart --test admission --test guards --test attacks_light \
        --test corpus --test lambda --test network_policy --test observability --test operator --test probe
}

lab() {
    stage "lab: up, with Octroi" lab/octroi.sh install
    stage "lab: tests" cargo test --locked --no-fail-fast -p octroi-tests --test lab --test doctor --test attacks -- --test-threads=1
    stage "lab: end to end" cargo test --locked --no-fail-fast -p octroi-tests --test e2e -- --test-threads=2
    stage "lab: installed and uninstalled" cargo test --locked -p octroi-tests --test lifecycle -- --test-threads=1
}

lab/lab.sh preflight full
lab/lab.sh packages
[ $# -gt 0 ] || set -- check unit crs light lab
for part in "$@"; do
    case $part in
        check | unit | crs | light | lab) "$part" ;;
        *) echo "lab/test.sh: no stage '$part': check, unit, crs, light or lab" >&2; exit 2 ;;
    esac
done
printf '\n== times\n'
printf '%s\n' "${TIMES[@]}"
