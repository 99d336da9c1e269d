# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram init -q --size 32M
$ pkram verify
! pkram: verified 0 nodes: 0 bytes in T s, RATE
$ head -c 5M /dev/urandom | pkram put -q a; echo b | pkram put -q b
$ pkram verify
! pkram: verified 2 nodes: 5.0 MiB in T s, RATE
$ pkram verify a b
! pkram: verified 2 nodes: 5.0 MiB in T s, RATE
$ pkram verify --threads 1 -q
$ pkram verify --json
| {
|   "verb": "verify",
|   "nodes": 2,
|   "damaged": 0,
|   "bytes": 5242882,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }

Damage: all of it is told, also as JSON.

$ echo thrice | pkram put -q c; sed -i 's/thrice/theice/' region; pkram verify -q
! pkram: c: damaged: 7 bytes at 0 (region offset 0x1efd000)
[4]
$ pkram verify --json
| {
|   "verb": "verify",
|   "nodes": 3,
|   "damaged": 1,
|   "bytes": 5242882,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
! pkram: c: damaged: 7 bytes at 0 (region offset 0x1efd000)
[4]
$ pkram verify --json a b
| {
|   "verb": "verify",
|   "nodes": 2,
|   "damaged": 0,
|   "bytes": 5242882,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
$ pkram verify --json c
| {
|   "verb": "verify",
|   "nodes": 1,
|   "damaged": 1,
|   "bytes": 0,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
! pkram: c: damaged: 7 bytes at 0 (region offset 0x1efd000)
[4]
$ pkram verify --json c nothing
! pkram: c: damaged: 7 bytes at 0 (region offset 0x1efd000)
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
[1]
$ pkram verify a nothing
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
[1]
