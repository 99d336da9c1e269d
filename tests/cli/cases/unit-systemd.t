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
