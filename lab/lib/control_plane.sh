# shellcheck shell=bash
# etcd, the API server, the controller manager and the scheduler.

ETCD_URL=https://127.0.0.1:12379

# kubectl and helm keep their discovery cache here, not in somebody's home.
export KUBECACHEDIR="$STATE/kubectl-cache"

kubectl() { "$(bin kubectl)" --kubeconfig "$PKI/admin.kubeconfig" "$@"; }

# render NAME [OUT]: a file of lab/config with this lab's paths and addresses. An unchanged file is not written again:
# kube-proxy ends when its file is touched.
render() {
  local out="${2:-$STATE/config/$1}" name expressions=()
  for name in STATE RUN PKI LOG BRIDGE BRIDGE_ADDRESS DNS_ADDRESS POD_CIDR NODE PAUSE_IMAGE RUNC; do
    expressions+=(-e "s|@$name@|${!name:-}|g")
  done
  mkdir -p "$(dirname "$out")"
  sed "${expressions[@]}" "$LAB/config/$1" >"$STATE/render.new"
  if cmp -s "$STATE/render.new" "$out"; then rm "$STATE/render.new"; else mv "$STATE/render.new" "$out"; fi
}

start_etcd() {
  start etcd "$(bin etcd)" --name lab --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "$ETCD_URL" --advertise-client-urls "$ETCD_URL" \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 --initial-cluster lab=http://127.0.0.1:12380 \
    --listen-metrics-urls http://127.0.0.1:12381 \
    --client-cert-auth --trusted-ca-file "$PKI/etcd-ca.crt" --cert-file "$PKI/etcd.crt" --key-file "$PKI/etcd.key"
}

# etcd_up: with the data of the last run when etcd accepts it, else with none.
etcd_up() {
  start_etcd
  if [[ -s $STATE/etcd-ready ]] && ! (ready etcd 30 curl -fsS http://127.0.0.1:12381/readyz) 2>/dev/null; then
    warn "etcd does not accept the data of the last run: starting with an empty cluster"
    # Whatever still runs believes in the lost data.
    local name
    for name in "${DAEMONS[@]}"; do stop "$name" 5; done
    node_clean
    rm -rf "$STATE/etcd" "$STATE/etcd-ready" "$STATE/addons"
    start_etcd
  fi
  ready etcd 60 curl -fsS http://127.0.0.1:12381/readyz
  date -Is >"$STATE/etcd-ready"
}

apiserver_up() {
  render authentication.yaml
  start kube-apiserver "$(bin kube-apiserver)" \
    --bind-address "$BRIDGE_ADDRESS" --advertise-address "$BRIDGE_ADDRESS" --secure-port 6443 \
    --etcd-servers "$ETCD_URL" --etcd-cafile "$PKI/etcd-ca.crt" \
    --etcd-certfile "$PKI/apiserver-etcd-client.crt" --etcd-keyfile "$PKI/apiserver-etcd-client.key" \
    --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" --client-ca-file "$PKI/ca.crt" \
    --authentication-config "$STATE/config/authentication.yaml" --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction \
    --service-cluster-ip-range "$SERVICE_CIDR" \
    --allow-privileged=true \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$PKI/service-accounts.pub" --service-account-signing-key-file "$PKI/service-accounts.key" \
    --kubelet-certificate-authority "$PKI/ca.crt" --kubelet-preferred-address-types InternalIP \
    --kubelet-client-certificate "$PKI/apiserver-kubelet-client.crt" --kubelet-client-key "$PKI/apiserver-kubelet-client.key"
  ready kube-apiserver 90 kubectl get --raw /readyz
}

controllers_up() {
  # A namespace whose pods may drain for six minutes (Envoy Gateway's do) is otherwise looked at again after three, and a
  # quota that was there before a CustomResourceDefinition after five.
  start kube-controller-manager "$(bin kube-controller-manager)" --kubeconfig "$PKI/kube-controller-manager.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false --use-service-account-credentials \
    --root-ca-file "$PKI/ca.crt" --service-account-private-key-file "$PKI/service-accounts.key" \
    --namespace-sync-period 5s --resource-quota-sync-period 10s \
    --flex-volume-plugin-dir "$STATE/kubelet/volume-plugins" \
    --cluster-signing-cert-file "$PKI/ca.crt" --cluster-signing-key-file "$PKI/ca.key"
  start kube-scheduler "$(bin kube-scheduler)" --kubeconfig "$PKI/kube-scheduler.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false
  ready kube-controller-manager 60 curl -fsSk https://127.0.0.1:10257/healthz
  ready kube-scheduler 60 curl -fsSk https://127.0.0.1:10259/healthz
}
