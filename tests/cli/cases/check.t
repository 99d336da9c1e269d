# SPDX-License-Identifier: LGPL-2.1-or-later
# The list of checks, on a machine without anything, whose one region is a file.

$ pkram check now
! pkram: check: 'now' is one argument too many; see 'pkram check --help'
[2]
$ pkram check --append a --command-line b
! pkram: check: --append and --command-line exclude each other; see 'pkram check --help'
[2]
$ mkdir -p m && cp --parents /proc/sys/kernel/random/boot_id m && pkram init -q --size 8M
$ echo ro quiet >m/proc/cmdline
$ pkram check --sysroot m
| CHECK        RESULT  REASON
| region       fails   file:DIR/region: a file does not survive the jump
|                        -> save into reserved memory
| kernel       fails   no kernel in /boot
|                        -> name one with --kernel
| initrd       skipped kernel comes first
| command-line ok      ro quiet pkram.jump=00000000000000000000000000000000
| drivers      skipped region comes first
| nodes        skipped region comes first
| writers      skipped region comes first
| sources      skipped region comes first
| units        skipped region comes first
| content      skipped region comes first
| reservation  skipped region comes first
| other-memory skipped region comes first
| firmware-map skipped region comes first
| kmem         skipped region comes first
| devices      skipped region comes first
| kexec        fails   this kernel is built without kexec
|                        -> boot one that has CONFIG_KEXEC_FILE
| signature    skipped kernel comes first
| loaded       ok      no kernel is loaded yet
| systemd      ok      does not run: the jump is 'kexec -e'
| cold-boot    skipped region comes first
! pkram: the jump is not safe: 3 checks fail
[1]
$ pkram check --sysroot m --json | head -n 25
| {
|   "safe": false,
|   "checks": [
|     {
|       "name": "region",
|       "result": "fails",
|       "findings": [
|         {
|           "result": "fails",
|           "reason": "file:DIR/region: a file does not survive the jump",
|           "remedy": "save into reserved memory"
|         }
|       ]
|     },
|     {
|       "name": "kernel",
|       "result": "fails",
|       "findings": [
|         {
|           "result": "fails",
|           "reason": "no kernel in /boot",
|           "remedy": "name one with --kernel"
|         }
|       ]
|     },
! pkram: the jump is not safe: 3 checks fail
