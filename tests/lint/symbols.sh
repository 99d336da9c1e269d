#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The functions of pkram.h, the symbols of libpkram.sym, and what the library exports are the same.
library=$(realpath "${2:?usage: symbols.sh SOURCE LIBRARY}") || exit 2
cd "${1:?usage: symbols.sh SOURCE LIBRARY}" || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# Without comments: they name functions, too.
awk '{
  while (1) {
    if (inside) {
      end = index($0, "*/")
      if (!end) next
      $0 = substr($0, end + 2)
      inside = 0
    }
    start = index($0, "/*")
    if (!start) break
    printf "%s", substr($0, 1, start - 1)
    $0 = substr($0, start + 2)
    inside = 1
  }
  print
}' include/pkram.h | grep -oE '\bpkram_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$tmp/header"
grep -oE '^[[:space:]]+pkram_[a-z0-9_]+;' pkram/libpkram.sym | tr -d ' \t;' | sort >"$tmp/map"
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$tmp/library"

bad=0
[ -s "$tmp/header" ] || { echo "no functions found in pkram.h"; bad=1; }
for other in map library; do
  diff "$tmp/header" "$tmp/$other" >"$tmp/diff" && continue
  sed -n "s/^< /in pkram.h, not in the $other: /p; s/^> /in the $other, not in pkram.h: /p" "$tmp/diff"
  bad=1
done
exit $bad
