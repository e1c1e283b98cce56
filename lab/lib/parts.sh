# shellcheck shell=bash
# What each part is built from: version, binaries, packages, tags and linker flags.

# Raise it when build.sh makes a part differently from the same sources.
RECIPE=1

PARTS=(kubernetes etcd containerd runc coredns helm envoy-gateway envoy ratelimit cert-manager pebble dns otlp gateway-api echo)
# Built on demand only: tests want them, the cluster does not.
TEST_PARTS=(route-manifests conformance coreruleset)

part_version() {
  case $1 in
    kubernetes) echo "$KUBERNETES_VERSION" ;;
    etcd) echo "$ETCD_VERSION" ;;
    containerd) echo "$CONTAINERD_VERSION" ;;
    runc) echo "$RUNC_VERSION" ;;
    coredns) echo "$COREDNS_VERSION" ;;
    helm) echo "$HELM_VERSION" ;;
    envoy-gateway) echo "$ENVOY_GATEWAY_VERSION" ;;
    envoy) echo "v$ENVOY_VERSION" ;;
    ratelimit) echo "$RATELIMIT_VERSION" ;;
    cert-manager) echo "$CERT_MANAGER_VERSION" ;;
    pebble) echo "$PEBBLE_VERSION" ;;
    gateway-api | route-manifests | conformance) echo "$GATEWAY_API_VERSION" ;;
    coreruleset) echo "$CORERULESET_VERSION" ;;
    echo | dns | otlp) echo dev ;;
    *) die "there is no part called '$1'" "the parts are: ${PARTS[*]} ${TEST_PARTS[*]}" ;;
  esac
}

# Where a part's go.mod is.
part_sources() {
  case $1 in
    route-manifests | conformance) echo "$LAB/../tests/conformance" ;;
    *) echo "$LAB/go/$1" ;;
  esac
}

# The module whose version pins.env states; empty for parts without one.
part_module() {
  case $1 in
    kubernetes) echo k8s.io/kubernetes ;;
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    containerd) echo github.com/containerd/containerd/v2 ;;
    runc) echo github.com/opencontainers/runc ;;
    coredns) echo github.com/coredns/coredns ;;
    helm) echo helm.sh/helm/v4 ;;
    envoy-gateway) echo github.com/envoyproxy/gateway ;;
    ratelimit) echo github.com/envoyproxy/ratelimit ;;
    cert-manager) echo github.com/cert-manager/cert-manager ;;
    pebble) echo github.com/letsencrypt/pebble/v2 ;;
    gateway-api | route-manifests) echo sigs.k8s.io/gateway-api ;;
    conformance) echo sigs.k8s.io/gateway-api/conformance ;;
    coreruleset) echo github.com/corazawaf/coraza-coreruleset/v4 ;;
  esac
}

part_binaries() {
  case $1 in
    kubernetes) echo "kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl" ;;
    containerd) echo "containerd ctr containerd-shim-runc-v2" ;;
    runc) echo "runc pause" ;;
    cert-manager) echo "cert-manager acmesolver" ;;
    gateway-api | route-manifests | coreruleset) ;;
    conformance) echo "echo-basic conformance.test" ;;
    *) echo "$1" ;;
  esac
}

# part_build_args PART: fills the arrays ARGS (of go build) and PACKAGES, and CGO.
part_build_args() {
  local v x="-s -w"
  v=$(part_version "$1")
  CGO=0
  ARGS=()
  case $1 in
    kubernetes)
      x+=" -X k8s.io/component-base/version.gitVersion=$v -X k8s.io/client-go/pkg/version.gitVersion=$v"
      x+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=${v:3:2}"
      PACKAGES=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,kubelet,kubectl})
      ;;
    etcd) PACKAGES=(go.etcd.io/etcd/server/v3) ;;
    containerd)
      ARGS+=(-tags "no_btrfs no_devmapper no_zfs")
      x+=" -X github.com/containerd/containerd/v2/version.Version=$v"
      PACKAGES=(github.com/containerd/containerd/v2/cmd/{containerd,ctr,containerd-shim-runc-v2})
      ;;
    runc)
      CGO=1 # its namespace entry is C, and seccomp is libseccomp
      ARGS+=(-tags seccomp)
      x+=" -X main.version=${v#v}"
      PACKAGES=(github.com/opencontainers/runc)
      ;;
    helm)
      x+=" -X helm.sh/helm/v4/internal/version.version=$v"
      PACKAGES=(helm.sh/helm/v4/cmd/helm)
      ;;
    envoy-gateway)
      x+=" -X github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion=$v"
      PACKAGES=(github.com/envoyproxy/gateway/cmd/envoy-gateway)
      ;;
    ratelimit) PACKAGES=(github.com/envoyproxy/ratelimit/src/service_cmd) ;;
    cert-manager) PACKAGES=(. ./acmesolver) ;;
    pebble)
      x+=" -X main.version=$v"
      PACKAGES=(github.com/letsencrypt/pebble/v2/cmd/pebble)
      ;;
    conformance) PACKAGES=(sigs.k8s.io/gateway-api/conformance/echo-basic) ;;
    *) PACKAGES=(.) ;;
  esac
  ARGS+=(-trimpath -ldflags "$x")
}

# part_key PART: names the cache folder; another source, flag or compiler is another folder.
part_key() {
  local part=$1 from sources
  {
    case $part in
      envoy) echo "$ENVOY_VERSION $ENVOY_SHA256" ;;
      *)
        part_build_args "$part"
        from=$(part_sources "$part")
        sources=("$from"/go.*)
        case $part in
          conformance) sources+=("$from"/*.go) ;;
          *) mapfile -t -O "${#sources[@]}" sources < <(find "$from" -name main.go | sort) ;;
        esac
        cat "${sources[@]}"
        echo "$RECIPE $CGO ${ARGS[*]} ${PACKAGES[*]} $ENVOY_GATEWAY_IMAGE"
        ;;
    esac
    uname -m
  } | hash_of | sed "s/^/$(part_version "$part")-/"
}

part_dir() { echo "$CACHE/$1/$(part_key "$1")"; }

# built_dir PART: its folder, once it is built.
built_dir() {
  (($# == 1)) || die "dir needs a part" "lab/lab.sh dir PART"
  local dir
  part_version "$1" >/dev/null
  dir=$(part_dir "$1")
  [[ -d $dir ]] || die "$1 is not built" "lab/lab.sh build $1"
  echo "$dir"
}

# bin NAME: the path of a built binary.
bin() {
  local part dir
  for part in "${PARTS[@]}" "${TEST_PARTS[@]}"; do
    [[ " $(part_binaries "$part") " == *" $1 "* ]] || continue
    dir=$(part_dir "$part")
    [[ -x $dir/$1 ]] || die "$1 is not built" "lab/lab.sh build $part"
    echo "$dir/$1"
    return
  done
  die "the lab builds no binary called '$1'" "lab/README.md lists the parts"
}

check_pins() {
  local part module want have bad=0
  for part in "${PARTS[@]}" "${TEST_PARTS[@]}"; do
    module=$(part_module "$part")
    [[ -n $module ]] || continue
    want=$(part_version "$part")
    have=$(awk -v m="$module" '$1 == "require" { $1 = ""; $0 = $0 } $1 == m { print $2; exit }' "$(part_sources "$part")/go.mod")
    [[ $have == "$want" ]] || { warn "the go.mod of $part has $module $have, pins.env has $want"; bad=1; }
  done
  # The operator has the rules in its binary that the lab tests it by.
  have=$(awk '$1 == "github.com/corazawaf/coraza-coreruleset/v4" { print $2; exit }' "$LAB/../operator/coraza/go/go.mod")
  [[ $have == "$CORERULESET_VERSION" ]] ||
    { warn "operator/coraza/go/go.mod has the Core Rule Set $have, pins.env has $CORERULESET_VERSION"; bad=1; }
  while read -r module have; do
    [[ $have == "$KUBERNETES_STAGING_VERSION" ]] ||
      { warn "lab/go/kubernetes/go.mod replaces $module by $have, pins.env has $KUBERNETES_STAGING_VERSION"; bad=1; }
  done < <(awk '$2 == "=>" && $1 == $3 { print $1, $4 }' "$LAB/go/kubernetes/go.mod")
  ((bad == 0)) || die "pins.env and the go.mod files disagree" "change pins.env, then 'go get <module>@<version>' in the folder named above"
  say "pins.env and the go.mod files agree"
}
