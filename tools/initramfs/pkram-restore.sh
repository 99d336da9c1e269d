#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2154 # what dracut sets
#
# Sourced by dracut when the root is mounted, right before the system gets it.
/usr/lib/pkram/restore-early "$NEWROOT"
