# SPDX-License-Identifier: LGPL-2.1-or-later
# What needs no kernel: the rest of kexec is tested in virtual machines.

$ pkram kexec --cancel --load-only
! pkram: kexec: --cancel goes alone; see 'pkram kexec --help'
[2]
$ pkram kexec --cancel --kernel k
! pkram: kexec: --cancel goes alone; see 'pkram kexec --help'
[2]
$ pkram kexec --append a --command-line b
! pkram: kexec: --append and --command-line exclude each other; see 'pkram kexec --help'
[2]
$ pkram kexec now
! pkram: kexec: 'now' is one argument too many; see 'pkram kexec --help'
[2]
$ pkram kexec --leave-behind
! pkram: kexec: --leave-behind needs NAME; see 'pkram kexec --help'
[2]

A file does not survive: nothing is loaded.

$ mkdir m && cp --parents /proc/sys/kernel/random/boot_id m && pkram init -q --size 8M
$ pkram kexec --sysroot m --load-only
! pkram: file:DIR/region: a file does not survive the jump: save into reserved memory
[1]
$ pkram kexec --sysroot m --json
! pkram: file:DIR/region: a file does not survive the jump: save into reserved memory
[1]

So there is none to be taken back; --cancel takes back what was staged in other regions.

$ pkram kexec --sysroot m --cancel
! pkram: no jump is staged any more
