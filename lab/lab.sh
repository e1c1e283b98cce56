#!/usr/bin/env bash
# The lab: a real one-node Kubernetes, built from pinned modules and run on this machine. See lab/README.md.
set -Eeuo pipefail

LAB=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=pins.env
source "$LAB/pins.env"
for file in common parts build preflight packages process network pki image control_plane node addons cluster down status; do
  # shellcheck source=/dev/null
  source "$LAB/lib/$file.sh"
done

# A command that fails where nobody expected it must not end in silence. (Inside $(…) its caller decides.)
trap '((BASH_SUBSHELL)) || warn "stopped at ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND; next: the same command again, logs are in $LOG"' ERR

usage() {
  cat <<USAGE
Usage: lab/lab.sh COMMAND
  up [--base]                  build what is missing, start the cluster and wait until it serves (--base: cluster and DNS only)
  down                         stop it and leave nothing behind (the build cache stays)
  status                       what runs, where, since when
  env                          prints: export KUBECONFIG=…      use: eval "\$(lab/lab.sh env)"
  kubeconfig USER [GROUP…]     the path of a kubeconfig for a client certificate with that name and those groups
  build [PART…]                builds parts: ${PARTS[*]}, and for tests ${TEST_PARTS[*]}
  bin NAME                     the path of a built binary, for example: kubectl
  dir PART                     the folder of a built part, for example: gateway-api
  image NAME:TAG BINARY [--entrypoint-arg ARG]…
                               makes an image of one ELF binary and gives it to the cluster
  preflight [full|light]       checks this machine (light: what a rootless control plane needs)
  packages                     installs the Debian packages that are missing
  check-pins                   fails when a go.mod disagrees with lab/pins.env
USAGE
}

command=${1:-help}
(($# == 0)) || shift
case $command in
  up | down | status | build | bin | preflight | image) "$command" "$@" ;;
  dir) built_dir "$@" ;;
  env) print_env ;;
  packages) packages_up ;;
  kubeconfig) user_kubeconfig "$@" ;;
  check-pins) check_pins ;;
  help | -h | --help) usage ;;
  *)
    usage >&2
    die "there is no command '$command'" "choose one of the commands above"
    ;;
esac
