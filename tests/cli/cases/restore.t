# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root

$ pkram init -q --size 32M
$ pkram restore
! pkram: nothing to restore
[3]
$ mkdir a b; seq 1000 >a/f; ln a/f a/h; ln -s nowhere a/l; mkfifo a/p; echo two >b/g; chmod 2750 b
$ tar c a b | tar d && tar c --sort=name --mtime=@1 a b | sha256sum >before
$ pkram save -q a b; pkram save -q -n named a; echo stream | pkram put -q stream

A target that is there and not empty is refused; nothing of a set appears then.

$ pkram restore
! pkram: DIR/a: left alone: named has the same path and is newer
! pkram: DIR/a: is not empty; --force puts the restored one in its place, --to restores elsewhere
[1]
$ rm -r a; pkram restore $PWD/a $PWD/b
! pkram: DIR/b: is not empty; --force puts the restored one in its place, --to restores elsewhere
[1]
$ ls -d a
! ls: cannot access 'a': No such file or directory
[2]
$ rm -r b; pkram restore $PWD/a $PWD/b
! pkram: restored 2 nodes: 6 files, 8.0 KiB in T s, RATE
$ tar c --sort=name --mtime=@1 a b | sha256sum | cmp - before
$ echo changed >a/f; pkram restore --force $PWD/a && tar c --sort=name --mtime=@1 a b | sha256sum | cmp - before
! pkram: restored 1 node: 4 files, 4.0 KiB in T s, RATE
$ pkram ls -n -o name,state | tr -s ' '
| DIR/a restored
| DIR/b restored
| named fresh
| stream fresh

Elsewhere; to a directory that is not there.

$ pkram restore --to to named
! pkram: restored 1 node: 4 files, 4.0 KiB in T s, RATE
$ find to -type f | wc -l; diff -r --no-dereference to$PWD/a a 2>&1 | grep -v fifo
| 2
[1]
$ pkram restore --json --to other $PWD/b
| {
|   "verb": "restore",
|   "nodes": 1,
|   "files": 2,
|   "bytes": 4096,
|   "seconds": T,
|   "gb_per_s": R,
|   "threads": N,
|   "small_page_bytes": 0
| }

Once; by name; what is no tree.

$ rm -r to; pkram restore --once --to to
! pkram: nothing to restore
[3]
$ pkram restore nothing
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
[1]
$ pkram restore stream
! pkram: stream: is a stream, not a tree; use 'pkram get'
[1]
$ pkram restore --to a/f named
! pkram: a/f: Not a directory
[1]
$ pkram restore --to '' named
! pkram: restore: --to: an empty word is no directory; see 'pkram restore --help'
[2]
$ pkram restore --to to named $PWD/a
! pkram: named and DIR/a would both appear at toDIR/a; name one of them
[1]

A file.

$ echo one >single; chmod 640 single; pkram save -q single; rm single; pkram restore -q $PWD/single && stat -c '%a %s' single
| 640 4
$ pkram restore -q $PWD/single
! pkram: DIR/single: is there already; --force puts the restored one in its place, --to restores elsewhere
[1]
$ pkram restore -q --force $PWD/single

What is there is called what it is.

$ ln -s m link; mkdir x; echo 1 >x/1; pkram save -q -n x x; rm -r x; ln -s m x; pkram restore x
! pkram: DIR/x: is a symbolic link; --force puts the restored one in its place, --to restores elsewhere
[1]
$ rm x link; touch x; pkram restore x
! pkram: DIR/x: is there already; --force puts the restored one in its place, --to restores elsewhere
[1]
$ rm x; pkram rm x

A tree that comes with the one around it is restored, too.

$ mkdir -p out/in; echo 1 >out/1; echo 2 >out/in/2; pkram save -q out out/in; rm -r out
$ pkram restore --once $PWD/out $PWD/out/in
! pkram: DIR/out/in: left alone: it came with DIR/out
! pkram: restored 1 node: 4 files, 8.0 KiB in T s, RATE
$ pkram restore --once $PWD/out $PWD/out/in
! pkram: DIR/out: restored in this boot already
! pkram: DIR/out/in: restored in this boot already
! pkram: nothing to restore
[3]
$ pkram ls -n -o name,state | tr -s ' ' | grep out
| DIR/out restored
| DIR/out/in restored
$ touch -d @981158400 out; pkram save -q out; echo newer >out/in/2; pkram save -q out/in; rm -r out
$ pkram restore $PWD/out $PWD/out/in; cat out/in/2; stat -c %Y out
| newer
| 981158400
! pkram: restored 2 nodes: 6 files, 12.0 KiB in T s, RATE
$ mount --bind out/1 out/in/2; pkram save -q out/in/2; umount out/in/2; rm out/in/2; pkram restore -q $PWD/out/in/2; cat out/in/2
| 1
$ pkram rm $PWD/out $PWD/out/in $PWD/out/in/2

So is the older one of two for one place.

$ mkdir v; echo 1 >v/1; pkram init -q --size 16M file:two; pkram -r file:two save -q -n v1 v; pkram -r file:two save -q -n v2 v; rm -r v
$ pkram -r file:two restore --once
! pkram: v1: left alone: v2 has the same path and is newer
! pkram: restored 1 node: 2 files, 4.0 KiB in T s, RATE
$ pkram -r file:two restore --once
! pkram: nothing to restore
[3]
$ rm -r v two

What can go nowhere does not hold up the others.

$ mkdir z; echo z >z/1; pkram save -q -n z z; pkram get z | pkram put -q --tree ../evil; pkram restore --to to2 ../evil
! pkram: ../evil: its path has '..': ../evil
[4]
$ mkdir r3; cp region r3/; pkram -r file:r3/region rm $(pkram ls -n -o name | grep -v -e evil -e '^z$'); pkram -r file:r3/region restore --to to2
! pkram: ../evil: its path has '..': ../evil
! pkram: restored 1 node: 2 files, 4.0 KiB in T s, RATE
[4]
$ cat to2$PWD/z/1; rm -r z to2 r3; pkram rm z ../evil
| z

From a region that can only be read, without a note of it.

$ mkdir y ro; echo 1 >y/1; pkram save -q -n y y; mount -t tmpfs none ro; cp region ro/; mount -o remount,ro ro
$ rm -r y; pkram restore -q -r ro/region y; cat y/1; pkram restore --once -r ro/region --to z y
| 1
! pkram: DIR/ro/region: cannot open for writing: Read-only file system
[1]
$ umount ro; rm -r y ro; pkram rm y

A mount comes back as one, with its options.

$ mkdir m; mount -t tmpfs -o size=3M,nosuid,nodev,noexec,mode=1770 none m; echo x >m/x; pkram save -q m
$ umount m; pkram restore -q --mount $PWD/m; findmnt -no FSTYPE,OPTIONS m | sed s/,inode64// | tr -s ' '; cat m/x
| tmpfs rw,nosuid,nodev,noexec,relatime,size=3072k,mode=1770
| x
$ pkram restore -q --force $PWD/m; findmnt -no FSTYPE m; umount m; ls m
| tmpfs

Its options can be overridden: the kernel says what it does not take.

$ pkram restore -q --mount=size=1M,exec $PWD/m; findmnt -no FSTYPE,OPTIONS m | sed s/,inode64// | tr -s ' '; umount m
| tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=1770
$ pkram restore -q --mount=huge=maybe $PWD/m
! pkram: restore: --mount: 'huge=maybe': huge= is one of always, within_size, advise and never; see 'pkram restore --help'
[2]
$ pkram restore -q --mount= $PWD/m
! pkram: restore: --mount: an empty word is no option of a mount; see 'pkram restore --help'
[2]
$ pkram restore -q --mount huge=never
! pkram: restore: no node named huge=never; as a value of --mount it is written --mount=huge=never; see 'pkram restore --help'
[2]
$ pkram restore -q --mount=bogus=1 $PWD/m
! pkram: restore: --mount: cannot make a tmpfs with the option bogus: Invalid argument: tmpfs: Unknown parameter 'bogus'
[2]
$ pkram restore -q --mount=size=huge $PWD/m
! pkram: restore: --mount: cannot make a tmpfs with the option size: Invalid argument: tmpfs: Bad value for 'size'
[2]
$ pkram restore -q --force --mount=size=1M --to to $PWD/b
! pkram: warning: the options of --mount were not used: no tree was restored to a tmpfs of its own
$ ls m; rm -r to

Room is looked at before anything is written.

$ head -c 5M /dev/urandom >large; pkram save -q -n large large; mount -t tmpfs -o size=3M none m
$ pkram restore --to m large
! pkram: mDIR/large: the tree needs 5.0 MiB, its filesystem has 3.0 MiB; mount -o remount,size=... enlarges it
[1]
$ find m; umount m
| m
$ mount -t tmpfs -o size=9M none m; cp large m/f; pkram save -q -n mounted m; umount m
$ pkram restore --mount=size=3M mounted
! pkram: DIR/m: the tree needs 5.0 MiB, its filesystem has 3.0 MiB; --mount=size=... makes it larger
[1]
$ pkram restore -q --mount=noatime,defaults,diratime mounted && findmnt -no OPTIONS m | grep -o noatime; umount m
| noatime
$ pkram restore --mount=nr_inodes=1 mounted
! pkram: DIR/m: the tree needs 2 inodes, its filesystem has 0; --mount=nr_inodes=... allows more
[1]
$ pkram rm mounted

Damage: nothing appears; what is intact is salvaged.

$ mkdir d; seq 100 >d/small; head -c 3M /dev/urandom >d/large; pkram save -q -n d d
$ poke region flip data:d+2500000; pkram restore --to to d
! pkram: d: damaged: 1048576 bytes at 2105344 (region offset 0xe00000)
! pkram: d: damaged: large
! pkram: d: not restored; --salvage takes what is intact
[4]
$ ls to$PWD/d
! ls: cannot access 'toDIR/d': No such file or directory
[2]
$ pkram restore --salvage --to to d
! pkram: warning: large: damaged, left out
! pkram: d: damaged: 1048576 bytes at 2105344 (region offset 0xe00000)
! pkram: d: damaged: large
! pkram: restored 1 node: 2 files, 2.0 MiB in T s, RATE
[4]
$ ls to$PWD/d; pkram ls -n -o name,state | tr -s ' ' | grep '^d '
| small
| d fresh
$ rm -r to; pkram restore --once --salvage --to to d 2>/dev/null
[4]

A single file that is damaged does not hold up the others.

$ rm -r to; for i in f1 f2 f3; do echo $i >$i; pkram save -q -n $i $i; done; poke region flip data:f2+8192
$ pkram restore --salvage --to to f1 f2 f3
! pkram: warning: f2: damaged, left out
! pkram: f2: damaged: 4096 bytes at 8192 (region offset 0xf02000)
! pkram: f2: damaged: f2
! pkram: restored 2 nodes: 4 files, 8.0 KiB in T s, RATE
[4]
$ ls to$PWD; pkram ls -n -o name,state | tr -s ' ' | grep '^f'
| f1
| f3
| f1 restored
| f2 fresh
| f3 restored
$ pkram rm f1 f2 f3; rm -r f1 f2 f3 to

A node of which nothing can be told does not hold up the others.

$ pkram rm -q d large; rm -rf to; poke region flip block:named+20 copy:named+20; rm -r a b single
$ pkram restore
! pkram: node 3: both copies of its block are damaged: left out, whatever it was
! pkram: restored 4 nodes: 10 files, 16.0 KiB in T s, RATE
[4]
