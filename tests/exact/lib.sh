# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # variables are for the scripts that read this
#
# What the exactness tests share. Each is called with PKRAM ORACLE TOOL, runs as root in a mount
# namespace of its own, and has $work, a tmpfs that goes with the namespace whatever happens.

set -euo pipefail
export LC_ALL=C.UTF-8

if ((EUID != 0)); then
  echo "SKIP: needs root"
  exit 77
fi
if [[ ! ${PKRAM_EXACT_NAMESPACE:-} ]]; then
  PKRAM_EXACT_NAMESPACE=1 exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi

here=$(cd "$(dirname "$0")" && pwd)
pkram=$(realpath "$1")
oracle=$(realpath "$2")
tool=$(realpath "$3")
unset PKRAM_EXACT_NAMESPACE

background=()
top=$(mktemp -d /tmp/pkram-exact-XXXXXX)
mount -t tmpfs -o "size=${PKRAM_EXACT_SIZE:-3G},mode=755" none "$top"
work=$top/w
disk=$top.disk # for what must not be on a tmpfs; a script that wants it makes it
mkdir "$work"
export PKRAM_REGION=file:$top/region
trap 'finish $?' EXIT

finish() {
  local pid

  for pid in "${background[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  if [[ ${huge_before:-} ]]; then
    echo "$huge_before" >/proc/sys/vm/nr_hugepages
  fi
  cd /
  umount --recursive --lazy "$top" && rmdir "$top"
  rm -rf "$disk"
  exit "$1"
}

fail() {
  printf 'FAILED: %s\n' "$*"
  sed 's/^/    | /' "$top/out" "$top/err" 2>/dev/null | head -n 40
  exit 1
}

ok() { printf 'ok %s\n' "$*"; }
skip() { printf 'SKIP: %s\n' "$*"; }

new_region() {
  rm -f "$top/region"
  "$pkram" init -q --size "$1" >"$top/out" 2>"$top/err" || fail "init --size $1"
}

# pk ARGUMENT...: runs the command, its streams in $top/out and $top/err, its exit code in $code.
pk() {
  code=0
  "$pkram" "$@" >"$top/out" 2>"$top/err" || code=$?
}

must() {
  pk "$@"
  ((code == 0)) || fail "pkram $*: exit $code"
}

# refused CODE PATTERN ARGUMENT...: it must end with CODE and say PATTERN (an extended expression).
refused() {
  local want=$1 pattern=$2

  shift 2
  pk "$@"
  ((code == want)) || fail "pkram $*: exit $code, not $want"
  said "$pattern"
}

said() { grep -qE -- "$1" "$top/err" || fail "did not say: $1"; }
not_said() { ! grep -qE -- "$1" "$top/err" || fail "should not have said: $1"; }

# kill_after SECONDS COMMAND...: the shell says nothing of it, as it does of its own children.
kill_after() { ( (timeout -s KILL "$@" >"$top/out" 2>"$top/err") & wait $!) 2>/dev/null; }

list() { "$oracle" list "$@"; }

# same LIST DIR [OPTION...]: the tree is what the list says.
same() {
  list "${@:3}" "$2" >"$top/seen"
  cmp -s "$1" "$top/seen" && return
  diff "$1" "$top/seen" | cut -c1-300 | head -n 20
  fail "$2 differs"
}

# A removal that inode flags do not stop.
remove() {
  local dir

  for dir; do
    if [[ -d $dir && ! -L $dir ]]; then
      "$oracle" unlock "$dir"
    elif [[ -f $dir && ! -L $dir ]]; then
      chattr -ia "$dir"
    fi
    rm -rf "$dir"
  done
}

# Starts a process in the background and waits until it says "ready"; its pid, or that of the one
# which it forked, in $started.
start() {
  local i child

  rm -f "$top/ready"
  "$@" >"$top/ready" 2>&1 </dev/null &
  started=$!
  disown
  background+=("$started")
  for ((i = 0; i < 500; i++)); do
    [[ -s $top/ready ]] && break
    sleep 0.01
  done
  [[ $(cat "$top/ready") == ready ]] || fail "$*: $(cat "$top/ready")"
  child=$(<"/proc/$started/task/$started/children")
  if [[ $child ]]; then
    started=${child% }
    background+=("$started")
  fi
}

stop() {
  kill -KILL "$1" 2>/dev/null || true
  while [[ -e /proc/$1 && $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) != Z ]]; do
    sleep 0.01
  done
}

# fsck.erofs descends by recursion: a thousand levels are too many for the usual stack.
sound() {
  (ulimit -s unlimited && exec fsck.erofs "$1") >"$top/out" 2>&1 || fail "fsck.erofs: $2"
}

# By the kernel's own erofs, at $top/image.
mount_image() {
  mkdir -p "$top/image"
  mount -t erofs -o ro,loop "$1" "$top/image"
}

has_erofs() {
  grep -qw erofs /proc/filesystems || modprobe -q erofs 2>/dev/null
}
