# SPDX-License-Identifier: LGPL-2.1-or-later
# Containers that were cut, hit or made by somebody else. good is the one that each begins with.

$ mkdir a; seq 500000 >a/numbers; echo one >a/first
$ pkram init -q --size 32M; pkram save -q -n tree a; seq 300000 | pkram put -q stream
$ cp region good; reset() { cp good region; }
$ lists() { pkram ls -o name,kind,size,state | tr -s ' '; }

One superblock is hit, then the other, then both, then a catalog: the nodes are found again.

$ poke region flip old+100; lists; pkram verify -q
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew
$ reset; poke region flip new+100; lists; pkram verify -q
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew
$ reset; poke region flip new+100 old+100; lists; pkram verify -q
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
$ echo more | pkram put -q more; lists; pkram verify -q
| NAME KIND SIZE STATE
| more stream 5B fresh
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
$ reset; poke region flip rows+8; lists; pkram verify -q
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew
$ cmp region good | cut -d' ' -f1-4
| region good differ: byte

Nothing is left of either, nor of a catalog.

$ reset; dd if=/dev/zero of=region bs=4K count=1 conv=notrunc status=none
$ dd if=/dev/zero of=region bs=4K count=1 seek=512 conv=notrunc status=none; pkram ls -n -o name
! pkram: file:DIR/region: both superblocks are damaged and no node was found: what was here is lost, as after a firmware reset that clears memory; 'pkram init --force' starts anew
[4]
$ for verb in 'save a' 'put n' 'rm tree' kexec; do pkram -q $verb 2>/dev/null </dev/null; echo "$verb: $?"; done
| save a: 4
| put n: 4
| rm tree: 4
| kexec: 4

A newer pkram's: refused, or read only.

$ reset; poke region set incompat 0x10; pkram ls
! pkram: file:DIR/region: the container has format 1, features 0x10, which this pkram does not know; use the pkram that made it
[1]
$ pkram restore; echo $?
| 1
! pkram: file:DIR/region: the container has format 1, features 0x10, which this pkram does not know; use the pkram that made it
$ pkram init
! pkram: file:DIR/region: holds a container that this pkram cannot read; 'pkram init --force' replaces it
[1]
$ reset; poke region set version 2; pkram ls
! pkram: file:DIR/region: the container has format 2, features 0x0, which this pkram does not know; use the pkram that made it
[1]
$ reset; poke region set ro 0x10; lists; echo x | pkram put x
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: file:DIR/region: the container has features 0x10, with which this pkram can only read it
[1]
$ reset; poke region set compat 0x10; lists; echo x | pkram put -q x; lists | tail -n 1
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
| x stream 2B fresh
$ reset; poke region set magic 0; pkram ls -n -o name
| stream
| tree
! pkram: warning: file:DIR/region: the container's newest superblock or catalog is damaged; its nodes were found anew

A node block: its copy serves. Both: the node is damaged, the others are not.

$ reset; poke region flip block:stream+200; lists; pkram verify -q
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: stream: the first copy of the node's block is damaged, the second one serves; save it again
! pkram: warning: file:DIR/region: stream: the first copy of the node's block is damaged, the second one serves; save it again
! pkram: stream: one of the two copies of its metadata is damaged; the other one serves: save it again
[4]
$ poke region flip copy:stream+200; lists
| NAME KIND SIZE STATE
|  damaged
| tree tree 3.2M fresh
$ pkram verify
! pkram: file:DIR/region: node 2: both copies of its block are damaged
[4]
$ pkram get stream | head -c 4
! pkram: file:DIR/region: stream: both copies of the node's block are damaged; 'pkram rm' gives its space back
$ pkram get tree | head -c 1025 | tail -c 1 | od -An -tx1
|  e2
$ pkram info stream
! pkram: stream: both copies of the node's block are damaged; 'pkram rm' gives its space back
[4]

Data: the window is named, and the files in it.

$ reset; poke region flip data:stream+1048676; pkram verify
! pkram: stream: damaged: 940319 bytes at 1048576 (region offset 0x900000)
[4]
$ pkram get stream >out; echo $?; cmp out <(seq 300000 | head -c 1M)
| 4
! pkram: stream: damaged: 940319 bytes at 1048576 (region offset 0x900000)
$ reset; poke region flip data:tree+3000000; pkram verify
! pkram: tree: damaged: 1048576 bytes at 2105344 (region offset 0x600000)
! pkram: tree: damaged: numbers
[4]
$ reset; poke region flip data:tree+40; pkram verify; pkram get tree >out; cmp out <(pkram -r file:good get tree)
! pkram: tree: one of the two copies of its metadata is damaged; the other one serves: save it again
$ poke region flip mirror:tree+40; pkram verify
! pkram: tree: damaged: 8192 bytes at 0 (region offset 0x73d000)
! pkram: tree: the tree's own metadata is damaged: its files cannot be named
[4]

The region was cut, or is another one than it was.

$ reset; truncate -s 16M region; pkram ls
! pkram: file:DIR/region: the file was cut: its container was made with 33554432 bytes, 16777216 are here; take a whole copy of it
[1]
$ reset; truncate -s 1M region; pkram ls
! pkram: file:DIR/region: 1048576 bytes are too few for a container; it needs 8388608
[1]
$ reset; truncate -s 0 region; pkram ls
! pkram: DIR/region is empty; give it a size with init --size
[1]
$ reset; poke region set size 0x7fffffff000; pkram ls
! pkram: file:DIR/region: the file was cut: its container was made with 8796093018112 bytes, 33554432 are here; take a whole copy of it
[1]
$ reset; poke region set size 4096; lists
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
$ reset; poke region set rows 0xffffffff; pkram ls -n -o name
| stream
| tree
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
$ reset; poke region set phys 0x100000000; lists
| NAME KIND SIZE STATE
| stream stream 1.9M fresh
| tree tree 3.2M fresh
$ rm region; mkdir region; pkram ls
! pkram: DIR/region (from PKRAM_REGION) is neither a pmem nor a devdax device, nor a regular file; 'pkram regions' lists what there is
[1]
$ rmdir region; ln -s region region; pkram ls
! pkram: region file:DIR/region (from PKRAM_REGION): Too many levels of symbolic links
[1]

A file that holds a perfect container is a file.

$ rm region; pkram init -q --size 128M; mkdir fake; cp good fake/; pkram save -q -n fake fake
$ pkram put -q copy <good; poke region flip new+100 old+100; lists
| NAME KIND SIZE STATE
| copy stream 32.0M fresh
| fake tree 32.0M fresh
! pkram: warning: file:DIR/region: the container's superblocks are damaged; its nodes were found anew
