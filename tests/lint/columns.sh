#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# No line of C is wider than 100 columns (a tab goes to the next multiple of 8).
cd "${1:?usage: columns.sh SOURCE}" || exit 2

find include pkram tools tests examples -name '*.[ch]' -exec expand -t 8 {} + | grep -q '^.\{101\}' ||
  exit 0
for file in $(find include pkram tools tests examples -name '*.[ch]'); do
  expand -t 8 "$file" | grep -n '^.\{101\}' | sed "s|^|$file:|"
done
exit 1
