# shellcheck shell=bash
# `down`: stops what the pid files name and takes away all that the lab put on this machine, the build cache excepted.

down() {
  local name since
  since=$(now_ms)
  ((EUID == 0)) || die "down needs root" "run it as root"
  lock_cluster
  if [[ ! -d $STATE ]]; then
    say "there is no lab here ($STATE)"
    return 0
  fi
  mkdir -p "$RUN"
  for name in kubelet kube-proxy coredns kube-scheduler kube-controller-manager; do stop "$name" 5; done
  node_clean
  for name in kube-apiserver etcd; do stop "$name" 5; done
  network_down
  remove_outside_files
  unmount_below "$STATE"
  rm -rf --one-file-system "$STATE"
  say "down in $(elapsed "$since"); the build cache is still in $CACHE"
}

# Paths that kubelet and containerd write wherever they are told to live.
remove_outside_files() {
  local link
  for link in /var/log/containers/*; do
    [[ -L $link && $(readlink "$link") == "$LOG"/* ]] && rm -f "$link"
  done
  rmdir /var/log/containers /var/lib/cni/results /var/lib/cni 2>/dev/null || true
  rm -f /var/lib/kubelet/device-plugins/kubelet.sock /var/lib/kubelet/device-plugins/DEPRECATION
  rmdir /var/lib/kubelet/device-plugins /var/lib/kubelet 2>/dev/null || true
}
