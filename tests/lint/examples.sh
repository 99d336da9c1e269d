#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the READMEs of the installed examples name is installed, but for paragraphs that are about a clone of
# the repository.
cd "${1:?usage: examples.sh SOURCE}" || exit 2

lists='tools/debian/pkram.examples tools/debian/libpkram-dev.examples'

installed() {
  # shellcheck disable=SC2013,SC2086 # patterns
  for entry in $(cat $lists); do
    case $1 in
      "$entry" | "$entry"/*) return 0 ;;
    esac
  done
  return 1
}

# Words in backticks, outside of such paragraphs.
words() {
  awk 'BEGIN { RS = "" } !/a clone/ && !/^    / { gsub("\n", " "); print }' "$1" | grep -oE '`[^`]+`' | tr -d '`'
}

faults=$(
  for readme in $(find examples -name README.md); do
    installed "$readme" || continue
    words "$readme" | while read -r word _; do
      path=$(dirname "$readme")/${word%/}
      case $word in
        tests/* | meson) echo "$readme: $word is not installed" ;;
      esac
      [ -e "$path" ] || continue
      path=$(realpath --relative-to . "$path")
      installed "$path" || echo "$readme: $word is not installed"
    done
  done
)
[ -z "$faults" ] && exit 0
echo "$faults"
exit 1
