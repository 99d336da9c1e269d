# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram init -q --size 32M
$ echo hello | pkram put greeting
! pkram: put greeting: 6 bytes in T s, RATE
$ echo hello | pkram put --json greeting
| {
|   "verb": "put",
|   "name": "greeting",
|   "nodes": 1,
|   "bytes": 6,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
$ pkram put empty </dev/null
! pkram: put empty: 0 bytes in T s, RATE

What was promised is what must come.

$ echo hello | pkram put --expect-bytes 6 n
! pkram: put n: 6 bytes in T s, RATE
$ echo hello | pkram put --expect-bytes 7 n
! pkram: the input has 6 bytes, expected were 7; nothing was saved
[1]
$ printf x | pkram put --expect-bytes 7 n
! pkram: the input has 1 byte, expected were 7; nothing was saved
[1]
$ yes | pkram put --expect-bytes 5 n
! pkram: the input has more than 5 bytes, as were expected; nothing was saved
[1]
$ pkram get n
| hello
$ pkram put --expect-bytes 0 none </dev/null
! pkram: put none: 0 bytes in T s, RATE
$ sum=$(echo hello | sha256sum | cut -d' ' -f1)
$ echo hello | pkram put --expect-sha256 $sum n2
! pkram: put n2: 6 bytes in T s, RATE
$ (sleep 0.2; echo hello) | python3 -c 'import os, sys; os.set_blocking(0, False); os.execvp(sys.argv[1], sys.argv[1:])' \
> pkram put -q --expect-sha256 $sum n2
$ echo hello | pkram put --expect-sha256 ${sum^^} --expect-bytes 6 n2
! pkram: put n2: 6 bytes in T s, RATE
$ echo hullo | pkram put --expect-sha256 $sum n2
! pkram: the input has sha256 165e3927cb9dc09c3a04bd2885de5029c8ec7c16ae2f7ff275dee5a1bf2595f3, expected was 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03; nothing was saved
[1]
$ pkram get n2
| hello
$ pkram put --expect-sha256 xyz n3
! pkram: put: --expect-sha256: not 64 hex digits; see 'pkram put --help'
[2]
$ pkram put --expect-bytes six n3
! pkram: put: --expect-bytes: 'six' is not a size (digits, then K, M, G or T); see 'pkram put --help'
[2]

Input that fails saves nothing.

$ pkram put n3 <.
! pkram: cannot read the stream after 0 bytes: Is a directory
[1]
$ pkram put n3 --expect-sha256 $sum <.
! pkram: cannot read the stream after 0 bytes: Is a directory
[1]
$ pkram put n3 <&-
! pkram: cannot read the stream after 0 bytes: Bad file descriptor
[1]
$ pkram ls -n -o name,kind,size --bytes
| empty    stream    0
| greeting stream    6
| n        stream    6
| n2       stream    6
| none     stream    0

A signal ends the input, and nothing is saved.

$ mkfifo pipe
$ exec 9<>pipe
$ timeout --preserve-status -s INT 1 pkram put n4 <pipe
! pkram: interrupted; what was not finished is dropped
[1]
$ timeout --preserve-status -s TERM 1 pkram put n4 --expect-sha256 $sum <pipe
! pkram: interrupted; what was not finished is dropped
[1]
$ timeout --preserve-status -s HUP 1 pkram put n4 --expect-bytes 3 <pipe
! pkram: interrupted; what was not finished is dropped
[1]
$ (pkram put n4 <pipe & sleep 1; kill -KILL $!; wait $!; echo $?) 2>/dev/null
| 137
$ exec 9>&-
$ pkram info n4
! pkram: file:DIR/region: no node named n4; 'pkram ls' lists what is there
[1]

Names: any byte, 255 of them.

$ echo 1 | pkram put -q ''; for verb in get info rm restore verify; do pkram $verb ''; done
! pkram: put: an empty word is no NAME; see 'pkram put --help'
! pkram: get: an empty word is no NAME; see 'pkram get --help'
! pkram: info: an empty word is no NAME; see 'pkram info --help'
! pkram: rm: an empty word is no NAME; see 'pkram rm --help'
! pkram: restore: an empty word is no NAME; see 'pkram restore --help'
! pkram: verify: an empty word is no NAME; see 'pkram verify --help'
[2]
$ echo 1 | pkram put -q $'\033[31m\n\xff\\x41'
$ echo 1 | pkram put -q "$(printf %255s | tr ' ' a)"
$ echo 1 | pkram put -q "$(printf %256s | tr ' ' a)" 2>&1 | sed 's/a\{200,\}/LONG/'
| pkram: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: 256 bytes are too long for a node's name (limit 255); give it a shorter one
$ echo 1 | pkram put -q -- --stale
$ pkram ls -n -o name | sed 's/a\{200,\}/LONG/'
| \x1b[31m\x0a\xff\x5cx41
| --stale
| LONG
| empty
| greeting
| n
| n2
| none
$ for name in $'q\nz' 'q?z' 'q\x0az'; do pkram get "$name"; done
! pkram: file:DIR/region: no node named q\x0az; 'pkram ls' lists what is there
! pkram: file:DIR/region: no node named q?z; 'pkram ls' lists what is there
! pkram: file:DIR/region: no node named q\x5cx0az; 'pkram ls' lists what is there
[1]
$ pkram get $'\033[31m\n\xff\\x41'
| 1

No room: figures, and nothing is lost.

$ head -c 40M /dev/zero | pkram put large
! pkram: file:DIR/region: no room for large: needs at least 28319744 bytes, 28221440 are free, 8 old nodes hold 90112; use a larger region
[1]
$ pkram get greeting
| hello

A terminal is no input.

$ script -qec 'pkram put n5' /dev/null </dev/null | tr -d '\r'
| pkram: put: standard input is a terminal, not a pipe or a file; see 'pkram put --help'
$ pkram put
! pkram: put: NAME is missing; see 'pkram put --help'
[2]
$ pkram put a b
! pkram: put: 'b' is one argument too many; see 'pkram put --help'
[2]

A promise that cannot be kept costs no old node: neither what a file says, nor what there is no room for.

$ head -c 16M /dev/zero | pkram -q put big; pkram get big >/dev/null
$ head -c 20M /dev/zero >more; pkram put --expect-bytes 5 big <more
! pkram: the input has more than 5 bytes, as were expected; nothing was saved
[1]
$ pkram put --expect-bytes 21M big <more
! pkram: the input has 20971520 bytes, expected were 22020096; nothing was saved
[1]
$ yes | pkram put --expect-bytes 100M big
! pkram: file:DIR/region: no room for big: needs at least 104865792 bytes, 11436032 are free, 9 old nodes hold 16875520; use a larger region
[1]
$ pkram get big | wc -c
| 16777216
$ cat more | pkram put --expect-bytes 20M big
! pkram: big, saved AGE, gave up its space first: both do not fit
! pkram: put big: 20.0 MiB in T s, RATE
