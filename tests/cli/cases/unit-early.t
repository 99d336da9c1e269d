# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# What an initramfs restores, in two boots of recorded machines, with the jump left to poke.

$ for boot in 1 2; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/sys m$boot/run m$boot/etc/pkram.d
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 208 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ first() { pkram --sysroot m1 "$@"; }; second() { pkram --sysroot m2 "$@"; }
$ id=$(printf %032d 7); echo "quiet pkram.jump=$id" >m2/proc/cmdline

Which files it needs: those of the units that are marked, and can be so.

$ second unit early-files
[3]
$ unit() { printf '%s\n' "${@:2}" >m2/etc/pkram.d/$1.conf; }
$ unit a early=yes "path = $PWD/a"; unit late "path = /srv/late"; unit no early=no path=/srv/no
$ second unit early-files
! pkram: a: early = yes is for paths on the root filesystem: DIR/a lies on the one of /dev, which is mounted later; it is restored when that is there
[3]
$ echo region = $PKRAM_REGION >m2/etc/pkram.conf; unset PKRAM_REGION; second unit early-files
! pkram: a: early = yes is for paths on the root filesystem: DIR/a lies on the one of /dev, which is mounted later; it is restored when that is there
[3]

A mount of the system's own would hide what is mounted before.

$ unit var early=yes path=/variable path=/var/cache/x; unit run early=yes path=/run/x
$ printf '%s\n' '# all' '/dev/sda1 / ext4 rw 0 0' 'none none swap sw 0 0' '/dev/sda2 /var/ ext4 rw 0 2' 'tmpfs /srv/own tmpfs size=1M' >m2/etc/fstab
$ unit own early=yes path=/srv/own; unit disk early=yes path=/var
$ second unit early-files
| /etc/pkram.d/own.conf
| /etc/pkram.conf
! pkram: a: early = yes is for paths on the root filesystem: DIR/a lies on the one of /dev, which is mounted later; it is restored when that is there
! pkram: disk: early = yes is for paths on the root filesystem: /var lies on the one of /var/, which is mounted later; it is restored when that is there
! pkram: run: early = yes is for paths on the root filesystem: /run/x lies on the one of /run, which is mounted later; it is restored when that is there
! pkram: var: early = yes is for paths on the root filesystem: /var/cache/x lies on the one of /var/, which is mounted later; it is restored when that is there
$ mkdir m2/static; mv m2/etc/fstab m2/static/; ln -s /static/fstab m2/etc/fstab; second unit early-files 2>&1 | grep -c 'the one of /var/'
| 2
$ rm m2/etc/fstab; mkfifo m2/etc/fstab; timeout 10 pkram --sysroot m2 unit early-files 2>&1 | grep own
| pkram: own: not restored early: cannot read m2/etc/fstab: Invalid argument
$ rm m2/etc/fstab; cp m2/static/fstab m2/etc/

A policy of SELinux that is loaded later takes the files' labels away.

$ selinux() { printf '%s\n' "$@" >m2/etc/selinux/config; second unit early-files 2>&1 | grep own; }; mkdir m2/etc/selinux
$ selinux '# SELINUX=disabled' SELINUX=permissive SELINUXTYPE=targeted; selinux SELINUXTYPE=disabled; selinux SELINUXTYPE=mls SELINUX=disabled
| pkram: own: not restored early: by m2/etc/selinux/config a policy of SELinux is loaded later, and its files would lose their labels
| pkram: own: not restored early: by m2/etc/selinux/config a policy of SELinux is loaded later, and its files would lose their labels
| /etc/pkram.d/own.conf
$ rm m2/etc/selinux/config; mkdir m2/etc/selinux/config; second unit early-files 2>&1 | grep own; rmdir m2/etc/selinux/config
| pkram: own: not restored early: cannot read m2/etc/selinux/config: Invalid argument

$ rm m2/etc/pkram.d/{var,run,own,disk}.conf; unit bad early=maybe path=/x; unit bad2 early=yes mount=no path=/x
$ second unit early-files
! pkram: a: early = yes is for paths on the root filesystem: DIR/a lies on the one of /dev, which is mounted later; it is restored when that is there
! pkram: /etc/pkram.d/bad.conf:1: early must be yes or no
! pkram: /etc/pkram.d/bad2.conf: early = yes needs a mount, which mount = no forbids
[2]
$ rm m2/etc/pkram.d/bad*.conf

Nothing that another boot has left is restored.

$ PKRAM_REGION=file:$PWD/region; export PKRAM_REGION; first init -q --size 32M; mount -t tmpfs tmpfs /mnt; mkdir /mnt/{a,b}
$ unit a early=yes path=/mnt/a; mount -t tmpfs -o size=4M,mode=711 tmpfs /mnt/a; seq 1000 >/mnt/a/f; sum /mnt/a/f
| 20029     4 /mnt/a/f
$ echo b >/mnt/b/f; first save -q /mnt/a; first save -q /mnt/b; umount /mnt/a; mkdir -p root/mnt
$ second unit early root
! pkram: /mnt/a: was saved for an earlier boot, and is not restored: the machine has not come here by 'pkram kexec'
[3]

What came by the jump is mounted below the root, if nothing there stands in the way; no link is followed.

$ poke region arm $id 00000001000040008000000000000000 5; unit b early=yes path=/mnt/b
$ mkdir root/etc; echo x /mnt ext4 rw 0 0 >root/etc/fstab; second unit early root
! pkram: a: early = yes is for paths on the root filesystem: /mnt/a lies on the one of /mnt, which is mounted later; it is restored when that is there
! pkram: b: early = yes is for paths on the root filesystem: /mnt/b lies on the one of /mnt, which is mounted later; it is restored when that is there
[3]
$ rm root/etc/fstab; mkdir elsewhere; ln -s ../elsewhere root/mnt/a; second unit early root
! pkram: root/mnt/a: is a symbolic link; --force puts the restored one in its place, --to restores elsewhere
! pkram: a: not restored early: pkram@a.service tries it again
! pkram: b: early = yes is for paths that are a tmpfs of their own: its service restores it
[1]
$ ls -A elsewhere; rm root/mnt/a; second unit early root
! pkram: restored 1 node: 2 files, 4.0 KiB in T s, RATE
! pkram: b: early = yes is for paths that are a tmpfs of their own: its service restores it
$ find root -name f; sum root/mnt/a/f; findmnt -n -o FSTYPE,OPTIONS "$PWD/root/mnt/a" | grep -o 'tmpfs\|size=.*k\|mode=.*'
| root/mnt/a/f
| 20029     4 root/mnt/a/f
| tmpfs
| size=4096k
| mode=711

The system has it at its place then, and restores it no second time.

$ second unit early root
! pkram: /mnt/a: was restored in this boot already
! pkram: b: early = yes is for paths that are a tmpfs of their own: its service restores it
$ mount --bind root/mnt/a /mnt/a; umount root/mnt/a; second unit restore a; sum /mnt/a/f
| 20029     4 /mnt/a/f
! pkram: /mnt/a: was restored in this boot already
$ umount /mnt/a; second unit restore a
! pkram: /mnt/a: was restored in this boot already, and nothing is mounted there now: another mount hides it, or somebody has unmounted it
[1]

A node whose block is damaged twice has lost its name, but is not taken for one that never was.

$ poke region flip block:/mnt/a+200 copy:/mnt/a+200; second unit restore a
! pkram: file:DIR/region: /mnt/a: both copies of the node's block are damaged; 'pkram rm' gives its space back
! pkram: a: its service starts without what was saved
[4]

The script that calls it in the initramfs: only after a jump, never in a kdump kernel, and it fails in no case.

$ mount -t tmpfs tmpfs /usr/sbin; printf '#!/bin/sh\necho called "$@"\n' >/usr/sbin/pkram; chmod +x /usr/sbin/pkram
$ : >kmsg; mount --bind kmsg /dev/kmsg; : >cmdline; mount --bind cmdline /proc/cmdline
$ script() { echo "$1" >cmdline; : >kmsg; sh "$CLI_SOURCE/tools/initramfs/restore-early" /root; echo "exit $?"; cat kmsg; }
$ script "quiet xpkram.jump=1 pkram.jump"
| exit 0
$ script "pkram.jump=1 quiet"
| exit 0
| called unit early /root
$ script "quiet elfcorehdr=1G pkram.jump=1"
| exit 0
$ echo 'exit 4' >>/usr/sbin/pkram; script "quiet pkram.jump=1"
| exit 0
| called unit early /root
$ echo 'kill -ALRM $$' >/usr/sbin/pkram; script "quiet pkram.jump=1" 2>/dev/null
| exit 0
| pkram: the early restore was ended: the units try it again
