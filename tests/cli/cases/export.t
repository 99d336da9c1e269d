# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# All nodes to a file and back.

$ mkdir a; seq 500000 >a/numbers; ln a/numbers a/link; truncate -s 9M a/hole; echo end >>a/hole; mkdir b; echo b >b/f
$ pkram init -q --size 64M; pkram export copy
! pkram: file:DIR/region: has no nodes
[3]
$ ls copy; pkram save -q -n a a; pkram save -q -n old a
! ls: cannot access 'copy': No such file or directory
$ pkram save -q $PWD/a $PWD/b; seq 300000 | pkram put -q stream; printf '' | pkram put -q nothing; pkram rm old
$ pkram export copy
! pkram: exported 5 nodes: 8 files, 8.4 MiB in T s, RATE
$ stat -c '%a %F' copy; (( $(stat -c '%b * 512' copy) < 24 << 20 )) && ls copy.* 2>&1 | grep -c such
| 600 regular file
| 1
$ nodes() { pkram -r file:$1 ls --json | python3 -c '
> import json, sys
> for n in json.load(sys.stdin)["nodes"]:
>     for k in ("id", "stored", "extents", "state", "restored"): del n[k]
>     print(n)'; }
$ nodes region >here; nodes copy >there; cmp here there && wc -l <here
| 5
$ pkram -r file:copy verify; pkram -r file:copy get stream | cmp - <(seq 300000)
! pkram: verified 5 nodes: 8.4 MiB in T s, RATE
$ pkram -r file:copy restore -q --to to a; diff -r a to$PWD/a; pkram -r file:copy
| Region     file:DIR/copy, 26.0 MiB
| Nodes      3 trees, 2 streams: 8.5 MiB; 12.5 MiB free
| State      3 fresh, 2 restored
| Jump       none
| Next step  none: a file: region survives no jump (pkram(8))

A file that is there stays, unless it is to be replaced; what is no file stays anyway.

$ cp copy kept; pkram export copy
! pkram: copy: is there; --force replaces it
[1]
$ cmp copy kept; pkram export -q --force copy; nodes copy | cmp - there; cmp -s copy kept
[1]
$ mkdir dir; ln -s copy link; pkram export --force dir; pkram export --force link; pkram export --force region
! pkram: dir: is there, and no regular file
! pkram: link: is there, and no regular file
! pkram: region: is the region itself
[1]
$ pkram export no/where; pkram export ''; pkram export; pkram export -; ls ./-
! pkram: no/where: cannot make a file beside it: No such file or directory
! pkram: export: an empty word is no FILE; see 'pkram export --help'
! pkram: export: FILE is missing; see 'pkram export --help'
! pkram: export: FILE has holes and is read in any order: it cannot be a stream (./- is a file of that name); see 'pkram export --help'
! ls: cannot access './-': No such file or directory
[2]
$ pkram export --json json | tail -n 9
| {
|   "verb": "export",
|   "nodes": 5,
|   "files": 8,
|   "bytes": 8808735,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
$ mkdir small; mount -t tmpfs -o size=2M tmpfs small; pkram export small/file; ls small; umount small
! pkram: small/file: needs 13070336 bytes, its file system has 2097152

Import: into an empty container, a larger one, one in a file that was there; with all that was, in any number of commits.

$ for size in 64M 200M 17M; do rm -f r; pkram -r file:r init -q --size $size; pkram -r file:r import -q copy; nodes r | cmp - there; pkram -r file:r verify -q; done
$ rm r; truncate -s 40M r; pkram -r file:r init -q; pkram -r file:r import copy
! pkram: imported 5 nodes: 8 files, 8.4 MiB in T s, RATE
$ nodes r | cmp - there; pkram -r file:r restore -q --to to2; diff -r a to2$PWD/a && diff -r b to2$PWD/b
$ pkram -r file:r get nothing | wc -c
| 0
$ poke r flip new+100 old+100; pkram -r file:r ls -q -n -o name
| DIR/a
| DIR/b
| a
| nothing
| stream
! pkram: warning: file:DIR/r: the container's superblocks are damaged; its nodes were found anew
$ pkram -r file:r put -q more <here; pkram -r file:r export -q again; pkram -r file:again ls -n -o name,kind | tr -s ' '
| DIR/a tree
| DIR/b tree
| a tree
| more stream
| nothing stream
| stream stream
! pkram: warning: file:DIR/r: the container's superblocks are damaged; its nodes were found anew

Nodes that are there are in the way.

$ cp r full; pkram -r file:r import copy
! pkram: file:DIR/r: holds 6 nodes (DIR/a, ...) already; --force replaces all of them
[1]
$ cmp r full; pkram -r file:r import --force copy; nodes r | cmp - there
! pkram: imported 5 nodes: 8 files, 8.4 MiB in T s, RATE
$ rm r; pkram -r file:r init -q --size 20M; head -c 12M /dev/urandom | pkram -r file:r put -q big; cp r full
$ pkram -r file:r import --force copy; nodes r | cmp - there
! pkram: 1 old node gave up its space first: both do not fit
! pkram: imported 5 nodes: 8 files, 8.4 MiB in T s, RATE
$ cp full r; pkram -r file:r get big | (sleep 0.5; pkram -r file:r import --force copy; cat >/dev/null)
! pkram: file:DIR/r: no room for this set of nodes: needs 8876032 bytes, 3137536 are free, 1 old node holds 12591104; remove some with 'pkram rm' or use a larger region
$ pkram -r file:r ls -n -o name
| big
$ pkram -r file:r init -q --force --size 20M; head -c 20M /dev/zero | pkram put -q large; pkram export -q large
! pkram: warning: file:r: replacing a container with 1 node: big
$ pkram -r file:r import large; pkram -r file:r ls
! pkram: file:DIR/r: no room for this set of nodes: needs 29855744 bytes, 15728640 are free, 0 old nodes hold 0; use a larger region
! pkram: no nodes in file:DIR/r

What is no export, or a damaged one: nothing changes.

$ cp full r; pkram -r file:r import --force a/numbers; pkram -r file:r import --force dir; pkram -r file:r import missing
! pkram: a/numbers: 3388895 bytes are too few for a file of 'pkram export': name another one, or a whole copy
! pkram: dir: is no regular file: name one of 'pkram export'
! pkram: missing: No such file or directory
[1]
$ pkram -r file:r import --force r; pkram -r file:new import copy
! pkram: r: is the region itself: name a file of 'pkram export'
! pkram: region file:new: No such file or directory; 'pkram init --size N' makes it
[1]
$ poke copy flip data:stream+1900000; pkram -r file:r import --force copy
! pkram: stream: damaged: 940319 bytes at 1048576 (region offset 0x509000)
! pkram: copy: is damaged, and nothing of it is imported: take another copy, or what is whole with 'pkram -r file:copy get' and 'restore'
[4]
$ poke copy flip data:$PWD/a+2000000; pkram -r file:r import -q --force copy
! pkram: DIR/a: damaged: 1048576 bytes at 1056768 (region offset 0x700000)
! pkram: DIR/a: damaged: link
! pkram: stream: damaged: 940319 bytes at 1048576 (region offset 0x509000)
! pkram: copy: is damaged, and nothing of it is imported: take another copy, or what is whole with 'pkram -r file:copy get' and 'restore'
[4]
$ pkram -r file:r import --json --force kept >/dev/null; cp full r
! pkram: 1 old node gave up its space first: both do not fit
$ poke kept flip block:stream+200 copy:stream+200; pkram -r file:r import --force kept
! pkram: file:kept: node 5: both copies of its block are damaged; without it ('pkram rm' of its name), the others can be copied
! pkram: kept: is damaged, and nothing of it is imported: take another copy, or what is whole with 'pkram -r file:kept get' and 'restore'
[4]
$ cmp r full; truncate -s 10M kept; pkram -r file:r import --force kept
! pkram: file:kept: the file was cut: its container was made with 27262976 bytes, 10485760 are here; take a whole copy of it
[1]
$ pkram -r file:r init -q --force; pkram -r file:r export no; pkram -r file:r import r
! pkram: warning: file:r: replacing a container with 1 node: big
! pkram: file:DIR/r: has no nodes
! pkram: r: is the region itself: name a file of 'pkram export'
[1]

A copy has holes: where its filesystem is full, that is an error and no more.

$ pkram init -q --size 16M file:s; echo 1 | pkram put -q -r file:s one; mkdir tight; mount -t tmpfs -o size=20M none tight
$ pkram -r file:s export -q tight/e; head -c 20M /dev/zero 2>/dev/null >tight/hog; head -c 1M /dev/urandom >more
$ pkram -r file:tight/e put x <more
! pkram: DIR/tight/e: cannot write at byte 6291456: No space left on device
! pkram: DIR/tight/e: cannot write at byte 8388608: No space left on device
! pkram: warning: file:DIR/tight/e: cannot erase an old node's block at 0x800000
! pkram: DIR/tight/e: cannot write at byte 6270976: No space left on device
! pkram: warning: file:DIR/tight/e: cannot erase an old node's block at 0x5fb000
[1]
$ pkram -r file:tight/e save -n x more
! pkram: DIR/tight/e: cannot write at byte 4202496: No space left on device
! pkram: DIR/tight/e: cannot write at byte 5251072: No space left on device
! pkram: warning: file:DIR/tight/e: cannot erase an old node's block at 0x502000
! pkram: DIR/tight/e: cannot write at byte 9412608: No space left on device
! pkram: warning: file:DIR/tight/e: cannot erase an old node's block at 0x8fa000
[1]
$ pkram -r file:tight/e verify -q; pkram -r file:tight/e ls -n -o name; umount tight
| one

A limit of file sizes leaves nothing behind.

$ mkdir lim; cp s lim/s; (ulimit -f 100; pkram -r file:s export lim/e); ls lim
| s
! pkram: lim/e: cannot be made: File too large

What is damaged is not copied.

$ poke region flip data:stream+1900000; pkram export damaged; ls damaged*
! pkram: stream: damaged: 940319 bytes at 1048576 (region offset 0x1300000)
! ls: cannot access 'damaged*': No such file or directory
[2]
