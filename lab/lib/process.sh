# shellcheck shell=bash
# Daemons by pid file. A pid file holds the pid and its start time, so a reused pid is never taken for ours.

# start_time PID: field 22 of its stat, after the name (which may hold blanks).
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  cut -d' ' -f20 <<<"$stat"
}

pid_of() {
  local pid started
  read -r pid started 2>/dev/null <"$RUN/$1.pid" || return 1
  [[ $(start_time "$pid") == "$started" ]] || return 1
  [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) != Z* ]] || return 1
  echo "$pid"
}

alive() { pid_of "$1" >/dev/null 2>&1; }

# start NAME COMMAND… : nothing when it already runs with this command and these configuration files, else a new start.
start() {
  local name=$1 pid key
  shift
  key=$(start_key "$@")
  if alive "$name"; then
    [[ $(cat "$RUN/$name.key" 2>/dev/null) != "$key" ]] || return 0
    say "$name: its command or configuration changed, starting it anew"
    stop "$name"
  fi
  mkdir -p "$LOG" "$RUN"
  printf '\n--- %s start: %s\n' "$(date -Is)" "$*" >>"$LOG/$name.log"
  # The cluster's lock must not outlive us in a daemon.
  setsid nohup "$@" >>"$LOG/$name.log" 2>&1 </dev/null {CLUSTER_LOCK}>&- &
  pid=$!
  disown "$pid"
  echo "$pid $(start_time "$pid")" >"$RUN/$name.pid"
  echo "$key" >"$RUN/$name.key"
}

# start_key COMMAND…: changes with the command and with the configuration files that it names.
start_key() {
  local arg
  {
    echo "$*"
    for arg in "$@"; do [[ $arg != "$STATE/config/"* ]] || cat "$arg"; done
  } | hash_of
}

# stop NAME [SECONDS]: asks, waits, then kills.
stop() {
  local pid deadline=$((SECONDS + ${2:-10}))
  if pid=$(pid_of "$1"); then
    kill "$pid" 2>/dev/null || true
    while alive "$1"; do
      ((SECONDS < deadline)) || { kill -9 "$pid" 2>/dev/null || true; }
      sleep 0.05
    done
  fi
  rm -f "$RUN/$1.pid"
}

# ready NAME SECONDS COMMAND… : waits for a daemon, and says at once when it died.
ready() {
  local name=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! alive "$name"; then
      tail -n 15 "$LOG/$name.log" >&2
      die "$name stopped (log: $LOG/$name.log)" "mend what the log names, then: lab/lab.sh up"
    fi
    if ((SECONDS >= deadline)); then
      tail -n 15 "$LOG/$name.log" >&2
      die "$name is not ready in time (log: $LOG/$name.log)" "lab/lab.sh up again, or lab/lab.sh down for a fresh start"
    fi
    sleep 0.1
  done
}

# shims: the pids of containerd's shims that serve our containerd, whoever is their parent.
shims() {
  local dir args
  for dir in /proc/[0-9]*; do
    args=$(tr '\0' ' ' 2>/dev/null <"$dir/cmdline") || continue
    [[ $args == *containerd-shim-runc-v2*" -address $RUN/containerd.sock"* ]] && echo "${dir#/proc/}"
  done
  return 0
}

# kill_containers: every container of our containerd, then its shims; also those whose shim is gone.
kill_containers() {
  local pid file id deadline=$((SECONDS + 10))
  for pid in $(shims); do
    pkill -KILL -P "$pid" || true
  done
  for file in "$RUN"/containerd/io.containerd.runtime.v2.task/k8s.io/*/init.pid; do
    [[ -r $file ]] || continue
    id=$(basename "$(dirname "$file")")
    pid=$(<"$file")
    ! grep -q "$id" "/proc/$pid/cgroup" 2>/dev/null || kill -9 "$pid" 2>/dev/null || true
  done
  for pid in $(shims); do kill -9 "$pid" 2>/dev/null || true; done
  until [[ -z $(shims) ]] || ((SECONDS >= deadline)); do sleep 0.05; done
}
