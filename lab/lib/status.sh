# shellcheck shell=bash
# `status`: one screen.

status() {
  local name pid running=0
  printf '%-26s %-8s %-20s %8s\n' DAEMON PID SINCE MiB
  for name in "${DAEMONS[@]}"; do
    if pid=$(pid_of "$name"); then
      running=$((running + 1))
      printf '%-26s %-8s %-20s %8d\n' "$name" "$pid" "$(date -d "$(ps -o lstart= -p "$pid")" '+%F %T')" \
        "$(awk '$1 == "VmRSS:" { print int($2 / 1024) }' "/proc/$pid/status")"
    else
      printf '%-26s %-8s\n' "$name" "not running"
    fi
  done
  if ((running == 0)); then
    say "the lab is not running; next: lab/lab.sh up"
    return 0
  fi
  echo
  printf '%-14s %s\n' "API server" "$API_SERVER" kubeconfig "$PKI/admin.kubeconfig" "bridge, DNS" "$BRIDGE $BRIDGE_ADDRESS" \
    "pods" "$POD_CIDR" services "$SERVICE_CIDR" state "$STATE" logs "$LOG" cache "$CACHE"
  if alive kube-apiserver; then
    echo
    kubectl get nodes 2>/dev/null || true
    kubectl get pods --all-namespaces 2>/dev/null | head -n 15 || true
  fi
}
