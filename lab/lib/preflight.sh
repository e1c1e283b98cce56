# shellcheck shell=bash
# What must be true of this machine before anything is built or started. Every failure is one line with its next step.

FAILED=0
fail() {
  printf '%s\n' "lab: preflight: $1; next: $2" >&2
  FAILED=1
}

preflight() {
  local kind=${1:-full}
  [[ $kind == full || $kind == light ]] || die "preflight knows 'full' and 'light', not '$kind'" "lab/lab.sh preflight full"
  FAILED=0
  check_go
  have cargo || fail "cargo is not on PATH" "install Rust; the toolchain is named in rust-toolchain.toml"
  have python3 || fail "python3 is not on PATH" "apt-get install python3"
  check_disk "$CACHE" "$(needed_space)"
  if [[ $kind == full ]]; then
    check_root
    check_packages
    check_kernel
    check_disk "$STATE" 4
    check_ports
  fi
  ((FAILED == 0)) || exit 1
  [[ ${2:-} == quiet ]] || say "preflight $kind: all well"
}

check_go() {
  local have_version want
  have go || { fail "go is not on PATH" "install Go 1.26 or newer"; return; }
  have_version=$(go env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//')
  want=$(awk '$1 == "go" { print $2 }' "$LAB"/go/*/go.mod | sort -V | tail -n 1)
  [[ $(printf '%s\n' "$want" "$have_version" | sort -V | head -n 1) != "$want" ]] || return 0
  # Go fetches a newer toolchain itself unless it was told not to.
  [[ $(go env GOTOOLCHAIN) == local || $have_version == 1.[0-9] || $have_version == 1.1[0-9] || $have_version == 1.20 ]] || return 0
  fail "Go $have_version is too old, the pinned modules need $want" "install Go $want or newer and put it first on PATH"
}

check_root() { ((EUID == 0)) || fail "the full lab needs root (containers, network)" "run it as root, or use the light lab"; }

check_packages() {
  local missing
  have apt-get || { fail "this is not a Debian or Ubuntu machine (no apt-get)" "use one, or the light lab"; return; }
  missing=$(missing_packages | tr '\n' ' ')
  [[ -n $missing ]] || return 0
  # shellcheck disable=SC2016 # apt's own variable
  apt-get indextargets --format '$(FILENAME)' 2>/dev/null | xargs -r ls >/dev/null 2>&1 || apt-get update -qq >/dev/null 2>&1 ||
    fail "Debian packages are missing ($missing) and apt's mirrors do not answer" "check the machine's network and apt sources"
}

check_kernel() {
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || fail "the kernel has no overlayfs" "load or enable the module 'overlay'"
  [[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || modprobe br_netfilter 2>/dev/null ||
    fail "the kernel has no br_netfilter" "load or enable the module 'br_netfilter'"
  [[ -e /proc/self/ns/net && -e /proc/self/ns/pid ]] || fail "the kernel has no network or pid namespaces" "use a kernel with namespaces"
  [[ -d /sys/fs/cgroup/memory || -e /sys/fs/cgroup/cgroup.controllers ]] || fail "no memory cgroup is mounted" "mount cgroups (v1 or v2)"
  have ip && have iptables && ((EUID == 0)) || return 0 # the packages come later
  local probe=octroi-probe
  probe_link "$probe" type bridge || fail "this machine may not make a bridge" "it needs CAP_NET_ADMIN and the module 'bridge'"
  probe_link "$probe" type veth peer name "${probe}1" || fail "this machine may not make a veth pair" "it needs CAP_NET_ADMIN and the module 'veth'"
  iptables -w -t nat -S >/dev/null 2>&1 || fail "iptables does not work here" "it needs CAP_NET_ADMIN and the nat table"
}

probe_link() { ip link add "$@" 2>/dev/null && ip link delete "$1"; }

# A cold build fills Go's caches with 12 GiB and ours with 1.
needed_space() {
  local part
  for part in "${PARTS[@]}"; do
    [[ -d $(part_dir "$part") ]] || { echo 14; return; }
  done
  echo 1
}

# check_disk FOLDER GIB
check_disk() {
  local dir=$1 free
  while [[ ! -d $dir ]]; do dir=$(dirname "$dir"); done
  free=$(df -Pk "$dir" | awk 'NR == 2 { print int($4 / 1048576) }')
  ((free >= $2)) || fail "$dir has $free GiB free, $2 are needed" "free some space, or set OCTROI_LAB_CACHE and OCTROI_LAB_STATE"
}

# A port in use is a failure only when its user is not our own daemon.
check_ports() {
  local name port pid
  have ss || return 0
  while read -r name port; do
    pid=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1)
    [[ -z $pid || $pid == "$(pid_of "$name")" ]] ||
      fail "port $port (for $name) is in use by $(tr '\0\n' '  ' 2>/dev/null <"/proc/$pid/cmdline" | cut -c1-60)(pid $pid)" "stop that process"
  done <<PORTS
etcd 12379
kube-apiserver 6443
kube-controller-manager 10257
kube-scheduler 10259
kubelet 10250
kubelet 10248
kube-proxy 10249
kube-proxy 10256
coredns 10281
PORTS
}
