# shellcheck shell=bash
# Images: an archive of one binary, kept in the state folder so that a cleaned containerd gets it again.

# Its standard error repeats containerd's deprecation warnings at every call.
ctr() { "$(bin ctr)" --address "$RUN/containerd.sock" --namespace k8s.io "$@" 2>"$LOG/ctr.log"; }

image() {
  (($# >= 2)) || die "image needs a name and a binary" "lab/lab.sh image NAME:TAG BINARY [--entrypoint-arg ARG]…"
  local name=$1 binary=$2 args=()
  shift 2
  while (($#)); do
    [[ $1 == --entrypoint-arg && $# -ge 2 ]] || die "image does not know '$1'" "lab/lab.sh image NAME:TAG BINARY [--entrypoint-arg ARG]…"
    args+=("--entrypoint-arg=$2") # joined: ARG may begin with a dash
    shift 2
  done
  [[ $name == */*:* ]] || die "the image name '$name' has no registry or no tag" "use a name such as octroi.test/octroi:dev"
  [[ -f $binary && -x $binary ]] || die "$binary is not an executable file" "build it first"
  alive containerd || die "the lab is not running" "lab/lab.sh up"
  image_add "$name" "$binary" "${args[@]}"
}

# image_add NAME BINARY [--place PATH] [--authority=FILE] [--entrypoint-arg=ARG]… : writes the archive when its input changed, imports it when it is not there.
image_add() {
  local name=$1 binary=$2 file input lock
  shift 2
  mkdir -p "$STATE/images"
  exec {lock}>"$STATE/images/.lock"
  flock "$lock"
  file="$STATE/images/$(tr -c 'A-Za-z0-9.\n-' _ <<<"$name")"
  # A file of the same path, size, inode and time is the same file: no need to read 100 MB again.
  input=$({ stat -Lc '%n %s %i %Y' "$binary"; cat "$LAB/lib/image.py"; echo "$name" "$@"; } | hash_of)
  if [[ ! -s $file.tar || $(cat "$file.input" 2>/dev/null) != "$input" ]]; then
    python3 "$LAB/lib/image.py" "$name" "$binary" "$file.tar.new" "$@" ||
      die "making the image $name failed" "read the line above"
    # The archive's bytes depend on its content alone.
    cmp -s "$file.tar.new" "$file.tar" || rm -f "$file.imported"
    rm -f "$file.input"
    mv "$file.tar.new" "$file.tar"
    echo "$input" >"$file.input"
    echo "$name" >"$file.name"
  fi
  image_import "$file"
  exec {lock}>&-
}

# image_import FILE (without .tar): skipped when containerd holds exactly this.
image_import() {
  local name target
  name=$(<"$1.name")
  target=$(ctr images ls "name==$name" 2>/dev/null | awk 'NR == 2 { print $3 }')
  if [[ -n $target && $target == "$(cat "$1.imported" 2>/dev/null)" ]]; then
    return 0
  fi
  ctr images import "$1.tar" >/dev/null || die "containerd refused the image $name" "read $LOG/ctr.log and $LOG/containerd.log"
  ctr images ls "name==$name" | awk 'NR == 2 { print $3 }' >"$1.imported"
  say "image $name"
}

# images_restore: gives every archive of the state folder to a fresh containerd.
images_restore() {
  local file
  for file in "$STATE"/images/*.tar; do
    [[ -s ${file%.tar}.name ]] && image_import "${file%.tar}"
  done
  return 0
}

# image_alias NAME OTHER: a second name of the same image.
image_alias() {
  ctr images tag --local --force "$1" "$2" >/dev/null
}
