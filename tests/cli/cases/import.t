# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# What another boot imports is stale. The rest of import is in export.t.

$ for boot in 1 2; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/sys
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 176 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ first() { pkram --sysroot m1 "$@"; }; second() { pkram --sysroot m2 "$@"; }
$ mkdir a; echo one >a/f; first init -q --size 32M; first save -q -n a a; echo s | first put -q s; first export -q copy
$ second -r file:copy ls -n -o name,state | tr -s ' '
| a stale
| s stale
$ head -c 32M /dev/urandom >region; second import copy
! pkram: file:DIR/region: is not zero and nothing known; written over, as is normal for reserved memory
! pkram: made an empty container first: there was none
! pkram: 2 nodes were saved by an earlier boot: 'pkram restore --stale' and 'pkram get --stale' serve them
! pkram: imported 2 nodes: 2 files, 12.0 KiB in T s, RATE
$ second restore --to to
! pkram: warning: a: left alone: saved AGE by an earlier boot (kernel KERNEL); --stale takes it all the same
[3]
$ second restore --stale --to to; diff -r a to$PWD/a
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: restored 1 node: 2 files, 4.0 KiB in T s, RATE
$ second import --force --json copy
| {
|   "verb": "import",
|   "nodes": 2,
|   "files": 2,
|   "bytes": 12290,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
! pkram: 2 nodes were saved by an earlier boot: 'pkram restore --stale' and 'pkram get --stale' serve them
$ second ls -n -o name,state | tr -s ' '
| a stale
| s stale
$ first import -q --force copy; first ls -n -o name,state | tr -s ' '
| a fresh
| s fresh

A foreign filesystem is not written over; a kdump kernel exports and does not import.

$ truncate -s 32M fs; mke2fs -q fs; second -r file:fs import copy
! pkram: file:DIR/fs: holds ext2; --force writes over it
! pkram: import writes over nothing but nodes: 'pkram init --force' first
[1]
$ touch m2/proc/vmcore; second import --force copy; sha256sum region >before; second export -q dump; sha256sum region | cmp - before
! pkram: this is a kdump kernel: pkram changes nothing here
$ second -r file:dump ls -n -o name
| a
| s
$ pkram import --force
! pkram: import: FILE is missing; see 'pkram import --help'
[2]
