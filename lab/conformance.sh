#!/usr/bin/env bash
# `make conformance`: the Gateway API's conformance tests that bear on isolation, in namespaces that Octroi makes on the
# running lab. What this is and is not: tests/conformance/doc.go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The group of the chart's value admission.breakGlassGroup: the suite makes Gateways and ReferenceGrants of its own.
GROUP=${OCTROI_BREAK_GLASS_GROUP:-platform-emergency}
IMAGE=octroi.test/echo-basic
OUT=${CARGO_TARGET_DIR:-target}/conformance

# shellcheck source=pins.env
source lab/pins.env
lab/lab.sh build conformance
lab/lab.sh image "$IMAGE:$GATEWAY_API_VERSION" "$(lab/lab.sh bin echo-basic)"
KUBECONFIG=$(lab/lab.sh kubeconfig conformance system:masters "$GROUP")
export KUBECONFIG
mkdir -p "$OUT"
echo "conformance: running; the log is $OUT/log"
code=0
"$(lab/lab.sh bin conformance.test)" -test.v -test.timeout 60m -echo-image "$IMAGE:$GATEWAY_API_VERSION" \
    -results "$OUT/results.json" "$@" >"$OUT/log" 2>&1 || code=$?
# The table is the last thing that the program prints before the verdict.
if ! sed -n '/^listeners are apart$/,/^conformance: /p' "$OUT/log" | grep .; then
    tail -n 30 "$OUT/log" >&2
    echo "conformance: it did not get to its tests (exit code $code); the whole log is $OUT/log" >&2
fi
exit "$code"
