# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# Other processes, other users.

$ pkram init -q --size 32M; mkfifo pipe

A name is written by one at a time; different ones by many; readers are not in the way.

$ started() { until pkram ls -n -o state | grep -q writing; do sleep 0.05; done; } 2>/dev/null
$ pkram put -q one <pipe & exec 9>pipe; started
$ echo x | pkram put one
! pkram: file:DIR/region: one is being written by pid PID; wait for it or end it
[1]
$ echo x | pkram put -q two; pkram get two
| x
$ pkram ls -o name,state | tr -s ' '
| NAME STATE
|  writing
| two restored
$ pkram
| Region     file:DIR/region, 32.0 MiB
| Nodes      0 trees, 1 stream: 12.0 KiB; 27.0 MiB free
| State      1 restored, 1 being written
| Jump       none
| Next step  none: a file: region survives no jump (pkram(8))
$ pkram rm two
$ echo one >&9; exec 9>&-; wait; pkram get one
| one

A dead writer leaves nothing.

$ (exec 9<>pipe; pkram put three <pipe & started; kill -KILL $!; wait $!) 2>/dev/null; pkram ls -n -o name
| one
$ for i in 1 2 3 4 5 6; do seq $i$i$i$i | pkram put -q n$i & done; wait; for i in 1 2 3 4 5 6; do pkram get n$i | cmp - <(seq $i$i$i$i); done

No permission.

$ chmod 755 . ..; chmod 600 region; nobody() { setpriv --reuid 65534 --clear-groups pkram "$@"; }; nobody ls
! pkram: DIR/region: cannot open for reading: Permission denied; run this as root
[1]
$ chmod 644 region; nobody ls -n -o name; nobody get one; nobody info one | grep Name; nobody verify one
| n1
| n2
| n3
| n4
| n5
| n6
| one
| one
| Name        one
! pkram: verified 1 node: 4 bytes in T s, RATE
$ nobody --json | grep read_only
|     "read_only": true,
$ echo x | nobody put one
! pkram: DIR/region: cannot open for writing: Permission denied; run this as root
[1]
$ setpriv --reuid 65534 --clear-groups pkram init --size 8M file:other
! pkram: other: cannot make the file: Permission denied; run this as root
[1]
$ mkdir a; echo x >a/f; chmod 600 a/f; chmod 666 region; setpriv --reuid 65534 --clear-groups pkram save a
! pkram: DIR/a/f: cannot be read: Permission denied; run this as root
[1]

What others cannot see is not said not to be there.

$ mkdir -m 700 closed; touch closed/region; nobody -r file:$PWD/closed/region ls
! pkram: region file:DIR/closed/region: Permission denied; run this as root
[1]
$ pkram save -q a; mkdir -m 777 out; nobody restore -t out; nobody restore --mount=size=1M; nobody save closed; nobody restore -t closed/x
! pkram: f: cannot set the owner: Operation not permitted; run this as root
! pkram: cannot make a tmpfs: Operation not permitted; run this as root
! pkram: DIR/closed: cannot be opened: Permission denied; run this as root
! pkram: closed/x: Permission denied; run this as root
[1]
$ . $CLI_SOURCE/tests/cli/machine.sh; machine crashkernel 48G 8G; (unset PKRAM_REGION; setpriv --reuid 65534 --regid 65534 --clear-groups pkram --sysroot m; pkram --sysroot m | sed "s|$loop|/dev/pmem0|"); machine_end
| Region     pmem:/dev/pmem0, 14.0 MiB
| Nodes      0 trees, 0 streams: 0 bytes; 9.0 MiB free
| Jump       none
| Next step  pkram save PATH
! pkram: no region of this machine holds a container that you may look into; run this as root
