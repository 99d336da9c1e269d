#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The units are sound in systemd's eyes, and call pkram as it can be called, under every name that pkram takes.
dir=$(realpath "${1:?usage: units.sh DIR PKRAM}") pkram=$(realpath "$2") || exit 2
command -v systemd-analyze >/dev/null || { echo "SKIP: no systemd-analyze"; exit 77; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" && mkdir -p etc/pkram.d units || exit 2
# Nothing is installed.
for unit in "$dir"/*.service; do
  sed 's|/[^ ]*/pkram unit|/bin/true|' "$unit" >"units/${unit##*/}" || exit 2
done
printf '[Service]\nExecStart=/bin/true\n' >units/x.service
read -ra stop < <(sed -n 's|^ExecStop=.*/pkram ||p' "$dir/pkram@.service")
bad=0

fault() {
  echo "$*"
  bad=1
}

for name in memcached -a a--b a- a.b 'srv-my\x2dcache' 'a\b' 'a\x2' at@x; do
  printf 'path = %s\n' '/srv/"a b" 100% \%n' /srv/größe >etc/pkram.d/"$name".conf
  printf 'service = x.service\ntime-limit = 1min 30s\n' >>etc/pkram.d/"$name".conf
  rm -rf units/*.d
  if "$pkram" --sysroot "$work" unit generate units 2>/dev/null; then
    said=$(SYSTEMD_UNIT_PATH="$work/units:" systemd-analyze --man=no verify x.service "pkram@$name.service" 2>&1 |
      grep pkram) && fault "$said"
    "$pkram" --sysroot "$work" -q "${stop[@]//%[iI]/$name}" || fault "$name: ${stop[*]} does not do"
  fi
  rm etc/pkram.d/"$name".conf
done
exit "$bad"
