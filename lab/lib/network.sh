# shellcheck shell=bash
# The bridge, the forwarding rules and the kernel settings, and taking all of them away again.

# What kubelet, kube-proxy and we change; saved at the first start, put back by `down`.
SYSCTLS=(net.ipv4.ip_forward net.ipv4.conf.all.route_localnet net.bridge.bridge-nf-call-iptables
  vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes
  net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_tcp_timeout_established net.netfilter.nf_conntrack_tcp_timeout_close_wait)

save_sysctls() {
  local name
  [[ ! -s $STATE/sysctls ]] || return 0
  for name in "${SYSCTLS[@]}"; do
    ! sysctl -n "$name" >/dev/null 2>&1 || echo "$name=$(sysctl -n "$name")"
  done >"$STATE/sysctls.new"
  mv "$STATE/sysctls.new" "$STATE/sysctls"
}

restore_sysctls() {
  [[ -s $STATE/sysctls ]] || return 0
  sysctl -q -p "$STATE/sysctls" >/dev/null 2>&1 || warn "some kernel settings could not be put back (they are in $STATE/sysctls)"
}

network_up() {
  modprobe br_netfilter 2>/dev/null || true
  save_sysctls
  if ! ip link show "$BRIDGE" >/dev/null 2>&1; then
    ip link add "$BRIDGE" type bridge
  fi
  ip addr replace "$BRIDGE_ADDRESS/16" dev "$BRIDGE"
  ip link set "$BRIDGE" up
  sysctl -q -w net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
  # A machine with Docker drops forwarded packets by policy.
  local side
  for side in -i -o; do
    iptables -w -C FORWARD "$side" "$BRIDGE" -m comment --comment octroi-lab -j ACCEPT 2>/dev/null ||
      iptables -w -I FORWARD "$side" "$BRIDGE" -m comment --comment octroi-lab -j ACCEPT
  done
}

# remove_rules TOOL: our rules, and Kubernetes' chains with every rule that names them. Nobody else's rule is touched.
remove_rules() {
  local tool=$1 table
  have "$tool" || return 0
  for table in filter nat mangle raw; do
    "$tool-save" -t "$table" 2>/dev/null | awk -v table="$table" '
      /^:KUBE-/ { chains[++n] = substr($1, 2) }
      /^-A KUBE-/ { next }
      /^-A / && (/KUBE-/ || /octroi-lab/) { sub(/^-A/, "-D"); deletes[++d] = $0 }
      END {
        if (n + d == 0) exit
        print "*" table
        for (i = 1; i <= n; i++) print ":" chains[i] " - [0:0]"
        for (i = 1; i <= d; i++) print deletes[i]
        for (i = 1; i <= n; i++) print "-X " chains[i]
        print "COMMIT"
      }' >"$STATE/rules.tmp"
    [[ ! -s $STATE/rules.tmp ]] || "$tool-restore" -w --noflush <"$STATE/rules.tmp" ||
      warn "some $tool rules of the $table table are still there"
  done
  rm -f "$STATE/rules.tmp"
}

# The pods' network namespaces: their mounts are under our state folder, the veths go with them.
remove_pod_networks() {
  local link
  rm -rf "$STATE/cni/ipam"
  { grep -rlF "$STATE/" /var/lib/cni/results 2>/dev/null || true; } | xargs -r rm -f
  for link in $(ip -o link show master "$BRIDGE" 2>/dev/null | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }'); do
    ip link delete "$link" 2>/dev/null || true
  done
}

network_down() {
  remove_pod_networks
  remove_rules iptables
  remove_rules ip6tables
  ! ip link show "$BRIDGE" >/dev/null 2>&1 || ip link delete "$BRIDGE"
  restore_sysctls
}

# unmount_below FOLDER: whatever is mounted under it, the innermost first.
unmount_below() {
  local mount
  awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    umount -l "$(printf '%b' "$mount")" 2>/dev/null || true
  done
}
