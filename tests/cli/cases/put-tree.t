# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# EROFS images of somebody else as trees.

$ pkram init -q --size 32M; mkdir a; seq 1000 >a/f; ln a/f a/h; ln -s nowhere a/l; truncate -s 1M a/holes
$ mkfs.erofs --quiet image a >/dev/null 2>&1
$ pkram put --tree a <image
! pkram: put a: 1.0 MiB in T s, RATE
$ pkram ls -o name,kind,files,source | tr -s ' '
| NAME KIND FILES SOURCE
| a tree 4 
$ pkram restore
! pkram: a: left alone: it has no path of its own (put --tree); --to says where
! pkram: nothing to restore
[3]
$ pkram restore --to to a && find to | sort | head -3
| to
| to/a
| to/a/f
! pkram: restored 1 node: 4 files, 1.0 MiB in T s, RATE
$ diff -r --no-dereference a to/a && pkram get a | cmp - image

A tree that pkram saved can be taken out and put in.

$ pkram save -q -n saved a; pkram get saved | pkram put -q --tree again; pkram restore -q --to to2 again && diff -r --no-dereference a to2/again

What is no such image is refused, and nothing is saved.

$ mkfs.erofs --quiet -zlz4 packed a >/dev/null 2>&1; pkram put --tree n <packed
! pkram: the EROFS image uses compression, which pkram does not serve; make it with plain mkfs.erofs (no -z, 4 KiB blocks)
[1]
$ head -c 1M /dev/urandom | pkram put --tree n
! pkram: the image is not sound: it does not start with an EROFS superblock
[4]
$ head -c 5000 image | pkram put --tree n
! pkram: the image is not sound: it is cut off: 5000 bytes of 1056768
[4]
$ pkram put --tree n </dev/null
! pkram: the image is not sound: it is shorter than its superblock
[4]
$ pkram info n
! pkram: file:DIR/region: no node named n; 'pkram ls' lists what is there
[1]
