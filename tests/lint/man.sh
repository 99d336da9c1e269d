#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The manual pages are sound in mandoc's eyes; each has the name it is found by, and says what that is; the
# pages of ours that they name are there.
dir=$(realpath "${1:?usage: man.sh DIR PAGE...}") || exit 2
shift
cd "$dir" || exit 2
bad=0

fault() {
  echo "$*"
  bad=1
}

command -v mandoc >/dev/null || { echo "SKIP: no mandoc"; exit 77; }
# scdoc writes more paragraph breaks than needed.
mapfile -t whole < <(grep -L '^\.so ' "$@")
mandoc -T lint -W warning "${whole[@]}" | grep -v 'skipping paragraph macro' && bad=1

# Of a page, or of what a link leads to: its name stands under NAME, with what it is.
names=$(awk 'FNR == 1 { on = 0 }
  /^\.SH/ { on = $2 == "NAME"; next }
  on && !/^\./ { gsub(/\\f.|\\&|\\/, ""); print FILENAME ": " $0 }' "${whole[@]}")
for page; do
  file=$page
  if [[ $(head -n 1 "$page") =~ ^"."so\ man3/(.*)$ ]]; then
    file=${BASH_REMATCH[1]}
  fi
  grep -qE "^$file: ([a-z0-9_.-]+, )*${page%.*}(, [a-z0-9_.-]+)* - .{8}" <<<"$names" ||
    fault "$page: not named by the NAME of $file"
done

while IFS=: read -r page other; do
  [[ -f $other ]] || fault "$page: names $other, which is not there"
done < <(sed -s 's/\\f.//g; s/\\//g; 1F' "${whole[@]}" | awk '
  NF == 1 && /^[a-z_.-]+\.[1-8]$/ { page = $0; next }
  { while (match($0, /(lib)?pkram[-_a-z0-9.]*\([1-8]\)/)) {
      name = substr($0, RSTART, RLENGTH - 1); sub(/\(/, ".", name); print page ":" name
      $0 = substr($0, RSTART + RLENGTH) } }' | sort -u)
exit $bad
