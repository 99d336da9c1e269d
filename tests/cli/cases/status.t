# SPDX-License-Identifier: LGPL-2.1-or-later
# Bare pkram.

$ pkram
! pkram: region file:DIR/region (from PKRAM_REGION): No such file or directory; 'pkram init --size N' makes it
[1]
$ pkram --sysroot $PWD/none -r file:none
! pkram: cannot tell this boot from others: /proc/sys/kernel/random/boot_id: No such file or directory
[1]
$ pkram init -q --size 32M
$ pkram
| Region     file:DIR/region, 32.0 MiB
| Nodes      0 trees, 0 streams: 0 bytes; 27.0 MiB free
| Jump       none
| Next step  pkram save PATH
$ echo 1 | pkram put -q a
$ pkram
| Region     file:DIR/region, 32.0 MiB
| Nodes      0 trees, 1 stream: 12.0 KiB; 27.0 MiB free
| State      1 fresh
| Jump       none
| Next step  none: a file: region survives no jump (pkram(8))
$ pkram get a
| 1
$ pkram --json
| {
|   "region": {
|     "spec": "file:DIR/region",
|     "uuid": "UUID",
|     "generation": 5,
|     "phys": 0,
|     "size": 33554432,
|     "payload": 28311552,
|     "free": 28299264,
|     "largest_free": 28282880,
|     "nodes": 1,
|     "writers": 0,
|     "read_only": false,
|     "recovered": false,
|     "jump": "none"
|   },
|   "trees": 0,
|   "streams": 1,
|   "stored": 12288,
|   "fresh": 0,
|   "restored": 1,
|   "stale": 0,
|   "damaged": 0,
|   "writing": 0,
|   "next": "none: a file: region survives no jump (pkram(8))"
| }
$ head -c 32M /dev/zero >zero; pkram -r file:zero
! pkram: file:zero: no container here; 'pkram init' makes one
! pkram: next step: pkram init file:zero
[1]

Without a container, the next step is to make one where there is room, or to find room.

$ unset PKRAM_REGION; machine() { rm -rf m; cp -r $CLI_SOURCE/tests/sysroot/$1 m; mkdir -p m/proc/sys/kernel/random; cp /proc/sys/kernel/random/boot_id m/proc/sys/kernel/random/; }
$ machine memmap-words; pkram --sysroot $PWD/m
! pkram: no region of this machine holds a container; 'pkram regions' lists the memory that could, 'pkram plan SIZE' finds some to reserve
[1]
$ machine small-*; pkram --sysroot $PWD/m
! pkram: no region of this machine holds a container; 'pkram regions' lists the memory that could, 'pkram plan SIZE' finds some to reserve
[1]
$ pkram --sysroot $PWD/m regions
! pkram: no memory of this machine is reserved; 'pkram plan SIZE' finds a place for a region
