# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram init -q --size 32M
$ for name in a b c d e; do echo secret-of-$name | pkram put -q $name; done

All or none.

$ pkram rm a nothing
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
[1]
$ pkram ls -n -o name
| a
| b
| c
| d
| e
$ pkram rm a b
$ pkram rm -q c c
$ pkram ls -n -o name
| d
| e
$ pkram rm --json d
| {
|   "verb": "rm",
|   "removed": [
|     "d"
|   ]
| }
$ grep -c secret-of-d region
| 1
$ pkram rm --wipe e
$ grep -c secret-of-e region
| 0
[1]
$ pkram rm
! pkram: rm: NAME... is missing; see 'pkram rm --help'
[2]
