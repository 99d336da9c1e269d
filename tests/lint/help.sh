#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The help fits on a terminal; every verb has a page, a completion and a test; the options that the help
# shows, that the page describes and that the completion offers are the same.
pkram=$(realpath "${2:?usage: help.sh SOURCE PKRAM}") || exit 2
cd "${1:?usage: help.sh SOURCE PKRAM}" || exit 2
bad=0

fault() {
  echo "$*"
  bad=1
}

# The long options in one section of a help.
section() {
  awk -v title="$1" '/^[A-Z]/ { on = index($0, title) == 1 } on' |
    grep -oE '^  (-.,|   ) --[a-z0-9-]+' | grep -oE -- '--.*' | sort
}

# Those that head a paragraph of a page's OPTIONS.
page_options() {
  awk '/^# / { on = $2 == "OPTIONS" } on' "$1" | grep -E '^\*-' | grep -oE -- '--[a-z0-9-]+' | sort
}

# The two lists, by their names, are one.
same() {
  local d
  d=$(diff <(echo "$2") <(echo "$4")) && return
  fault "$(echo "$d" | sed -n "s/^< \(.*\)/\1: in $1, not in $3/p; s/^> \(.*\)/\1: in $3, not in $1/p")"
}

columns() {
  awk -v what="$1" 'length > 80 { print what ": " length " columns: " $0; bad = 1 } END { exit bad }' ||
    bad=1
}

# shellcheck source=/dev/null
source <(sed 's/^complete .*//' tools/completion/pkram)
help=$("$pkram" --help) || fault "pkram --help fails"
columns 'pkram --help' <<<"$help"
global=$(section 'Options' <<<"$help")
same 'pkram --help' "$global" pkram.8.scd "$(page_options tools/man/pkram.8.scd)"

verbs=$(awk '/^[A-Z]/ { on = $1 == "Verbs:" } on && /^  / { print $1 }' <<<"$help")
[[ $verbs ]] || fault "no verbs in pkram --help"
same 'pkram --help' "$(sort <<<"$verbs")" 'the completion' "$(tr ' ' '\n' <<<"$_pkram_verbs" | sort)"

for verb in $verbs; do
  page=tools/man/pkram-$verb.8.scd
  help=$("$pkram" "$verb" --help) || fault "pkram $verb --help fails"
  columns "pkram $verb --help" <<<"$help"
  own=$(section 'Options:' <<<"$help")
  if [[ -f $page ]]; then
    same "pkram $verb --help" "$own" "$page" "$(page_options "$page")"
  else
    fault "$page is missing"
  fi
  same "pkram $verb --help" "$(sort <<<"$own"$'\n'"$global" | sed '/^$/d')" "the completion of $verb" \
    "$(_pkram_options "$verb" | tr ' ' '\n' | sort)"
  ls tests/cli/cases/"$verb"*.t >/dev/null 2>&1 || fault "tests/cli/cases/$verb*.t is missing"
done
exit $bad
