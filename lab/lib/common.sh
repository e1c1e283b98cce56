# shellcheck shell=bash disable=SC2034 # the other files use these names
# Paths, messages and waiting. Sourced first by lab.sh.

CACHE="${OCTROI_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/octroi-lab}"
STATE="${OCTROI_LAB_STATE:-/var/lib/octroi-lab}"
LOG="$STATE/log"
RUN="$STATE/run"
PKI="$STATE/pki"

BRIDGE=octroi0
BRIDGE_ADDRESS=10.200.0.1
POD_CIDR=10.200.0.0/16
SERVICE_CIDR=10.201.0.0/16
# The zone `test`, for the lab's clients; whoever holds the key writes it. It is no secret: nothing outside asks that server.
DNS_ADDRESS=10.201.0.53
TSIG_SECRET=b2N0cm9pLWxhYi1kbnMta2V5LW9mLTMyLWJ5dGVzIQ==
API_SERVICE_ADDRESS=10.201.0.1
API_SERVER="https://$BRIDGE_ADDRESS:6443"
NODE=octroi-lab
PAUSE_IMAGE=octroi.test/pause:dev

say() { printf '%s\n' "lab: $*"; }
warn() { printf '%s\n' "lab: $*" >&2; }

# die PROBLEM NEXT-STEP
die() {
  printf '%s\n' "lab: error: $1" >&2
  [[ $# -lt 2 ]] || printf '%s\n' "lab: next:  $2" >&2
  exit 1
}

now_ms() { date +%s%3N; }

# elapsed MS-SINCE -> "12.3 s" or "4 min 05 s"
elapsed() {
  local ms=$(($(now_ms) - $1))
  if ((ms < 60000)); then
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
  else
    printf '%d min %02d s' $((ms / 60000)) $((ms / 1000 % 60))
  fi
}

# wait_until SECONDS WHAT LOG-FILE COMMAND… : polls until the command succeeds or the deadline passes.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2 log=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      [[ ! -s $log ]] || tail -n 20 "$log" >&2
      die "$what: not there in time" "read ${log:-the lines above}; then 'lab/lab.sh up' again, or 'lab/lab.sh down' for a fresh start"
    fi
    sleep 0.1
  done
}

# stage NAME COMMAND… : runs one stage of `up` and records what it took.
STAGES=()
stage() {
  local name=$1 since
  shift
  since=$(now_ms)
  say "$name …"
  "$@"
  STAGES+=("$(printf '%-28s %s' "$name" "$(elapsed "$since")")")
}

have() { command -v "$1" >/dev/null 2>&1; }

# hash_of: sha256 of standard input, shortened.
hash_of() { sha256sum | cut -c1-12; }
