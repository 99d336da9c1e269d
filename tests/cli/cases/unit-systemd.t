# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root (a /run of its own)

On the way into a kexec, by a systemctl that says so.

$ mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system bin t
$ printf '#!/bin/sh\necho 1\n' >bin/systemctl; chmod +x bin/systemctl; PATH=$PWD/bin:$PATH
$ pkram init -q --size 16M; echo 1 >t/a; mkdir u

What starts promises to save, also where there is nothing to restore.

$ pkram unit restore plain "$PWD/t"
! pkram: DIR/t: nothing is saved
[3]
$ pkram unit restore other "$PWD/u"
! pkram: DIR/u: nothing is saved
[3]
$ ls /run/pkram/units
| other
| plain

What cannot be saved stays promised; what is saved does not.

$ exec 8>>t/a
$ pkram unit save plain "$PWD/t" >out 2>&1; echo $?
| 1
$ pkram unit save -q other "$PWD/u"
$ ls /run/pkram/units
| plain
$ exec 8>&-
$ pkram unit save -q plain "$PWD/t"
$ ls /run/pkram/units
$ pkram ls -n -o name | wc -l
| 2
$ pkram unit restore other "$PWD/u"; rm /run/pkram/units/other
! pkram: DIR/u: was saved in this boot, and did not come by a jump
$ pkram unit arm
! pkram: the kernel that is loaded was not staged by 'pkram kexec': the next boot restores nothing
[1]

Where systemd cannot be asked, the machine may be on its way.

$ printf '#!/bin/sh\necho no bus\nexit 1\n' >bin/deaf; chmod +x bin/deaf; mv bin/systemctl bin/kept; mv bin/deaf bin/systemctl
$ pkram unit save plain "$PWD/t"
! pkram: DIR/bin/systemctl show failed (1): no bus
! pkram: saved 1 node: 2 files, 12.0 KiB in T s, RATE
$ pkram unit arm
! pkram: DIR/bin/systemctl show failed (1): no bus
! pkram: the kernel that is loaded was not staged by 'pkram kexec': the next boot restores nothing
[1]
$ mv bin/kept bin/systemctl

What is gone when a unit saves does not come back as it was earlier in this boot; should it, the jump is not armed.

$ mkdir -p set/etc/pkram.d set/proc/sys/kernel/random set/run/systemd/system w
$ cp /proc/sys/kernel/random/boot_id set/proc/sys/kernel/random/; ln -s /proc/self /proc/meminfo set/proc/
$ printf 'path = %s\n' "$PWD/t" "$PWD/w" "$PWD/v" >set/etc/pkram.d/x.conf; unit() { pkram --sysroot set unit "$@" x; }
$ unit restore -q; unit save -q; rmdir w; unit save
! pkram: DIR/w: is not there, and not saved
! pkram: DIR/v: is not there, and not saved
! pkram: saved 1 node: 2 files, 12.0 KiB in T s, RATE
! pkram: DIR/w: what was saved of it earlier in this boot is removed
$ unit restore -q; mv t moved; PKRAM_REGION=file:none unit save -q; ls set/run/pkram/units
| x
! pkram: region file:none (from PKRAM_REGION): No such file or directory; 'pkram init --size N' makes it
$ unit save -q; echo $?; ls set/run/pkram/units; mv moved t; pkram ls -n -o name; pkram save -q t
| 3
| DIR/u

A path that is another by way of a link is warned of: systemd does not know what to keep mounted for it.

$ ln -s t link; mkdir t/sub; for path in link link/sub t/sub; do pkram unit restore links "$PWD/$path"; done; rm -r t/sub /run/pkram/units/links
! pkram: DIR/link: nothing is saved
! pkram: DIR/link: a link leads to DIR/t, which systemd may unmount before it is saved: name that instead
! pkram: DIR/link/sub: nothing is saved
! pkram: DIR/link/sub: a link leads to DIR/t/sub, which systemd may unmount before it is saved: name that instead
! pkram: DIR/t/sub: nothing is saved
What stands in the way of the list of units keeps the jump from being armed, and is named.

$ rm -r /run/pkram/units; touch /run/pkram/units; pkram unit restore plain "$PWD/t"
! pkram: DIR/t: was saved in this boot, and did not come by a jump
! pkram: /run/pkram: Not a directory
[1]
$ pkram check 2>&1 | head -n 1
| pkram: /run/pkram/units: Not a directory

The drop-ins are written whole, or it is said.

$ mkdir -p m/etc none full; mount -t tmpfs -o size=4k full full; head -c 4k /dev/zero >full/z; touch m/etc/pkram.d
$ pkram --sysroot "$PWD/m" unit generate none
! pkram: DIR/m/etc/pkram.d: Not a directory
[1]
$ rm m/etc/pkram.d; mkdir m/etc/pkram.d; printf 'path = /a\nservice = x.service\n' >m/etc/pkram.d/x.conf
$ pkram --sysroot "$PWD/m" unit generate full; umount full
! pkram: x: cannot write its drop-ins: No space left on device

Options of a mount are what the kernel takes, as it says when the file is read, and not first at the restore.

$ mkdir -p m/etc/pkram.d dir
$ for options in size=1X bogus 'size=1M,nosuid=7' huge=maybe 'mpol=bind:0,z' no,size=1M 'size = 1M'; do
>   printf 'path = /a\nmount = %s\n' "$options" >m/etc/pkram.d/x.conf; pkram --sysroot m unit generate dir; echo $?
> done
| 2
| 2
| 2
| 2
| 2
| 2
| 2
! pkram: /etc/pkram.d/x.conf:2: mount: cannot make a tmpfs with the option size: Invalid argument: tmpfs: Bad value for 'size'
! pkram: /etc/pkram.d/x.conf:2: mount: cannot make a tmpfs with the option bogus: Invalid argument: tmpfs: Unknown parameter 'bogus'
! pkram: /etc/pkram.d/x.conf:2: mount: cannot make a tmpfs with the option nosuid: Invalid argument: tmpfs: Unknown parameter 'nosuid'
! pkram: /etc/pkram.d/x.conf:2: mount must be options of a tmpfs: huge= is one of always, within_size, advise and never
! pkram: /etc/pkram.d/x.conf:2: mount: cannot make a tmpfs with the option z: Invalid argument: tmpfs: Unknown parameter 'z'
! pkram: /etc/pkram.d/x.conf:2: mount: cannot make a tmpfs with the option no: Invalid argument: tmpfs: Unknown parameter 'no'
! pkram: /etc/pkram.d/x.conf:2: mount: cannot make a tmpfs with the option size : Invalid argument: tmpfs: Unknown parameter 'size '
$ ls dir
$ printf 'path = /a\nmount = size=1M,nosuid,mode=750,mpol=bind:0,0,huge=never\n' >m/etc/pkram.d/x.conf; pkram --sysroot m unit generate dir; ls dir
| pkram@x.service.d
$ printf 'path = /a\n\nmount = bogus\n' >m/etc/pkram.d/x.conf; for what in 'restore x' 'save x' 'early /' early-files; do pkram --sysroot m unit $what; echo $?; done
| 2
| 2
| 2
| 2
! pkram: /etc/pkram.d/x.conf:3: mount: cannot make a tmpfs with the option bogus: Invalid argument: tmpfs: Unknown parameter 'bogus'
! pkram: /etc/pkram.d/x.conf:3: mount: cannot make a tmpfs with the option bogus: Invalid argument: tmpfs: Unknown parameter 'bogus'
! pkram: /etc/pkram.d/x.conf:3: mount: cannot make a tmpfs with the option bogus: Invalid argument: tmpfs: Unknown parameter 'bogus'
! pkram: /etc/pkram.d/x.conf:3: mount: cannot make a tmpfs with the option bogus: Invalid argument: tmpfs: Unknown parameter 'bogus'
