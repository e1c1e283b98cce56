# shellcheck shell=bash
# `up`: from whatever state the machine is in to a serving cluster.

# shellcheck disable=SC2034 # for other files
DAEMONS=(etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy coredns)
BASE_PARTS=(kubernetes etcd containerd runc coredns gateway-api echo)
CLUSTER_LOCK=""

# One `up` or `down` at a time; the second waits.
lock_cluster() {
  mkdir -p "$CACHE"
  exec {CLUSTER_LOCK}>"$CACHE/.cluster.lock"
  flock -n "$CLUSTER_LOCK" || { say "another lab command is at work; waiting for it"; flock "$CLUSTER_LOCK"; }
}

up() {
  local base=0 began
  case ${1:-} in
    '') ;;
    --base) base=1 ;;
    *) die "up knows only --base, not '$1'" "lab/lab.sh up [--base]" ;;
  esac
  began=$(now_ms)
  lock_cluster
  stage preflight preflight full quiet
  stage "Debian packages" packages_up
  if ((base)); then stage build build "${BASE_PARTS[@]}"; else stage build build; fi
  mkdir -p "$STATE" "$LOG" "$RUN"
  clear_dead_node
  stage network network_up
  stage certificates pki_up
  stage etcd etcd_up
  stage "API server" apiserver_up
  stage "controllers, scheduler" controllers_up
  stage containerd containerd_up
  stage images images_up
  forget_dead_pods
  stage "kubelet, kube-proxy" node_up
  stage CoreDNS coredns_up
  stage "node ready" node_ready
  stage "Gateway API" gateway_api_up
  if ((!base)); then
    stage cert-manager cert_manager_up
    stage "ACME, DNS" acme_up
    stage "a host elsewhere" internet_up
    stage "collector of traces" otlp_up
    stage "Envoy Gateway" envoy_gateway_up
  fi
  write_lab_json
  say "up after $(elapsed "$began"):"
  printf '       %s\n' "${STAGES[@]}"
  say "next: eval \"\$(lab/lab.sh env)\""
}

node_up() {
  kubelet_up
  proxy_up
}

# Without its containerd the node's pods are orphans at best: take them away and start again with the data of etcd.
clear_dead_node() {
  alive containerd && return 0
  [[ -d $STATE/containerd || -d $RUN/containerd || -e $STATE/node-cleaned ]] || return 0
  say "the lab died or the machine was restarted: cleaning up what it left, keeping etcd's data"
  touch "$STATE/node-cleaned" # first: a cleaning that is interrupted is done again
  node_clean
}

write_lab_json() {
  local part versions="{}" started
  for part in "${PARTS[@]}"; do
    versions=$(jq -c --arg p "$part" --arg v "$(part_version "$part")" '. + {($p): $v}' <<<"$versions")
  done
  started=$(stat -c %y "$RUN/kube-apiserver.pid" | sed 's/ /T/; s/\..* /\t/; s/\t\(...\)\(..\)$/\1:\2/')
  jq -n --arg kubeconfig "$PKI/admin.kubeconfig" --arg kubectl "$(bin kubectl)" --arg helm "$(bin helm 2>/dev/null || true)" \
    --arg apiServer "$API_SERVER" --arg caCert "$PKI/ca.crt" --arg caKey "$PKI/ca.key" --arg bridgeAddress "$BRIDGE_ADDRESS" \
    --arg startedAt "$started" --argjson versions "$versions" '$ARGS.named' >"$STATE/lab.json.new"
  mv "$STATE/lab.json.new" "$STATE/lab.json"
}

print_env() {
  alive kube-apiserver || die "the lab is not running" "lab/lab.sh up"
  echo "export KUBECONFIG=$PKI/admin.kubeconfig"
}
