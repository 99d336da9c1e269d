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
bad=0 taken=

fault() {
  echo "$*"
  bad=1
}

# An unknown key, which systemd tells of, shows that it has looked for a path's mount.
paths=('/srv/"a b" 100% \%n\x41' /srv/größe)
for path in "${paths[@]}"; do
  mount=$(systemd-escape -p --suffix=mount "$path")
  printf '[Mount]\nNo=\nWhat=tmpfs\nType=tmpfs\nWhere=%s\n' "${path//%/%%}" >units/"$mount"
  mounts+=("$mount")
done

for name in memcached -a a--b a- a.b 'srv-my\x2dcache' at@x 'a\b' 'a\x2'; do
  printf 'path = %s\n' "${paths[@]}" >etc/pkram.d/"$name".conf
  printf 'service = x.service\ntime-limit = 1min 30s\n' >>etc/pkram.d/"$name".conf
  rm -rf units/*.d
  if "$pkram" --sysroot "$work" unit generate units 2>/dev/null; then
    SYSTEMD_UNIT_PATH="$work/units:" systemd-analyze --man=no verify x.service "pkram@$name.service" >said 2>&1
    for mount in "${mounts[@]}"; do
      grep -qF "$mount" said || fault "$name: no dependency on $mount"
    done
    grep pkram said && bad=1
    "$pkram" --sysroot "$work" -q "${stop[@]//%[iI]/$name}" || fault "$name: ${stop[*]} does not do"
    taken+=" $name"
  fi
  rm etc/pkram.d/"$name".conf
done

# As systemd 254 has it. Debug output shows what of that holds.
mkdir -p units/kexec.target.d && cp "$dir/50-pkram.conf" units/kexec.target.d/ || exit 2
printf '[Unit]\nDefaultDependencies=no\nJobTimeoutSec=30min\nJobTimeoutAction=kexec-force\n' >units/kexec.target
SYSTEMD_UNIT_PATH="$work/units:" SYSTEMD_LOG_LEVEL=debug systemd-analyze --man=no verify kexec.target >said 2>&1
grep -q 'Unit kexec.target:' said || fault "systemd-analyze does not show kexec.target"
grep -E 'Job.*Timeout:|50-pkram.conf:' said && fault "kexec.target has a time limit"

# What is no escape of systemd's is refused, and nothing else.
[[ $taken == ' memcached -a a--b a- a.b srv-my\x2dcache at@x' ]] || fault "taken were:$taken"
exit "$bad"
