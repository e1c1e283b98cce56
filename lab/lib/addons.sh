# shellcheck shell=bash
# What runs on the cluster: Gateway API, cert-manager with the lab's CA, an ACME server and the DNS it looks at, Envoy Gateway.

# Named after what they are built from: another build rolls the pods out.
CERT_MANAGER_IMAGE="octroi.test/cert-manager:$(part_key cert-manager)"
ACME_SOLVER_IMAGE="octroi.test/acmesolver:$(part_key cert-manager)"
PEBBLE_IMAGE="octroi.test/pebble:$(part_key pebble)"
DNS_IMAGE="octroi.test/dns:$(part_key dns)"
OTLP_IMAGE="octroi.test/otlp:$(part_key otlp)"
# Debian's, whatever its version is.
REDIS_IMAGE=octroi.test/redis:debian
# The server: Debian's redis-server is a link to it, and the program goes by the name that it is called by.
REDIS_BINARY=/usr/bin/redis-check-rdb

apply() { kubectl apply --server-side --force-conflicts --field-manager octroi-lab "$@" >/dev/null; }

namespace() { kubectl get namespace "$1" >/dev/null 2>&1 || kubectl create namespace "$1" >/dev/null; }

pods_exist() { [[ -n $(kubectl -n "$1" get pods -l "$2" -o name) ]]; }

pods_settled() {
  [[ -z $(kubectl -n "$1" get pods -l "$2" -o jsonpath='{.items[*].metadata.deletionTimestamp}') ]]
}

# pods_ready NAMESPACE LABELS: real pods, not a Deployment's status, which may be from before a crash.
pods_ready() {
  wait_until 60 "a pod of $1 ($2)" "$LOG/kube-controller-manager.log" pods_exist "$1" "$2"
  # One that is on its way out never gets Ready.
  wait_until 60 "old pods of $1 ($2) to go" "$LOG/kubelet.log" pods_settled "$1" "$2"
  kubectl -n "$1" wait pod -l "$2" --for=condition=Ready --timeout=120s >/dev/null ||
    die "the pods of $1 ($2) do not get Ready" "kubectl -n $1 describe pods; logs are in $LOG/pods"
}

addons_key() {
  { cat "$LAB"/manifests/*.yaml "$LAB/config/envoy-gateway-values.yaml"
    for part in gateway-api cert-manager pebble dns otlp envoy-gateway envoy ratelimit; do part_key "$part"; done; } | hash_of
}

# once NAME COMMAND…: once for each state of the inputs, recorded in the state folder.
once() {
  local mark
  mark="$STATE/addons/$1-$(addons_key)"
  shift
  [[ ! -e $mark ]] || return 0
  "$@"
  mkdir -p "$STATE/addons"
  touch "$mark"
}

gateway_api_up() { once gateway-api gateway_api_install; }

gateway_api_install() {
  apply -f "$(part_dir gateway-api)"
  kubectl wait crd --for=condition=Established --timeout=60s \
    gateways.gateway.networking.k8s.io listenersets.gateway.networking.k8s.io httproutes.gateway.networking.k8s.io >/dev/null
}

cert_manager_up() {
  image_add "$CERT_MANAGER_IMAGE" "$(bin cert-manager)"
  image_add "$ACME_SOLVER_IMAGE" "$(bin acmesolver)"
  once cert-manager cert_manager_install
  pods_ready cert-manager app=cert-manager
  kubectl wait clusterissuer lab-ca --for=condition=Ready --timeout=60s >/dev/null ||
    die "the ClusterIssuer lab-ca does not get Ready" "kubectl describe clusterissuer lab-ca"
}

cert_manager_install() {
  namespace cert-manager
  apply -f "$(part_dir cert-manager)/crds"
  kubectl wait crd --for=condition=Established --timeout=60s \
    certificates.cert-manager.io certificaterequests.cert-manager.io clusterissuers.cert-manager.io issuers.cert-manager.io >/dev/null
  sed -e "s|@CERT_MANAGER_IMAGE@|$CERT_MANAGER_IMAGE|" -e "s|@ACME_SOLVER_IMAGE@|$ACME_SOLVER_IMAGE|" "$LAB/manifests/cert-manager.yaml" | apply -f -
  apply -f "$LAB/manifests/lab-ca.yaml"
}

# A public CA as far as ACME goes, and the DNS of the lab's clients (the zone `test`), which it and everybody else asks.
acme_up() {
  image_add "$PEBBLE_IMAGE" "$(bin pebble)"
  image_add "$DNS_IMAGE" "$(bin dns)"
  once acme acme_install
  pods_ready acme app=dns
  pods_ready acme app=pebble
  acme_issuer_install
  kubectl wait clusterissuer lab-acme --for=condition=Ready --timeout=60s >/dev/null ||
    die "the ClusterIssuer lab-acme does not get Ready" "kubectl describe clusterissuer lab-acme"
}

acme_install() {
  namespace acme
  sed -e "s|@PEBBLE_IMAGE@|$PEBBLE_IMAGE|" -e "s|@DNS_IMAGE@|$DNS_IMAGE|" -e "s|@DNS_ADDRESS@|$DNS_ADDRESS|" \
    -e "s|@TSIG_SECRET@|$TSIG_SECRET|" "$LAB/manifests/acme.yaml" | apply -f -
}

# Pebble keeps accounts in memory, and cert-manager asks for one once: another Pebble needs another issuer.
acme_issuer_install() {
  local pod known authority
  pod=$(kubectl -n acme get pods -l app=pebble -o jsonpath='{.items[0].metadata.uid}')
  known=$(kubectl get clusterissuer lab-acme -o jsonpath='{.metadata.labels.octroi\.test/pebble}' 2>/dev/null || true)
  [[ $pod != "$known" ]] || return 0
  kubectl delete clusterissuer lab-acme --ignore-not-found >/dev/null
  kubectl -n cert-manager delete secret lab-acme-account --ignore-not-found >/dev/null
  # cert-manager checks whom it speaks to: Pebble's own certificate is the lab CA's.
  authority=$(kubectl -n cert-manager get secret lab-root -o jsonpath='{.data.ca\.crt}')
  sed -e "s|@PEBBLE_POD@|$pod|" -e "s|@DNS_ADDRESS@|$DNS_ADDRESS|" -e "s|@LAB_CA@|$authority|" \
    "$LAB/manifests/acme-issuer.yaml" | apply -f -
}

# What the internet is to a proxy: a host whose authority is in the proxies' image, and in nothing else of the lab.
internet_up() {
  once internet internet_install
  pods_ready internet app=host
}

internet_install() {
  namespace internet
  kubectl -n cert-manager create secret tls lab-public --cert "$PKI/public-ca.crt" --key "$PKI/public-ca.key" --dry-run=client -o yaml | apply -f -
  apply -f "$LAB/manifests/internet.yaml"
}

# Where proxies may send traces.
otlp_up() {
  image_add "$OTLP_IMAGE" "$(bin otlp)"
  once otlp otlp_install
  pods_ready observability app=otel-collector
}

otlp_install() {
  namespace observability
  sed "s|@OTLP_IMAGE@|$OTLP_IMAGE|" "$LAB/manifests/otlp.yaml" | apply -f -
}

# What the rate limits of all tenants are counted in. Nothing of it is worth keeping: a window is a second.
redis_up() {
  image_add "$REDIS_IMAGE" "$REDIS_BINARY" --place /usr/local/bin/redis-server
  once redis redis_install
  pods_ready redis app=redis
}

redis_install() {
  namespace redis
  sed "s|@REDIS_IMAGE@|$REDIS_IMAGE|" "$LAB/manifests/redis.yaml" | apply -f -
}

envoy_gateway_up() {
  redis_up
  image_add "$ENVOY_IMAGE" "$(bin envoy)" "--authority=$PKI/public-ca.crt"
  image_alias "$ENVOY_IMAGE" "${ENVOY_IMAGE%:*}@$ENVOY_IMAGE_DIGEST"
  # Envoy Gateway runs it as /bin/ratelimit.
  image_add "$RATELIMIT_IMAGE" "$(bin ratelimit)" --place /bin/ratelimit
  image_add "$ENVOY_GATEWAY_IMAGE" "$(bin envoy-gateway)"
  once envoy-gateway envoy_gateway_install
  pods_ready envoy-gateway-system control-plane=envoy-gateway
  pods_ready envoy-gateway-system app.kubernetes.io/name=envoy-ratelimit
}

helm() {
  HELM_CACHE_HOME="$STATE/helm/cache" HELM_CONFIG_HOME="$STATE/helm/config" HELM_DATA_HOME="$STATE/helm/data" \
    "$(bin helm)" --kubeconfig "$PKI/admin.kubeconfig" --namespace envoy-gateway-system "$@"
}

envoy_gateway_install() {
  local dir known=0
  dir=$(part_dir envoy-gateway)/gateway-helm
  apply -f "$dir/charts/crds/crds/generated"
  # A run that was killed leaves a release that Helm calls pending and refuses to touch.
  if helm status eg --output json 2>/dev/null | jq -e '.info.status | startswith("pending")' >/dev/null; then
    helm uninstall eg --wait >"$LOG/helm.log" 2>&1 || true
  fi
  ! helm status eg >/dev/null 2>&1 || known=1
  helm upgrade --install eg "$dir" --skip-crds --wait --timeout 3m --create-namespace \
    --values "$LAB/config/envoy-gateway-values.yaml" >"$LOG/helm.log" 2>&1 || {
    tail -n 15 "$LOG/helm.log" >&2
    die "Envoy Gateway's chart did not install (log: $LOG/helm.log)" "mend what the log names, then: lab/lab.sh up"
  }
  # It would see a changed configuration by itself, but only once the kubelet has looked again.
  if ((known)); then
    kubectl -n envoy-gateway-system rollout restart deployment/envoy-gateway >/dev/null
    kubectl -n envoy-gateway-system rollout status deployment/envoy-gateway --timeout=120s >/dev/null
  fi
}
