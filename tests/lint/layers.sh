#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Includes point along the way of the data, or stay level, never back:
#
#	tools -> op -> jump -> tree, kexec, store -> region -> machine -> ctx, work, util
#
# A layer is the part of a file's name before the dash. tree and kexec know nothing of store, store
# nothing of them, and the command knows the public header only.
cd "${1:?usage: layers.sh SOURCE}" || exit 2

base='pkram.h pkram-format.h ctx.h util.h work.h work-place.h hash.h hook.h library.h'

# The headers of other layers that a layer may include.
allowed() {
  case $1 in
    util | hash | hook | library) echo ;;
    ctx | pkram) echo pkram.h util.h ctx.h ;;
    work) echo "$base" ;;
    machine) echo "$base" ;;
    region) echo "$base machine.h" ;;
    store) echo "$base region.h machine.h" ;;
    tree) echo "$base machine.h" ;;
    kexec) echo "$base machine.h" ;;
    jump) echo "$base machine.h store.h kexec.h" ;;
    op) echo "$base machine.h region.h store.h tree.h kexec.h jump.h" ;;
    *) echo "unknown layer" ;;
  esac
}

check() {
  file=$1 layer=$2
  for header in $(sed -n 's/^#[[:space:]]*include "\(.*\)"/\1/p' "$file"); do
    case " $(allowed "$layer") $layer.h " in
      *" $header "*) continue ;;
    esac
    # A layer's own inner headers are level with it.
    case $header in
      "$layer"-*.h) continue ;;
    esac
    echo "$file: a file of '$layer' must not include $header"
  done
}

check_tool() {
  for header in $(sed -n 's/^#[[:space:]]*include "\(.*\)"/\1/p' "$1"); do
    [ "$header" = pkram.h ] || [ -f "tools/$header" ] || [ -f "tools/$header.in" ] ||
      echo "$1: the command must not include $header"
  done
}

faults=$(
  for file in pkram/*.[ch]; do
    name=${file##*/}
    name=${name%.[ch]}
    check "$file" "${name%%-*}"
  done
  for file in tools/*.[ch]; do
    check_tool "$file"
  done
)
[ -z "$faults" ] && exit 0
echo "$faults"
exit 1
