# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# Two boots, as far as a recorded machine can tell them apart; jumps are tested in virtual machines.

$ for boot in 1 2; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/sys
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 208 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ first() { pkram --sysroot m1 "$@"; }; second() { pkram --sysroot m2 "$@"; }
$ first init -q --size 32M; mkdir a; echo one >a/f; first save -q -n a a; echo one | first put -q s
$ first ls -n -o name,state | tr -s ' '
| a fresh
| s fresh
$ second ls -n -o name,state | tr -s ' '
| a stale
| s stale
$ second
| Region     file:DIR/region, 32.0 MiB
| Nodes      1 tree, 1 stream: 40.0 KiB; 27.0 MiB free
| State      2 stale
| Jump       none
| Next step  pkram save PATH, or pkram restore --stale

What another boot saved is not served, unless it is asked for.

$ second restore
! pkram: warning: a: left alone: saved AGE by an earlier boot (kernel KERNEL); --stale takes it all the same
[3]
$ second restore a --to to
! pkram: a: saved AGE by an earlier boot (kernel KERNEL), not by the one that jumped here; --stale takes it all the same
[3]
$ second get s
! pkram: s: saved AGE by an earlier boot (kernel KERNEL), not by the one that jumped here; --stale takes it all the same
[3]
$ ls to
! ls: cannot access 'to': No such file or directory
[2]
$ second restore --stale a --to to
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: restored 1 node: 2 files, 4.0 KiB in T s, RATE
$ second get --stale s
| one
! pkram: warning: s: stale, saved AGE by an earlier boot (kernel KERNEL)
$ second ls -n -o name,state | tr -s ' '
| a restored
| s restored
$ second restore --once --stale --to to
! pkram: nothing to restore
[3]
$ second
| Region     file:DIR/region, 32.0 MiB
| Nodes      1 tree, 1 stream: 40.0 KiB; 27.0 MiB free
| State      2 restored
| Jump       none
| Next step  pkram save PATH

Saved anew, it is fresh.

$ second save -q -n a a; second ls -n -o name,state | tr -s ' '
| a fresh
| s restored
$ rm -r a; second restore a
! pkram: restored 1 node: 2 files, 4.0 KiB in T s, RATE
$ second restore a --to to --once
! pkram: a: restored in this boot already
! pkram: nothing to restore
[3]

In a kdump kernel nothing is changed.

$ touch m2/proc/vmcore; sha256sum region >before
$ echo two | second put s
! pkram: file:DIR/region: opened for reading only
[1]
$ second rm s
! pkram: file:DIR/region: opened for reading only
[1]
$ second get --stale s
| one
! pkram: warning: s: stale, saved AGE by an earlier boot (kernel KERNEL)
$ second init --force
! pkram: this is a kdump kernel: pkram changes nothing here
[1]
$ second ls --json | grep read_only
|     "read_only": true,
$ sha256sum region | cmp - before

An old node gives way where both do not fit, but not with --keep-old.

$ rm m2/proc/vmcore; head -c 20M /dev/zero | first put -q large
$ head -c 20M /dev/zero | first put large
! pkram: file:DIR/region: no room for large: needs at least 7348224 bytes, 7290880 are free, 3 old nodes hold 21020672; remove some with 'pkram rm' or use a larger region
[1]
$ head -c 20M /dev/zero | second put --keep-old large
! pkram: warning: large, saved AGE, holds 20979712 bytes that are needed; kept as asked
! pkram: file:DIR/region: no room for large: needs at least 7348224 bytes, 7290880 are free, 3 old nodes hold 21020672; remove some with 'pkram rm' or use a larger region
[1]
$ head -c 20M /dev/zero | second put large
! pkram: large, saved AGE, gave up its space first: both do not fit
! pkram: put large: 20.0 MiB in T s, RATE
$ mkdir huge; head -c 30M /dev/zero | tr '\0' x >huge/x; first save -n large huge 2>log
[1]
$ grep -c 'its space' log
| 0
[1]
$ rm -r huge; mkdir large; head -c 20M /dev/urandom >large/x; second rm large; second save -q -n large large
$ second save -n large large
! pkram: file:DIR/region: no room for large: needs 20996096 bytes, 7274496 are free, 3 old nodes hold 21037056; remove some with 'pkram rm' or use a larger region
[1]
$ second restore -q --to to large; second save -n large large
! pkram: large, saved AGE, gave up its space first: both do not fit
! pkram: saved 1 node: 2 files, 20.0 MiB in T s, RATE
