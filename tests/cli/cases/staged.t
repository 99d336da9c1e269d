# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# A jump staged on a recorded machine with two regions, by programs that only pretend.

$ . $CLI_SOURCE/tests/cli/machine.sh; unset PKRAM_REGION; mkdir bin tree
$ printf '#!/bin/sh\ncase $* in *-u*) echo 0;; *) echo 1;; esac >%s/m/sys/kernel/kexec_loaded\n' "$PWD" >bin/kexec
$ printf '#!/bin/sh\necho 1\n' >bin/systemctl; chmod +x bin/*; PATH=$PWD/bin:$PATH
$ machine crashkernel 48G 4G && machine_more 52G 4G && kernel 6.1.0-41-amd64 nd_e820 nd_pmem && reserve 'memmap=4G!48G,4G!52G'; ln -s /proc/meminfo m/proc/
! ln: failed to create symbolic link 'm/proc/meminfo': File exists
[1]
$ pmem() { "$@" 2>&1 | sed "s|$loop|/dev/pmem0|g; s|$loop1|/dev/pmem1|g"; return ${PIPESTATUS[0]}; }
$ units() { pmem pkram --sysroot m -r $loop check | grep -A1 '^units'; }

What a unit is to save, and is still writing, goes to a region of its own. Where that has no container, or is none, nothing could be saved in the end.

$ mkdir -p m/etc/pkram.d m/run; echo 1 >tree/a
$ unit() { printf 'path = %s\nregion = %s\n' "$PWD/tree" "$1" >m/etc/pkram.d/x.conf; pmem pkram --sysroot m unit restore -q x; }
$ unit $loop1; units
| pkram: /dev/pmem1: no container here; 'pkram init' makes one
| units        fails   DIR/tree: is to be saved into /dev/pmem1, which holds no container
|                        -> pkram init /dev/pmem1
$ unit file:$PWD/region; units
| pkram: region file:DIR/region: No such file or directory; 'pkram init --size N' makes it
| units        fails   DIR/tree: is to be saved into file:DIR/region, a file, which does not survive the jump
|                        -> name reserved memory in the unit's file in /etc/pkram.d
$ unit $loop1; pmem pkram --sysroot m -r $loop1 init; pmem pkram --sysroot m kexec --load-only
| pkram: /dev/pmem1: no container here; 'pkram init' makes one
| pkram: made an empty container in pmem:/dev/pmem1: 14.0 MiB, 9.0 MiB of it for nodes
| pkram: both pmem:/dev/pmem0 and pmem:/dev/pmem1 hold a container; say which with -r, PKRAM_REGION or 'region =' in /etc/pkram.conf
[1]
$ exec 8>>tree/a; units; exec 8>&-
| units        ok      pmem:/dev/pmem1: 20480 bytes will be saved by units, with room for 9437184
| content      ok      0 bytes are what was saved

Where units save, there is nothing else to do before the jump.

$ pmem pkram --sysroot m -r $loop | tail -n 1; mv m/run/pkram m/run/not; pmem pkram --sysroot m -r $loop | tail -n 1; mv m/run/not m/run/pkram
| Next step  pkram kexec
| Next step  pkram save PATH

A unit that has a file and does not run saves nothing.

$ cp m/etc/pkram.d/x.conf m/etc/pkram.d/idle.conf; units; pmem pkram --sysroot m -r $loop check --json | grep -A9 '"units"' | grep 'result\|idle\|remedy'; rm m/etc/pkram.d/idle.conf
| units        warning pkram@idle.service does not run: what it is to keep will not be saved
|                        -> systemctl start pkram@idle.service
|       "result": "warning",
|           "result": "warning",
|           "reason": "pkram@idle.service does not run: what it is to keep will not be saved",
|           "remedy": "systemctl start pkram@idle.service"
|           "result": "ok",

The one jump is staged in both, and whoever arms it knows from where; the next kernel is loaded anew.

$ echo 2 >tree/a; head -c 20M /dev/zero >tree/large; units
| units        fails   pmem:/dev/pmem1: no room for what units will save: needs 20992000 bytes now, 9437184 are free, and 0 in the older nodes of that name
|                        -> remove others with 'pkram rm', or name a larger region in /etc/pkram.d
$ rm tree/large; pmem pkram --sysroot m -r $loop kexec --load-only
| pkram: running kernel unknown, next kernel 6.1.0-41-amd64 (/boot/vmlinuz-6.1.0-41-amd64, initrd /boot/initrd.img-6.1.0-41-amd64)
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
| pkram: the jump is staged: 'pkram kexec' goes, 'pkram kexec --cancel' does not
$ mkdir -p m/run/systemd/system; pmem pkram --sysroot m unit arm
| pkram: DIR/tree: its unit did not save it
| pkram: the jump is not safe any more: its kernel is unloaded, and the next boot is a cold one, which restores nothing
[1]
$ cat m/sys/kernel/kexec_loaded; pmem pkram --sysroot m -r $loop kexec --load-only
| 0
| pkram: running kernel unknown, next kernel 6.1.0-41-amd64 (/boot/vmlinuz-6.1.0-41-amd64, initrd /boot/initrd.img-6.1.0-41-amd64)
| pkram: warning: systemd has no systemd-kexec.service: use 'pkram kexec --no-systemd' once services are stopped
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
| pkram: the jump is staged: 'pkram kexec' goes, 'pkram kexec --cancel' does not
$ pmem pkram --sysroot m unit save -q x; pmem pkram --sysroot m unit arm
| pkram: running kernel unknown, next kernel 6.1.0-41-amd64 (/boot/vmlinuz-6.1.0-41-amd64, initrd /boot/initrd.img-6.1.0-41-amd64)
| pkram: pmem:/dev/pmem1: tree DIR/tree, saved AGE
| pkram: warning: systemd has no systemd-kexec.service: use 'pkram kexec --no-systemd' once services are stopped
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
| pkram: another kernel is loaded: unloading it
| pkram: the jump is armed
$ for l in $loop $loop1; do pkram --sysroot m -r $l --json | grep '"jump"'; done
|     "jump": "armed",
|     "jump": "armed",

Then no filesystem need be there any more but the root's: of a kernel that lies on another one, a copy is kept.

$ mv m/boot b; mkdir m/boot; mount -t tmpfs -o size=1M boot m/boot; cp -p b/* m/boot/; pmem pkram --sysroot m -r $loop kexec -q --load-only 2>/dev/null
| pkram: warning: pkram@x.service does not run: what it is to keep will not be saved: systemctl start pkram@x.service
| pkram: warning: systemd has no systemd-kexec.service: use 'pkram kexec --no-systemd' once services are stopped
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
$ ls m/run/pkram; cmp m/run/pkram/kernel b/vmlinuz-*; cmp m/run/pkram/initrd b/initrd*; umount m/boot; pmem pkram --sysroot m unit arm
| initrd
| kernel
| staged
| units
| pkram: running kernel unknown, next kernel 6.1.0-41-amd64 (/run/pkram/kernel, initrd /run/pkram/initrd)
| pkram: pmem:/dev/pmem1: tree DIR/tree, saved AGE
| pkram: warning: systemd has no systemd-kexec.service: use 'pkram kexec --no-systemd' once services are stopped
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
| pkram: another kernel is loaded: unloading it
| pkram: the jump is armed
$ pmem pkram --sysroot m unit arm 2>&1 | tail -n 1; cp -p b/* m/boot/
| pkram: the jump is armed

It is taken back from any region.

$ pkram -r file:region init -q --size 8M; pkram --sysroot m -r file:region kexec --cancel; cat m/sys/kernel/kexec_loaded
| 0
! pkram: no jump is staged any more
$ for l in $loop $loop1; do pkram --sysroot m -r $l --json | grep '"jump"'; done; ls m/run/pkram
|     "jump": "none"
|     "jump": "none"
| units
$ echo 1 >m/sys/kernel/kexec_loaded; pmem pkram --sysroot m unit arm
| pkram: the kernel that is loaded was not staged by 'pkram kexec': the next boot restores nothing
[1]

What cannot be armed is not left loaded: the region cannot be opened, or holds no container any more, or nothing tells which it is.

$ stage() { rm -rf m/run/systemd; pmem pkram --sysroot m -r $loop kexec -q --load-only >out 2>&1; cat m/sys/kernel/kexec_loaded; mkdir -p m/run/systemd/system; }
$ give_up() { pmem pkram --sysroot m unit arm; code=$?; cat m/sys/kernel/kexec_loaded; ls m/run/pkram; return $code; }
$ echo 0 >m/sys/kernel/kexec_loaded; stage; sed -i 's|^pmem:.*|file:gone|' m/run/pkram/staged; give_up
| 1
| pkram: region file:gone: No such file or directory; 'pkram init --size N' makes it
| pkram: the jump is not safe any more: its kernel is unloaded, and the next boot is a cold one, which restores nothing
| 0
| units
[1]
$ cp bytes kept; stage; dd if=/dev/zero of=$loop bs=1M count=8 conv=fsync status=none; give_up
| 1
| pkram: pmem:/dev/pmem0: no container here; 'pkram init' makes one
| pkram: the jump is not safe any more: its kernel is unloaded, and the next boot is a cold one, which restores nothing
| 0
| units
[1]
$ dd if=kept of=$loop conv=fsync status=none; stage; echo bad >m/run/pkram/staged; give_up
| 1
| pkram: /run/pkram/staged does not tell with what the jump was staged: 'pkram kexec --cancel', and stage it again
| pkram: the jump is not safe any more: its kernel is unloaded, and the next boot is a cold one, which restores nothing
| 0
| units
[1]
$ stage; printf '#!/bin/sh\necho no; exit 1\n' >bin/no; cp bin/kexec bin/yes; cp bin/no bin/kexec; sed -i 's|^pmem:.*|file:gone|' m/run/pkram/staged; give_up
| 1
| pkram: region file:gone: No such file or directory; 'pkram init --size N' makes it
| pkram: DIR/bin/kexec -s failed (1): no
| pkram: the jump is not armed, and its kernel cannot be unloaded: the next boot restores nothing
| 1
| staged
| units
[1]
$ cp bin/yes bin/kexec; pmem pkram --sysroot m -r $loop kexec --cancel; cat m/sys/kernel/kexec_loaded; echo 1 >m/sys/kernel/kexec_loaded
| pkram: no jump is staged any more
| 0

Whoever opens one region in the next kernel has arrived in all of them: a kexec by hand with the same line makes nothing fresh.

$ echo 3 >tree/a; rm -r m/run/systemd; echo one | pkram --sysroot m -r $loop put -q one; pkram --sysroot m unit restore -q x
[3]
$ pmem pkram --sysroot m -r $loop kexec -q --load-only; mkdir -p m/run/systemd/system; pmem pkram --sysroot m unit save -q x; pmem pkram --sysroot m unit arm -q
| pkram: warning: a kernel is loaded that pkram has not staged: its command line is not known, and rebooting may start it: 'pkram kexec' loads its own in its place; 'kexec -s -u' unloads it
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
| pkram: warning: systemd has no systemd-kexec.service: use 'pkram kexec --no-systemd' once services are stopped
| pkram: warning: cannot tell which command line the boot loader gives to the next kernel: see to it that the boot loader gives it the memmap= words
$ boot() { echo "0000000$1-0000-4000-8000-000000000000" >m/proc/sys/kernel/random/boot_id; echo 208 >m/proc/sys/kernel/bootloader_type; }
$ sed -i "s/\$/ pkram.jump=$(head -n 1 m/run/pkram/staged)/" m/proc/cmdline; echo 0 >m/sys/kernel/kexec_loaded; rm m/run/pkram/staged
$ states() { for l in $loop $loop1; do pkram --sysroot m -r $l ls -n -o name,state | tr -s ' '; done; }
$ cp bytes armed; cp bytes1 armed1; boot 2; pkram --sysroot m -r $loop ls -n -o state; boot 3; states
| fresh
| one stale
| DIR/tree stale
$ dd if=armed of=$loop conv=fsync status=none; dd if=armed1 of=$loop1 conv=fsync status=none; boot 2; states
| one fresh
| DIR/tree fresh

Who arms it reads what was restored once more. Told to end while it does, it gives up.

$ rm -r tree; pkram --sysroot m -r $loop1 restore -q "$PWD/tree"; stage; printf '#!/bin/sh\nkill $PPID; echo 1\n' >bin/systemctl; give_up
| 1
| pkram: running kernel unknown, next kernel 6.1.0-41-amd64 (/boot/vmlinuz-6.1.0-41-amd64, initrd /boot/initrd.img-6.1.0-41-amd64)
| pkram: warning: pmem:/dev/pmem0: stream one, saved AGE, came by the last jump and is not restored yet: after this one only --stale serves it: restore it first, or save it again
| pkram: pmem:/dev/pmem1: tree DIR/tree, saved AGE by an earlier boot: stale
| pkram: the jump is not safe any more: its kernel is unloaded, and the next boot is a cold one, which restores nothing
| pkram: interrupted; what was not finished is dropped
| 0
| units
[1]
$ machine_end
