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
|   "bytes": 5242882,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
$ pkram verify a nothing
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
[1]
