# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram init -q --size 32M
$ head -c 3000001 /dev/urandom >data; pkram put -q data <data
$ pkram get data | cmp - data
$ pkram get data | cmp - data
$ pkram ls -n -o name,state
| data restored

$ pkram get nothing
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
[1]
$ pkram get --json data
! pkram: get: --json has no meaning here; see 'pkram get --help'
[2]
$ pkram get
! pkram: get: NAME is missing; see 'pkram get --help'
[2]
$ script -qec 'pkram get data' /dev/null </dev/null | tr -d '\r'
| pkram: get: standard output is a terminal, not a pipe or a file; see 'pkram get --help'

A full disk is said; a reader that has seen enough is not.

$ pkram get data >/dev/full
! pkram: cannot write the stream after 0 bytes: No space left on device
[1]
$ pkram get data >&-
! pkram: cannot write the stream after 0 bytes: Bad file descriptor
[1]
$ (pkram get data; echo $? >code) | head -c 1 >/dev/null; cat code
| 1

Damage: no byte of the damaged window comes out; the exit code says so.

$ python3 - <<'END'
> region = bytearray(open('region', 'rb').read()); data = open('data', 'rb').read()
> at = region.find(data[2 << 20:(2 << 20) + 4096])
> region[at] ^= 1
> open('region', 'r+b').write(region)
> END
$ pkram get data >out
! pkram: data: damaged: 902849 bytes at 2097152 (region offset 0x600000)
[4]
$ cmp out <(head -c 2M data)
$ pkram verify
! pkram: data: damaged: 902849 bytes at 2097152 (region offset 0x600000)
[4]
$ pkram verify data
! pkram: data: damaged: 902849 bytes at 2097152 (region offset 0x600000)
[4]
