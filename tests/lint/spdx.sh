#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every file of ours says its licence in its first three lines.
cd "${1:?usage: spdx.sh SOURCE}" || exit 2

bad=0
for file in $(find meson.build meson_options.txt .ci include pkram tools tests examples -type f ! -path 'tools/debian/*' \
    ! -path '*/golden/*' ! -path '*/corpus/*' ! -path '*/sysroot/*' ! -name '*.md' ! -name '.*' \
    ! -path '*/__pycache__/*' -exec awk '
      FNR > 3 { nextfile }
      /SPDX-License-Identifier: LGPL-2.1-or-later/ { said[FILENAME] = 1 }
      END { for (i = 1; i < ARGC; i++) if (!said[ARGV[i]]) print ARGV[i] }' {} + 2>/dev/null); do
  # What is no text (images, recordings) cannot say it.
  grep -Iq . "$file" || continue
  echo "$file: no SPDX line"
  bad=1
done
exit $bad
