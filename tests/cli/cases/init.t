# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram init
! pkram: DIR/region (from PKRAM_REGION): does not exist; give it a size with --size
[1]
$ pkram init --size 4M
! pkram: DIR/region: 4194304 bytes are too few for a container; it needs 8388608
[1]
$ pkram init --size 7M
! pkram: DIR/region: 7340032 bytes are too few for a container; it needs 8388608
[1]
$ pkram init --size 1x
! pkram: init: --size: '1x' is not a size (digits, then K, M, G or T); see 'pkram init --help'
[2]
$ pkram init --size 0
! pkram: init: --size: '0' is too small (digits, then K, M, G or T); see 'pkram init --help'
[2]
$ pkram init --size 99999999T
! pkram: init: --size: '99999999T' is too large (digits, then K, M, G or T); see 'pkram init --help'
[2]
$ pkram init --size 32M
! pkram: made an empty container in file:DIR/region: 32.0 MiB, 27.0 MiB of it for nodes
$ stat -c %s region
| 33554432
$ (( $(stat -c %b region) * 512 >= 32 << 20 )) || echo blocks are missing

A container is refused, with its nodes named.

$ echo hello | pkram put -q 'a node'
$ pkram init
! pkram: file:DIR/region: holds a container with 1 node: a node; 'pkram init --force' replaces it
[1]
$ pkram init --size 64M
! pkram: file:DIR/region: holds a container with 1 node: a node; 'pkram init --force' replaces it
[1]
$ pkram ls -o name -n
| a node
$ pkram init --force
! pkram: warning: file:DIR/region: replacing a container with 1 node: a node
! pkram: made an empty container in file:DIR/region: 32.0 MiB, 27.0 MiB of it for nodes
$ pkram ls
! pkram: no nodes in file:DIR/region

So is a signature, at either end; random bytes are not.

$ truncate -s 16M image && mkswap -q image && cp image before
$ pkram init file:image
! pkram: file:DIR/image: holds swap; 'pkram init --force' writes over it
[1]
$ pkram init --size 40M file:image
! pkram: file:DIR/image: holds swap; 'pkram init --force' writes over it
[1]
$ cmp image before
$ truncate -s 1M small && mkswap -q small; pkram init --size 40M file:small; stat -c %s small
| 1048576
! pkram: file:DIR/small: holds swap; 'pkram init --force' writes over it
$ truncate -s 16M labels; printf 'NAMESPACE_INDEX\0' | dd of=labels bs=1 seek=$((16256 << 10)) conv=notrunc status=none
$ pkram init file:labels
! pkram: file:DIR/labels: holds NVDIMM namespace labels (ramdax); 'pkram init --force' writes over it
[1]
$ head -c 5000 /dev/zero >tiny && pkram init file:tiny; stat -c %s tiny
| 5000
! pkram: tiny: 5000 bytes are too few for a container; it needs 8388608
$ pkram init --force file:image
! pkram: warning: file:DIR/image: writing over swap
! pkram: made an empty container in file:DIR/image: 16.0 MiB, 11.0 MiB of it for nodes
$ truncate -s 16M text && echo 'dear diary' | dd of=text bs=1 seek=9M conv=notrunc status=none; sha256sum text >sum
$ pkram init file:text
! pkram: text: is not zero, and nothing known; 'pkram init --force' writes over it
[1]
$ echo short >short; pkram init --size 8M file:short; cat short; sha256sum -c sum
| short
| text: OK
! pkram: short: is not zero, and nothing known; 'pkram init --force' writes over it
$ head -c 16M /dev/urandom >noise && pkram init --force file:noise
! pkram: warning: noise: writing over what is in it, which is nothing known
! pkram: made an empty container in file:DIR/noise: 16.0 MiB, 11.0 MiB of it for nodes
$ pkram -r file:noise ls
! pkram: no nodes in file:DIR/noise

A file is not shrunk, and its size is one of whole blocks.

$ pkram init --force --size 8M file:noise
! pkram: warning: file:noise: replacing a container with 0 nodes
! pkram: noise has 16777216 bytes already and is not shrunk to 8388608; remove it first, or give a larger size
[1]
$ truncate -s 9000001 odd; pkram init file:odd; pkram init --size 9000002 file:odd; pkram init --size 9000001 file:odd
! pkram: odd has 9000001 bytes, and a region's size is a multiple of 4096; give it a larger one with --size
! pkram: odd: a region's size is a multiple of 4096, not 9000002
! pkram: odd has 9000001 bytes, and a region's size is a multiple of 4096; give it a larger one with --size
[1]
$ pkram init -q --size 9M file:odd; stat -c %s odd
| 9437184

Which region: an argument, -r, the environment; two that differ are none.

$ pkram init -r file:a file:b
! pkram: init: -r and REGION name two regions; see 'pkram init --help'
[2]
$ pkram init --size 8M file:c -r file:c
! pkram: made an empty container in file:DIR/c: 8.0 MiB, 3.0 MiB of it for nodes
$ pkram init -q --size 8M ./d && pkram -r ./d ls
! pkram: no nodes in file:DIR/d
$ pkram --json init --force ./d
| {
|   "verb": "init",
|   "region": {
|     "spec": "file:DIR/d",
|     "uuid": "UUID",
|     "generation": 2,
|     "phys": 0,
|     "size": 8388608,
|     "payload": 3145728,
|     "free": 3145728,
|     "largest_free": 3145728,
|     "nodes": 0,
|     "writers": 0,
|     "read_only": false,
|     "recovered": false,
|     "jump": "none"
|   }
| }
! pkram: warning: ./d: replacing a container with 0 nodes
$ pkram init ./is/not/here --size 8M
! pkram: ./is/not/here: cannot make the file: No such file or directory
[1]
$ pkram init .
! pkram: . is neither a pmem nor a devdax device, nor a regular file; 'pkram regions' lists what there is
[1]
$ pkram init nonsense:/dev/null
! pkram: region nonsense:/dev/null: no kind of region is called nonsense:, only devdax:, pmem: and file: are
[1]
$ pkram init pem:/dev/pmem0 --size 8M; pkram init FILE:$PWD/d --size 8M; pkram init '' --size 8M; pkram init ./odd:/d --size 8M
! pkram: region pem:/dev/pmem0: no kind of region is called pem:, only devdax:, pmem: and file: are
! pkram: region FILE:DIR/d: no kind of region is called FILE:, only devdax:, pmem: and file: are
! pkram: region "" names no path; 'pkram regions' lists what there is
! pkram: ./odd:/d: cannot make the file: No such file or directory
[1]
$ pkram init devdax:/dev/null
! pkram: /dev/null is not a devdax device; 'pkram regions' lists what there is
[1]
$ pkram init pmem:$PWD/d
! pkram: pmem:DIR/d: DIR/d is not for pmem:, try file:DIR/d
[1]
$ PKRAM_REGION= pkram init
! pkram: say which region: 'pkram init REGION', -r, PKRAM_REGION or 'region =' in /etc/pkram.conf
[2]

What is no region is said to be none, with what lists those that are.

$ mkdir nothing; echo x >small; for r in '' file: nothing small pmem:/dev/null foo:bar; do pkram -r "$r" ls; done
! pkram: region "" names no path; 'pkram regions' lists what there is
! pkram: region "file:" names no path; 'pkram regions' lists what there is
! pkram: nothing is neither a pmem nor a devdax device, nor a regular file; 'pkram regions' lists what there is
! pkram: DIR/small has too few bytes for a region; give it a size with init --size
! pkram: pmem:/dev/null: /dev/null is not for pmem:, try devdax:/dev/null
! pkram: region foo:bar: No such file or directory; 'pkram regions' lists what there is
[1]
