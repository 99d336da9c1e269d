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

What is mapped and cannot be read ends the command, which says so.

$ mv region whole; fresh() { rm -f region; pkram init -q --size 32M; head -c 8M /dev/zero | pkram put -q large; at=$(poke region where data:large); }
$ fresh; pkram get large | { sleep 0.5; truncate -s $((at + (4 << 20))) region; cat; } >/dev/null; echo "${PIPESTATUS[0]}"
| 1
! pkram: a region or a file was cut while it was mapped (SIGBUS): what is saved stays as it is; try again with the whole of it
$ fresh; pkram get large | { sleep 0.5; truncate -s $at region; cat; } >/dev/null; echo "${PIPESTATUS[0]}"
| 1
! pkram: large: cannot be read behind byte 1048576: Input/output error
$ mv whole region

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
