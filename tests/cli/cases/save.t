# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root

$ pkram init -q --size 32M
$ mkdir a b; echo one >a/f; echo two >b/g; ln a/f a/h; mkfifo a/fifo; ln -s nowhere a/l
$ pkram save a
! pkram: saved 1 node: 4 files, 12.0 KiB in T s, RATE
$ pkram save -n tree --json a
| {
|   "verb": "save",
|   "nodes": 1,
|   "files": 4,
|   "bytes": 12288,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N
| }
$ pkram save -q b a/f
$ pkram ls -o name,kind,files,single,state | tr -s ' '
| NAME KIND FILES SINGLE STATE
| DIR/a tree 4 no fresh
| DIR/a/f tree 2 yes fresh
| DIR/b tree 2 no fresh
| tree tree 4 no fresh
$ pkram get tree >image && fsck.erofs image

A set is all or none; a name is there once.

$ pkram save b ./nothing
! pkram: ./nothing: No such file or directory
[1]
$ pkram save -n x b a
! pkram: save: --name goes with one PATH; see 'pkram save --help'
[2]
$ pkram save b b
! pkram: DIR/b: given twice in one save
[1]
$ pkram save b $PWD/b/../b
! pkram: DIR/b: given twice in one save
[1]
$ pkram save -n '' b
! pkram: save: --name: an empty word is no name; see 'pkram save --help'
[2]
$ pkram save -n "$(printf %256s | tr ' ' a)" b
! pkram: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: 256 bytes are too long for a node's name (limit 255); give it a shorter one
[1]
$ long=$(printf '%0100d/' 1 2 3); mkdir -p $long; pkram save $long 2>&1 | sed 's/0\{30,\}1*/N/g'
| pkram: DIR/000000000000...: 330 bytes are too long for a node's name (limit 255); give it a shorter one with -n
$ pkram save
! pkram: save: PATH... is missing; see 'pkram save --help'
[2]
$ pkram save ''
! pkram: save: an empty word is no PATH; see 'pkram save --help'
[2]

Whoever writes is named, and nothing is committed; with --live it is.

$ exec 9>>a/f
$ pkram save -n open a
! pkram: DIR/a/f is open for writing by pid PID (bash); stop it or use --live
[1]
$ pkram info open
! pkram: file:DIR/region: no node named open; 'pkram ls' lists what is there
[1]
$ pkram save -n open --live a
! pkram: warning: DIR/a/f is open for writing by pid PID (bash)
! pkram: saved 1 node: 4 files, 12.0 KiB in T s, RATE
$ pkram ls -o name,state,live | grep -w open | tr -s ' '
| open fresh,live yes
$ exec 9>&-

Other mounts are not entered.

$ mkdir a/m && mount -t tmpfs none a/m && echo three >a/m/x
$ pkram save -n mounts a
! pkram: DIR/a/m is another mount: left out, saved as an empty directory
! pkram: saved 1 node: 5 files, 16.0 KiB in T s, RATE
$ pkram save -n mounts --cross-mounts a
! pkram: saved 1 node: 6 files, 20.0 KiB in T s, RATE
$ umount a/m; rmdir a/m

What cannot be kept is named and refused.

$ python3 -c 'import os; os.setxattr("b/g", "trusted.large", bytes(65536))'
$ pkram save -n lossy b
! pkram: DIR/b/g: xattr trusted.large is larger than 65535 bytes; --allow-lossy saves without it
[1]
$ pkram save -n lossy --allow-lossy b
! pkram: warning: DIR/b/g: xattr trusted.large is larger than 65535 bytes; saved without it
! pkram: saved 1 node: 2 files, 12.0 KiB in T s, RATE

No room: said with the figures, and nothing is given up.

$ mkdir large; head -c 20M /dev/urandom >large/x
$ pkram save large
! pkram: saved 1 node: 2 files, 20.0 MiB in T s, RATE
$ pkram rm -q mounts open lossy tree
$ cp large/x large/y; pkram save large
! pkram: file:DIR/region: no room for DIR/large: needs 41967616 bytes, 7229440 are free, 4 old nodes hold 21082112; use a larger region
[1]
$ pkram ls -n -o name
| DIR/a
| DIR/a/f
| DIR/b
| DIR/large
$ pkram verify
! pkram: verified 4 nodes: 20.0 MiB in T s, RATE

The image is the tree's, whatever the number of threads: one of exactly two slices (1,024),
names before the dot, small files, medium ones that stay open, links across directories.

$ pkram -q rm "$PWD/large"; mkdir wide wide/all wide/one wide/bang
$ for i in {1..1024}; do printf '%*s' $((i % 5 * 900)) x >wide/all/$i; done
$ for i in {1..512}; do : >wide/one/$i; done
$ for i in {1..20}; do head -c 50000 /dev/zero | tr '\0' x >"wide/bang/!$i"; done
$ ln wide/all/7 wide/bang/7; ln wide/all/1023 wide/one/0; mkdir wide/one/empty
$ for n in 1 2 7; do
>   pkram -q --threads $n save -n wide wide
>   pkram get wide | sha256sum
> done | uniq | wc -l
| 1
$ pkram get wide | sha256sum >many
$ (ulimit -n 40; pkram -q save -n wide wide); pkram get wide | sha256sum | cmp - many
$ pkram -q restore --to back wide
$ diff -r wide "back$PWD/wide" && cd "back$PWD/wide" && stat -c %h all/7 one/0
| 2
| 2

Many trees share what may be open.

$ cd "$OLDPWD"; mkdir trees; for i in {1..12}; do mkdir -p trees/$i/{1..20}/below; done
$ (ulimit -n 128; pkram -q save trees/*); pkram ls -n | grep -c /trees/
| 12
$ (ulimit -n 128; pkram -q restore --to few $PWD/trees/*); diff -r trees "few$PWD/trees"
$ mkdir none; (ulimit -n 24; pkram -q restore --to none $PWD/trees/* 2>&1) | sed 's/.*: Too/Too/'
| Too many open files; raise the limit of open files (ulimit -n, LimitNOFILE=)
$ find none -name '.pkram*'; pkram -q rm $PWD/trees/*
