# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram init -q --size 32M
$ head -c 3M /dev/zero | pkram put -q a
$ pkram info a
| Name        a
| Kind        stream
| Size        3.0M (3145728 bytes)
| Saved       AGE
| Kernel      KERNEL
| State       fresh
| Time        TIME
| Stored      3.0M (3153920 bytes)
| Extents     2
| Id          1
| Set         5
| Live        no
| Restored    no
| Host        HOST
| Boot        UUID
| Hash        HASH
$ pkram info --json a
| {
|   "node": {
|     "name": "a",
|     "kind": "stream",
|     "size": 3145728,
|     "saved": "TIME",
|     "kernel": "KERNEL",
|     "state": "fresh",
|     "stored": 3153920,
|     "extents": 2,
|     "id": 1,
|     "set": 5,
|     "live": false,
|     "restored": false,
|     "host": "HOST",
|     "source": "",
|     "fstype": "",
|     "options": "",
|     "boot": "UUID",
|     "hash": "HASH"
|   }
| }
$ pkram info b
! pkram: file:DIR/region: no node named b; 'pkram ls' lists what is there
[1]
$ pkram info
! pkram: info: NAME is missing; see 'pkram info --help'
[2]
