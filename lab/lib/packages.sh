# shellcheck shell=bash
# Debian's packages.

missing_packages() {
  local name
  for name in $APT_PACKAGES; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
  done
}

packages_up() {
  local missing log=$LOG/apt.log
  missing=$(missing_packages | tr '\n' ' ')
  [[ -n $missing ]] || return 0
  mkdir -p "$LOG"
  say "installing Debian packages: $missing(log: $log)"
  {
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
  } >"$log" 2>&1 || {
    tail -n 10 "$log" >&2
    die "apt-get could not install: $missing(log: $log)" "install them by hand, then: lab/lab.sh up"
  }
}
