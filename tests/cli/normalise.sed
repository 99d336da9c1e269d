# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What differs from run to run, and how it stands in the cases.

# A summary's duration and rate; the same in JSON.
s/ in [0-9]+\.[0-9]+ s, [0-9.]+ [MG]B\/s/ in T s, RATE/
s/"seconds": [0-9]+\.[0-9]+/"seconds": T/
s/"gb_per_s": [0-9]+\.[0-9]+/"gb_per_s": R/
s/"threads": [0-9]+/"threads": N/
# Times in UTC and in the local zone; ages; process ids.
s/"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z"/"TIME"/
s/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}/TIME/
s/saved (just now|[0-9]+ [a-z]+ ago)/saved AGE/
s/\bpid [0-9]+/pid PID/g
s/^(\| Saved +)[0-9]+[smhd]$/\1AGE/
# Ids of containers and boots; content hashes, which cover times.
s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UUID/g
s/"hash": "[0-9a-f]{16}"/"hash": "HASH"/
s/^(\| Hash +)[0-9a-f]{16}$/\1HASH/
