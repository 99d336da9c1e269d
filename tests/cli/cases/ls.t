# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram ls
! pkram: region file:DIR/region (from PKRAM_REGION): No such file or directory; 'pkram init --size N' makes it
[1]
$ pkram init -q --size 32M
$ pkram ls
! pkram: no nodes in file:DIR/region
$ pkram ls -q
$ pkram ls --json
| {
|   "region": {
|     "spec": "file:DIR/region",
|     "uuid": "UUID",
|     "generation": 1,
|     "phys": 0,
|     "size": 33554432,
|     "payload": 28311552,
|     "free": 28311552,
|     "largest_free": 28311552,
|     "nodes": 0,
|     "writers": 0,
|     "read_only": false,
|     "recovered": false,
|     "jump": "none"
|   },
|   "nodes": []
| }
$ head -c 1536 /dev/zero | pkram put -q b
$ head -c 5M /dev/zero | pkram put -q a
$ pkram ls -o name,kind,size,files,state
| NAME KIND   SIZE FILES STATE
| a    stream 5.0M       fresh
| b    stream 1.5K       fresh
$ pkram ls -o NAME,Size --bytes
| NAME    SIZE
| a    5242880
| b       1536
$ pkram ls -n -o stored,id,set,live,restored,extents,size
|   5.0M  2   8 no   no             1 5.0M
|  12.0K  1   4 no   no             1 1.5K
$ pkram ls -o name,colour
! pkram: ls: --output: 'name,colour' has an unknown column; see 'pkram ls --help'
[2]
$ pkram ls -o ''
! pkram: ls: --output: '' has an unknown column; see 'pkram ls --help'
[2]
$ pkram ls -o name,
! pkram: ls: --output: 'name,' has an unknown column; see 'pkram ls --help'
[2]
$ pkram ls | head -n 1 | tr -s ' '
| NAME KIND SIZE FILES SAVED KERNEL STATE

Every byte of a name shows, and none is obeyed.

$ for name in $'esc\033[31m' $'new\nline' $'bad\xff\xc3' $'\xc2\x9b2J' 'quote"' '\x41' '\' $'caf\u00e9'; do
>   echo 1 | pkram put -q "$name"
> done
$ pkram ls -n -o name
| \
| \x5cx41
| a
| b
| bad\xff\xc3
| café
| esc\x1b[31m
| new\x0aline
| quote"
| \xc2\x9b2J
$ pkram ls --json -o name | tail -n +17
|   "nodes": [
|     {
|       "name": "\\"
|     },
|     {
|       "name": "\\x5cx41"
|     },
|     {
|       "name": "a"
|     },
|     {
|       "name": "b"
|     },
|     {
|       "name": "bad\\xff\\xc3"
|     },
|     {
|       "name": "café"
|     },
|     {
|       "name": "esc\u001b[31m"
|     },
|     {
|       "name": "new\u000aline"
|     },
|     {
|       "name": "quote\""
|     },
|     {
|       "name": "\u009b2J"
|     }
|   ]
| }
$ pkram ls --json | python3 -c 'import json, sys; json.load(sys.stdin)'
$ LC_ALL=C pkram ls -n -o name | tail -n 3
| new\x0aline
| quote"
| \xc2\x9b2J

$ pkram ls >/dev/full
! pkram: standard output: No space left on device
[1]
$ pkram ls extra
! pkram: ls: 'extra' is one argument too many; see 'pkram ls --help'
[2]
