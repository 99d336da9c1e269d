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
$ head -c 32M /dev/urandom >region; cp region before; second import copy
! pkram: file:DIR/region (from PKRAM_REGION): no container here; 'pkram init' makes one
[1]
$ cmp region before; second init -q --force; second import copy
! pkram: warning: DIR/region: writing over what is in it, which is nothing known
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

A container is not made by itself, wherever there is none; a kdump kernel exports and does not import.

$ truncate -s 32M fs; mke2fs -q fs; cp fs before; second -r file:fs import --force copy; cmp fs before
! pkram: file:fs: no container here; 'pkram init' makes one
$ touch m2/proc/vmcore; second import --force copy; sha256sum region >before; second export -q dump; sha256sum region | cmp - before
! pkram: this is a kdump kernel: pkram changes nothing here
$ second -r file:dump ls -n -o name
| a
| s
$ pkram import --force; pkram import -
! pkram: import: FILE is missing; see 'pkram import --help'
! pkram: import: FILE has holes and is read in any order: it cannot be a stream (./- is a file of that name); see 'pkram import --help'
[2]

What is no file of export is named, with what to do; the region stays as it is.

$ rm region; pkram init -q --size 16M; cp region before; echo text >text; : >empty; mkfifo fifo; truncate -s 16M zero
$ for f in text empty missing a fifo /dev/zero zero fs; do pkram import $f; done
! pkram: text: 5 bytes are too few for a file of 'pkram export': name another one, or a whole copy
! pkram: empty: 0 bytes are too few for a file of 'pkram export': name another one, or a whole copy
! pkram: missing: No such file or directory
! pkram: a: is no regular file: name one of 'pkram export'
! pkram: fifo: is no regular file: name one of 'pkram export'
! pkram: /dev/zero: is no regular file: name one of 'pkram export'
! pkram: zero: no container is in it: name a file of 'pkram export'
! pkram: fs: no container is in it: name a file of 'pkram export'
[1]
$ cmp region before
$ head -c 3M copy >cut; head -c 9M copy >longer; for f in cut longer; do pkram import $f; done
! pkram: cut: 3145728 bytes are too few for a file of 'pkram export': name another one, or a whole copy
! pkram: file:longer: the file was cut: its container was made with 10485760 bytes, 9437184 are here; take a whole copy of it
[1]
$ cmp region before
$ poke copy flip data:s; pkram import copy
! pkram: s: damaged: 2 bytes at 0 (region offset 0x404000)
! pkram: copy: is damaged, and nothing of it is imported: take another copy, or what is whole with 'pkram -r file:copy get' and 'restore'
[4]
$ pkram ls
! pkram: no nodes in file:DIR/region

What does not fit into it, with nodes there or without.

$ pkram -r file:wide init -q --size 32M; head -c 20M /dev/urandom | pkram -r file:wide put -q big; pkram -r file:wide export -q large
$ pkram import large; echo 1 | pkram put -q one
! pkram: file:DIR/region: no room for big: needs 20979712 bytes, 11534336 are free, 0 old nodes hold 0; use a larger region
$ pkram import large
! pkram: file:DIR/region: holds 1 node (one) already; --force replaces all of them
[1]
$ pkram import --force large
! pkram: file:DIR/region: no room for big: needs 20979712 bytes, 11522048 are free, 1 old node holds 12288; use a larger region
[1]
$ pkram verify -q; pkram ls -n -o name
| one
