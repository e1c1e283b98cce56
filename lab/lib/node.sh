# shellcheck shell=bash
# containerd, kubelet, kube-proxy and CoreDNS.

containerd_up() {
  local dir RUNC # RUNC is for render
  # shellcheck disable=SC2034
  RUNC=$(bin runc)
  dir=$(dirname "$(bin containerd)")
  render containerd.toml
  render cni.conflist "$STATE/cni/net.d/10-octroi-lab.conflist"
  start containerd env PATH="$dir:$PATH" "$dir/containerd" --config "$STATE/config/containerd.toml" --log-level warn
  ready containerd 60 ctr version
}

images_up() {
  images_restore
  image_add "$PAUSE_IMAGE" "$(bin pause)"
  image_add octroi.test/echo:dev "$(bin echo)"
}

# After a dead node: what the API says of its pods is about processes that are gone. Their controllers make new ones.
forget_dead_pods() {
  [[ -e $STATE/node-cleaned ]] || return 0
  kubectl delete pods --all-namespaces --all --force --grace-period=0 --wait=false >/dev/null 2>&1 || true
  kubectl delete node "$NODE" --ignore-not-found >/dev/null
  rm -f "$STATE/node-cleaned"
}

kubelet_up() {
  render kubelet.yaml
  echo "nameserver $BRIDGE_ADDRESS" >"$STATE/config/resolv.conf"
  mkdir -p "$LOG/pods"
  start kubelet "$(bin kubelet)" --config "$STATE/config/kubelet.yaml" --kubeconfig "$PKI/kubelet.kubeconfig" \
    --root-dir "$STATE/kubelet" --hostname-override "$NODE" --node-ip "$BRIDGE_ADDRESS"
  ready kubelet 60 curl -fsS http://127.0.0.1:10248/healthz
}

proxy_up() {
  render kube-proxy.yaml
  ip route replace "$SERVICE_CIDR" dev "$BRIDGE" src "$BRIDGE_ADDRESS"
  start kube-proxy "$(bin kube-proxy)" --config "$STATE/config/kube-proxy.yaml"
  ready kube-proxy 60 curl -fsS http://127.0.0.1:10256/healthz
}

coredns_up() {
  kubectl apply --server-side -f "$LAB/manifests/coredns-rbac.yaml" >/dev/null
  render Corefile
  start coredns "$(bin coredns)" -conf "$STATE/config/Corefile"
  ready coredns 60 curl -fsS http://127.0.0.1:10281/ready
}

node_ready() {
  wait_until 90 "the node's registration" "$LOG/kubelet.log" kubectl get node "$NODE"
  kubectl wait node "$NODE" --for=condition=Ready --timeout=90s >/dev/null ||
    die "the node does not get Ready" "read $LOG/kubelet.log and $LOG/containerd.log"
}

# node_clean: takes away what a dead node left; images stay as archives in the state folder.
node_clean() {
  local name
  for name in kubelet kube-proxy containerd; do stop "$name"; done
  kill_containers
  remove_pod_cgroups
  remove_pod_networks
  unmount_below "$STATE"
  # shellcheck disable=SC2153 # RUN is in common.sh
  rm -rf "$RUN/containerd" "$RUN/runc" "$RUN"/containerd.sock* "$STATE/containerd" "$STATE/kubelet/pods"
  rm -f "$STATE"/images/*.imported
  remove_shim_sockets
}

# The shims' sockets are in a folder of containerd's own that no setting moves; ours are the ones nobody listens on.
remove_shim_sockets() {
  local socket
  for socket in /run/containerd/s/*; do
    [[ -S $socket ]] || continue
    grep -qF "$socket" /proc/net/unix || rm -f "$socket"
  done
  rmdir /run/containerd/s /run/containerd 2>/dev/null || true
}

# Pods' cgroups are named by container id under k8s.io, in every v1 hierarchy or in the one of v2.
remove_pod_cgroups() {
  local dir
  for dir in /sys/fs/cgroup/k8s.io /sys/fs/cgroup/*/k8s.io; do
    [[ -d $dir ]] || continue
    find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
