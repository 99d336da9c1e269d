# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# After a firmware reset that kept some of the memory: all that is old, or none of it.

$ for boot in 1 2; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/sys
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 176 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ first() { pkram --sysroot m1 "$@"; }; second() { pkram --sysroot m2 "$@"; }
$ mkdir a b; seq 500000 >a/numbers; echo one >a/first; echo b >b/f
$ first init -q --size 32M; first save -q -n a a; first save -q -n b b; seq 300000 | first put -q s
$ cp region good; reset() { cp good region; rm -rf to; }

All came through it.

$ second restore -q --stale --to to
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
$ cmp a/numbers to$PWD/a/numbers && cmp b/f to$PWD/b/f

A checksum does not hold: nothing appears, unless it is a salvage.

$ reset; poke region flip data:a+3000000; second restore --stale --to to
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: a: damaged: 1048576 bytes at 2105344 (region offset 0x600000)
! pkram: a: damaged: numbers
! pkram: a: not restored; --salvage takes what is intact
! pkram: a: saved AGE by an earlier boot (kernel KERNEL); its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
[3]
$ ls to$PWD
! ls: cannot access 'toDIR': No such file or directory
[2]
$ second restore -q --stale --to to a; second restore -q --stale --to to b
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: a: damaged: 1048576 bytes at 2105344 (region offset 0x600000)
! pkram: a: damaged: numbers
! pkram: a: not restored; --salvage takes what is intact
! pkram: a: saved AGE by an earlier boot (kernel KERNEL); its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
$ first restore -q --to to a
! pkram: a: damaged: 1048576 bytes at 2105344 (region offset 0x600000)
! pkram: a: damaged: numbers
! pkram: a: not restored; --salvage takes what is intact
[4]
$ first restore -q --stale --to to a
! pkram: a: damaged: 1048576 bytes at 2105344 (region offset 0x600000)
! pkram: a: damaged: numbers
! pkram: a: not restored; --salvage takes what is intact
[4]
$ rm -r to; second restore -q --stale --salvage --to to
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: warning: numbers: damaged, left out
! pkram: a: damaged: 1048576 bytes at 2105344 (region offset 0x600000)
! pkram: a: damaged: numbers
[4]
$ ls to$PWD/a
| first

Not even the metadata of a tree, nor the description of a node.

$ reset; poke region flip data:a+40 mirror:a+40; second restore --stale --to to a
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: a: both copies of the tree's metadata are damaged
! pkram: a: saved AGE by an earlier boot (kernel KERNEL); its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
[3]
$ reset; poke region flip block:a+200 copy:a+200; second restore --stale --to to a
! pkram: file:DIR/region: a: both copies of the node's block are damaged; 'pkram rm' gives its space back
! pkram: a: who saved it cannot be told; its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
[3]
$ second restore --stale --to to
! pkram: node 1: both copies of its block are damaged: left out, whatever it was
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: node 1: who saved it cannot be told; its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
[3]
$ ls to
! ls: cannot access 'to': No such file or directory
[2]
$ second get --stale a
! pkram: file:DIR/region: a: both copies of the node's block are damaged; 'pkram rm' gives its space back
! pkram: a: who saved it cannot be told; its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
[3]
$ second restore -q --stale --salvage --to to; ls to$PWD
| b
! pkram: node 1: both copies of its block are damaged: left out, whatever it was
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
$ first restore -q --stale --to to --force; ls to$PWD
| b
! pkram: node 1: both copies of its block are damaged: left out, whatever it was

No byte of a stale stream comes out before all of it is known to be there.

$ reset; poke region flip data:s+1900000; second get --stale s | wc -c
| 0
! pkram: warning: s: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: s: damaged: 940319 bytes at 1048576 (region offset 0x900000)
! pkram: s: saved AGE by an earlier boot (kernel KERNEL); its memory did not survive whole, as may happen in a firmware reset: nothing stale is served
$ first get s | wc -c
| 1048576
! pkram: s: damaged: 940319 bytes at 1048576 (region offset 0x900000)
$ reset; second get --stale s | cmp - <(seq 300000)
! pkram: warning: s: stale, saved AGE by an earlier boot (kernel KERNEL)

The container: with a superblock or both of them hit, its nodes are found; with nothing left, it says what to do.

$ reset; poke region flip new+100 old+100; second restore --stale --to to; ls to$PWD
| a
| b
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
! pkram: warning: a: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: warning: b: stale, saved AGE by an earlier boot (kernel KERNEL)
! pkram: restored 2 nodes: 5 files, 3.2 MiB in T s, RATE
$ reset; head -c 4M /dev/urandom | dd of=region conv=notrunc status=none; second restore --stale
! pkram: file:DIR/region (from PKRAM_REGION): no container here; 'pkram init' makes one
[1]
$ reset; poke region flip new+45 old+45; second restore --stale
! pkram: file:DIR/region: both superblocks are damaged and no node was found: what was here is lost, as after a firmware reset that clears memory; 'pkram init --force' starts anew
[4]
$ second init
! pkram: file:DIR/region: holds a container that this pkram cannot read; 'pkram init --force' replaces it
[1]
$ second init -q --force; second ls
! pkram: warning: file:DIR/region: replacing a container that this pkram cannot read
! pkram: no nodes in file:DIR/region
