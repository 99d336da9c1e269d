# SPDX-License-Identifier: LGPL-2.1-or-later
# Setting the word in the boot loader, and taking it away again.

A machine with GRUB, whose update-grub reads what the real one does.

$ mkdir m && cp -r $CLI_SOURCE/tests/sysroot/small-*/. m && mkdir -p m/bin m/boot/grub
$ cat >m/bin/update-grub <<'END'
> #!/bin/sh
> ulimit -Sn >seen; yes 2>>seen | head -n 1 >>seen
> m=${0%/bin/*}
> [ -e $m/fail ] && { echo "error: no room for grub.cfg" >&2; exit 1; }
> . $m/etc/default/grub
> for f in $m/etc/default/grub.d/*.cfg; do if [ -e "$f" ]; then . "$f"; fi; done
> [ -e $m/deaf ] && GRUB_CMDLINE_LINUX=
> echo "	linux /vmlinuz root=x ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" >$m/boot/grub/grub.cfg
> END
$ chmod +x m/bin/update-grub; PATH=$PWD/m/bin:$PATH; update-grub; cp -r m before
$ changed() { diff -r before m; }

Nothing is changed without an answer.

$ pkram plan --sysroot m --apply 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
! pkram: nothing was changed: there is no terminal to ask on; --yes does it
[3]
$ pkram plan --sysroot m --apply 256M --json
| {
|   "verb": "plan",
|   "kind": "pmem",
|   "fits": true,
|   "wanted": 268435456,
|   "size": 268435456,
|   "ram": 2146937856,
|   "start": 1073741824,
|   "node": 0,
|   "pages": 4194304,
|   "left": 1874308096,
|   "fixed_kernel": false,
|   "word": "memmap=256M!1G",
|   "command_line": "root=PARTUUID=UUID ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0 memmap=256M!1G",
|   "config": "/etc/default/grub.d/50-pkram.cfg",
|   "config_word": "memmap=256M!1G",
|   "diff": "--- /dev/null\u000a+++ /etc/default/grub.d/50-pkram.cfg\u000a@@ -0,0 +1,2 @@\u000a+# pkram plan: memmap=256M!1G\u000a+GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX memmap=256M!1G\"\u000a",
|   "commands": "update-grub\u000a",
|   "changed": false
| }
! pkram: nothing was changed: --json asks nobody; --yes does it
[3]
$ changed
$ pkram plan --sysroot m --apply --yes 2G
! pkram: no usable range of the firmware's map is that large: the largest that fits is 752 MiB
[1]
$ changed

It is set and taken away; what was there stays as it was, byte for byte.

$ ulimit -Sn 256
$ pkram plan --sysroot m --apply --yes 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=256M!1G is on its line: look before you boot it
! pkram: done; it counts from the next boot on
$ cat seen	# the limits and signals of a script are those of who called pkram
| 256
| y
$ cat m/etc/default/grub.d/50-pkram.cfg
| # pkram plan: memmap=256M!1G
| GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
$ cat m/boot/grub/grub.cfg
| 	linux /vmlinuz root=x ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0 memmap=256M!1G 
$ stat -c %a m/etc/default/grub.d/50-pkram.cfg
| 644
$ pkram plan --sysroot m 64M -q
| Region     64.0 MiB from 0x50000000 on (1.3 GiB), memory node 0
| Word       memmap=64M!1280M
| Cost       1.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
$ pkram plan --sysroot m --apply --yes 64M
| Region     64.0 MiB from 0x50000000 on (1.3 GiB), memory node 0
| Word       memmap=64M!1280M
| Cost       1.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /etc/default/grub.d/50-pkram.cfg
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -1,2 +1,4 @@
|  # pkram plan: memmap=256M!1G
|  GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| +# pkram plan: memmap=64M!1280M
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=64M!1280M"
| $ update-grub
! pkram: memmap=256M!1G is set for the next boot already, and stays
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=64M!1280M is on its line: look before you boot it
! pkram: done; it counts from the next boot on
$ pkram plan --sysroot m --remove
| --- /etc/default/grub.d/50-pkram.cfg
| +++ /dev/null
| @@ -1,4 +0,0 @@
| -# pkram plan: memmap=256M!1G
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| -# pkram plan: memmap=64M!1280M
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=64M!1280M"
| $ update-grub
! pkram: nothing was changed: there is no terminal to ask on; --yes does it
[3]
$ pkram plan --sysroot m --remove --yes
| --- /etc/default/grub.d/50-pkram.cfg
| +++ /dev/null
| @@ -1,4 +0,0 @@
| -# pkram plan: memmap=256M!1G
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| -# pkram plan: memmap=64M!1280M
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=64M!1280M"
| $ update-grub
! pkram: done; it counts from the next boot on
$ changed
$ pkram plan --sysroot m --remove --yes
! pkram: nothing was set by pkram plan: nothing to take away
[3]

On a terminal the answer counts.

$ answer() { script -qec "pkram plan --sysroot m --apply 256M" out >out <<<$1; }
$ answer n
[3]
$ changed
$ answer ''
[3]
$ changed
$ answer y
$ changed
| diff -r before/boot/grub/grub.cfg m/boot/grub/grub.cfg
| 1c1
| < 	linux /vmlinuz root=x ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0 
| ---
| > 	linux /vmlinuz root=x ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0 memmap=256M!1G 
| Only in m/etc/default/grub.d: 50-pkram.cfg
[1]
$ pkram plan --sysroot m --remove --yes -q >out

What it is about is seen where the question is put, also when stdout is elsewhere.

$ answer_to() { script -qec "pkram plan --sysroot m --apply 256M $2" seen >/dev/null <<<$1; tr -d '\r' <seen; }
$ answer_to n '>out' | grep -E '^(Cost|Left|[+]|[$])'
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| +++ /etc/default/grub.d/50-pkram.cfg
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
$ cat out
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
$ changed
$ answer_to y '2>out' | grep -E '^(Cost|Left|[+]|[$])'
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| +++ /etc/default/grub.d/50-pkram.cfg
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
$ tail -n1 out
| pkram: nothing was changed: there is no terminal to ask on; --yes does it
$ changed

Nothing is written outside of it, also where links lead there.

$ mkdir -p outside/grub.d && mv m/etc/default own && ln -s $PWD/outside m/etc/default
$ pkram plan --sysroot m --apply --yes 256M -q >out
! pkram: /etc/default/grub.d: No such file or directory
[1]
$ find outside -type f
$ rm m/etc/default && mv own m/etc/default; update-grub; changed

A directory that is made for it can be read by all, and goes with it.

$ rm -rf before/etc/default/grub.d m/etc/default/grub.d; mkdir -p m/usr/sbin before/usr/sbin
$ echo '. /etc/default/grub.d/*.cfg' | tee m/usr/sbin/grub-mkconfig >before/usr/sbin/grub-mkconfig
$ (umask 077; pkram plan --sysroot m --apply --yes 256M -q >out; pkram plan --sysroot m --apply --yes 64M -q >out)
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=256M!1G is on its line: look before you boot it
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=64M!1280M is on its line: look before you boot it
$ stat -c %a m/etc/default/grub.d{,/50-pkram.cfg}; cat m/etc/default/grub.d/*
| 755
| 644
| # pkram plan: memmap=256M!1G (no directory before)
| GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| # pkram plan: memmap=64M!1280M
| GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=64M!1280M"
$ pkram plan --sysroot m --remove --yes -q >out; changed
$ touch m/fail; pkram plan --sysroot m --apply --yes 256M -q >out
! pkram: DIR/m/bin/update-grub failed (1): error: no room for grub.cfg
[1]
$ rm m/fail; changed
$ rm -r {m,before}/usr; mkdir {m,before}/etc/default/grub.d

A failure, and a boot loader that does not take it up, change nothing.

$ touch m/fail before/fail
$ pkram plan --sysroot m --apply --yes 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
! pkram: DIR/m/bin/update-grub failed (1): error: no room for grub.cfg
! pkram: /etc/default/grub.d/50-pkram.cfg is as it was
[1]
$ changed
$ rm m/fail before/fail; touch m/deaf before/deaf
$ pkram plan --sysroot m --apply --yes 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
! pkram: memmap=256M!1G is still not on the line that the boot loader gives by default: it takes it from elsewhere: add the word by hand
! pkram: /etc/default/grub.d/50-pkram.cfg is as it was
[1]
$ rm m/deaf before/deaf; update-grub; changed

No program of another machine is run.

$ mv m/bin bin; PATH=$PWD/bin:$PATH
$ pkram plan --sysroot m --apply --yes 256M
! pkram: DIR/bin/update-grub lies outside of --sysroot and is not run
[1]
$ mv bin m/bin; changed

Without a directory for it, it stands in /etc/default/grub, whose mode is kept.

$ rm -r m/etc/default/grub.d; printf 'GRUB_CMDLINE_LINUX=quiet' >m/etc/default/grub
$ chmod 640 m/etc/default/grub; update-grub; rm -r before; cp -rp m before
$ pkram plan --sysroot m --apply --yes 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -1 +1,3 @@
| -GRUB_CMDLINE_LINUX=quiet
| \ No newline at end of file
| +GRUB_CMDLINE_LINUX=quiet
| +# pkram plan: memmap=256M!1G (no newline above)
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=256M!1G is on its line: look before you boot it
! pkram: done; it counts from the next boot on
$ pkram plan --sysroot m --apply --yes 16M -q >out
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=16M!1280M is on its line: look before you boot it
$ cat m/etc/default/grub m/boot/grub/grub.cfg
| GRUB_CMDLINE_LINUX=quiet
| # pkram plan: memmap=256M!1G (no newline above)
| GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| # pkram plan: memmap=16M!1280M
| GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=16M!1280M"
| 	linux /vmlinuz root=x ro quiet memmap=256M!1G memmap=16M!1280M 
$ stat -c %a m/etc/default/grub
| 640
$ pkram plan --sysroot m --remove --yes
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -1,5 +1 @@
| -GRUB_CMDLINE_LINUX=quiet
| -# pkram plan: memmap=256M!1G (no newline above)
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| -# pkram plan: memmap=16M!1280M
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=16M!1280M"
| +GRUB_CMDLINE_LINUX=quiet
| \ No newline at end of file
| $ update-grub
! pkram: done; it counts from the next boot on
$ changed
$ pkram plan --sysroot m --apply --yes 256M -q >out
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=256M!1G is on its line: look before you boot it
$ echo '# mine' >>m/etc/default/grub
$ pkram plan --sysroot m --remove --yes -q >out
$ changed
| diff -r before/etc/default/grub m/etc/default/grub
| 1c1,2
| < GRUB_CMDLINE_LINUX=quiet
| \ No newline at end of file
| ---
| > GRUB_CMDLINE_LINUX=quiet
| > # mine
[1]
$ pkram plan --sysroot m --remove --yes
! pkram: nothing was set by pkram plan: nothing to take away
[3]

What is not its own stays.

$ cp m/etc/default/grub grub; pkram plan --sysroot m --apply --yes 256M -q >out 2>&1
$ sed -i 's/^GRUB_CMDLINE_LINUX=.*!.*/GRUB_TIMEOUT=5/' m/etc/default/grub
$ pkram plan --sysroot m --remove --yes -q
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -1,4 +1,3 @@
|  GRUB_CMDLINE_LINUX=quiet
|  # mine
| -# pkram plan: memmap=256M!1G
|  GRUB_TIMEOUT=5
| $ update-grub
! pkram: warning: /etc/default/grub: the line behind the note of memmap=256M!1G is not pkram's, and stays
$ cat m/etc/default/grub
| GRUB_CMDLINE_LINUX=quiet
| # mine
| GRUB_TIMEOUT=5
$ cp grub m/etc/default/grub; pkram plan --sysroot m --apply --yes 256M -q >out 2>&1
$ sed -i 's/!1G"/!1G mine"/' m/etc/default/grub; cp m/etc/default/grub edited
$ pkram plan --sysroot m --remove --yes
! pkram: /etc/default/grub: the line behind the note of memmap=256M!1G has been edited since: take both away by hand
[1]
$ cmp edited m/etc/default/grub; cp grub m/etc/default/grub; update-grub

What stands in the file does nothing to the terminal.

$ cp m/etc/default/grub grub; printf '#\ttab, \x1b[2J, \r, \x9b1m, caf\xc3\xa9, \\x41\n' >>m/etc/default/grub
$ pkram plan --sysroot m --apply 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -1,3 +1,5 @@
|  GRUB_CMDLINE_LINUX=quiet
|  # mine
|  #	tab, \x1b[2J, \x0d, \x9b1m, café, \x5cx41
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| $ update-grub
! pkram: nothing was changed: there is no terminal to ask on; --yes does it
[3]
$ mv grub m/etc/default/grub

A word that is there is extended where it stands.

$ rm -r m before; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/memmap-words/. m
$ mkdir -p m/boot/grub m/etc/default/grub.d; mkdir m/bin; cat >m/bin/update-grub <<'END'
> #!/bin/sh
> m=${0%/bin/*}
> . $m/etc/default/grub
> for f in $m/etc/default/grub.d/*.cfg; do if [ -e "$f" ]; then . "$f"; fi; done
> echo "	linux /vmlinuz root=x ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" >$m/boot/grub/grub.cfg
> END
$ chmod +x m/bin/update-grub; update-grub; cp -r m before
$ pkram plan --sysroot m --apply --yes 1G
| Region     1.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=2G%24G-1+0xefffffff,1G!4G
| Instead of memmap=2G%24G-1+0xefffffff
| Cost       16.0 MiB of ordinary memory for its page structures
| Left       24.4 GiB of 25.5 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=2G%24G-1+0xefffffff -> memmap=2G%24G-1+0xefffffff,1G!4G
| +case " $GRUB_CMDLINE_LINUX " in *' memmap=2G%24G-1+0xefffffff '*) GRUB_CMDLINE_LINUX=" $GRUB_CMDLINE_LINUX "; GRUB_CMDLINE_LINUX=${GRUB_CMDLINE_LINUX%%' memmap=2G%24G-1+0xefffffff '*}' memmap=2G%24G-1+0xefffffff,1G!4G '${GRUB_CMDLINE_LINUX#*' memmap=2G%24G-1+0xefffffff '};; esac
| $ update-grub
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=2G%24G-1+0xefffffff,1G!4G is on its line: look before you boot it
! pkram: done; it counts from the next boot on
$ cat m/boot/grub/grub.cfg
| 	linux /vmlinuz root=x ro  memmap=4G!8G memmap=64K\$0x18690000 memmap=0x20000000\$20G memmap=2G%24G-1+0xefffffff,1G!4G  quiet
$ pkram plan --sysroot m --apply --yes 2G -q --json
| {
|   "verb": "plan",
|   "kind": "pmem",
|   "fits": true,
|   "wanted": 2147483648,
|   "size": 2147483648,
|   "ram": 27336591360,
|   "start": 5368709120,
|   "node": 0,
|   "pages": 33554432,
|   "left": 24065034240,
|   "fixed_kernel": true,
|   "word": "memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G",
|   "extends": "memmap=2G%24G-1+0xefffffff,1G!4G",
|   "command_line": "root=/dev/mapper/ws-root ro quiet memmap=4G!8G memmap=64K$0x18690000 memmap=0x20000000$20G memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G",
|   "config": "/etc/default/grub.d/50-pkram.cfg",
|   "config_word": "memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G",
|   "diff": "--- /etc/default/grub.d/50-pkram.cfg\u000a+++ /etc/default/grub.d/50-pkram.cfg\u000a@@ -1,2 +1,4 @@\u000a # pkram plan: memmap=2G%24G-1+0xefffffff -> memmap=2G%24G-1+0xefffffff,1G!4G\u000a case \" $GRUB_CMDLINE_LINUX \" in *' memmap=2G%24G-1+0xefffffff '*) GRUB_CMDLINE_LINUX=\" $GRUB_CMDLINE_LINUX \"; GRUB_CMDLINE_LINUX=${GRUB_CMDLINE_LINUX%%' memmap=2G%24G-1+0xefffffff '*}' memmap=2G%24G-1+0xefffffff,1G!4G '${GRUB_CMDLINE_LINUX#*' memmap=2G%24G-1+0xefffffff '};; esac\u000a+# pkram plan: memmap=2G%24G-1+0xefffffff,1G!4G -> memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G\u000a+case \" $GRUB_CMDLINE_LINUX \" in *' memmap=2G%24G-1+0xefffffff,1G!4G '*) GRUB_CMDLINE_LINUX=\" $GRUB_CMDLINE_LINUX \"; GRUB_CMDLINE_LINUX=${GRUB_CMDLINE_LINUX%%' memmap=2G%24G-1+0xefffffff,1G!4G '*}' memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G '${GRUB_CMDLINE_LINUX#*' memmap=2G%24G-1+0xefffffff,1G!4G '};; esac\u000a",
|   "commands": "update-grub\u000a",
|   "changed": true
| }
! pkram: warning: with more than four ranges in memmap= the kernel places itself at random (KASLR) no more
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G is on its line: look before you boot it
$ cat m/boot/grub/grub.cfg
| 	linux /vmlinuz root=x ro   memmap=4G!8G memmap=64K\$0x18690000 memmap=0x20000000\$20G memmap=2G%24G-1+0xefffffff,1G!4G,2G!5G   quiet
$ pkram plan --sysroot m --remove --yes -q >out
$ changed
$ sed -i 's/%24G/%0x600000000/' m/etc/default/grub
$ pkram plan --sysroot m --apply --yes 1G
| Region     1.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=2G%0x600000000-1+0xefffffff,1G!4G
| Instead of memmap=2G%0x600000000-1+0xefffffff
| Cost       16.0 MiB of ordinary memory for its page structures
| Left       24.4 GiB of 25.5 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=2G%0x600000000-1+0xefffffff -> memmap=2G%0x600000000-1+0xefffffff,1G!4G
| +case " $GRUB_CMDLINE_LINUX " in *' memmap=2G%0x600000000-1+0xefffffff '*) GRUB_CMDLINE_LINUX=" $GRUB_CMDLINE_LINUX "; GRUB_CMDLINE_LINUX=${GRUB_CMDLINE_LINUX%%' memmap=2G%0x600000000-1+0xefffffff '*}' memmap=2G%0x600000000-1+0xefffffff,1G!4G '${GRUB_CMDLINE_LINUX#*' memmap=2G%0x600000000-1+0xefffffff '};; esac
| $ update-grub
! pkram: memmap=2G%0x600000000-1+0xefffffff is set for the next boot already, and stays
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=2G%0x600000000-1+0xefffffff,1G!4G is on its line: look before you boot it
! pkram: done; it counts from the next boot on

Boot entries: their options are edited where they stand. The order and the default stay, and nothing is made anew.

$ rm -r m before; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/laptop-uefi/. m; e=m/boot/efi/loader/entries
$ mkdir m/bin; printf '#!/bin/sh\necho "$0 $*" >>ran\n' | tee m/bin/kernel-install m/bin/grubby >m/bin/update-grub; chmod +x m/bin/*
$ sed 's/6.12.57/6.1.4/; s/splash/3/' $e/*.conf >$e/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
$ printf 'title memory test\nefi /memtest.efi\n' >$e/memtest.conf; cp -r m before
$ pkram plan --sysroot m --apply 4G
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=4G!4G
| Cost       64.0 MiB of ordinary memory for its page structures
| Left       11.6 GiB of 15.7 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/kernel/cmdline.pkram
| @@ -0,0 +1 @@
| +memmap=4G!4G
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=UUID=UUID ro quiet splash
| +root=UUID=UUID ro quiet splash memmap=4G!4G
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| @@ -4,6 +4,6 @@
|  version    6.12.57+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
| +options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| @@ -4,6 +4,6 @@
|  version    6.1.4+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
| +options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.1.4+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.1.4+deb13-amd64/initrd.img-6.12.57+deb13-amd64
! pkram: nothing was changed: there is no terminal to ask on; --yes does it
[3]
$ pkram plan --sysroot m --apply --yes 4G
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=4G!4G
| Cost       64.0 MiB of ordinary memory for its page structures
| Left       11.6 GiB of 15.7 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/kernel/cmdline.pkram
| @@ -0,0 +1 @@
| +memmap=4G!4G
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=UUID=UUID ro quiet splash
| +root=UUID=UUID ro quiet splash memmap=4G!4G
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| @@ -4,6 +4,6 @@
|  version    6.12.57+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
| +options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| @@ -4,6 +4,6 @@
|  version    6.1.4+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
| +options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.1.4+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.1.4+deb13-amd64/initrd.img-6.12.57+deb13-amd64
! pkram: done; it counts from the next boot on
$ ls $e; grep -h options $e/*
| 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| memtest.conf
| options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
| options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
$ pkram plan --sysroot m --apply --yes 1G -q >out
$ cat m/etc/kernel/cmdline m/etc/kernel/cmdline.pkram; grep -h options $e/*
| root=UUID=UUID ro quiet splash memmap=4G!4G memmap=1G!8G
| memmap=4G!4G
| memmap=1G!8G
| options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G memmap=1G!8G
| options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G memmap=1G!8G
$ sed 's/6.12.57/6.13.9/' $e/*6.12.57* >$e/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.13.9+deb13-amd64.conf	# a kernel that was installed since
$ pkram plan --sysroot m --remove --yes
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=UUID=UUID ro quiet splash memmap=4G!4G memmap=1G!8G
| +root=UUID=UUID ro quiet splash
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.13.9+deb13-amd64.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.13.9+deb13-amd64.conf
| @@ -4,6 +4,6 @@
|  version    6.13.9+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G memmap=1G!8G
| +options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.13.9+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.13.9+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| @@ -4,6 +4,6 @@
|  version    6.12.57+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G memmap=1G!8G
| +options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.1.4+deb13-amd64+3-1.conf
| @@ -4,6 +4,6 @@
|  version    6.1.4+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G memmap=1G!8G
| +options    root=UUID=UUID ro quiet 3 systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.1.4+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.1.4+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1,2 +0,0 @@
| -memmap=4G!4G
| -memmap=1G!8G
! pkram: done; it counts from the next boot on
$ grep options $e/*6.13.9*; rm $e/*6.13.9*; changed
| options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a

Of hand-made ones, too, whatever their kernels are called.

$ rm $e/5*; cp -r $e entries; mkdir -p m/boot/loader; mv $e m/boot/loader; rm -r m/boot/efi m/etc/kernel before; e=m/boot/loader/entries
$ printf 'title Arch\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\n\toptions\troot=x rw "a b"  \r\n options -- c\n' >$e/arch.conf
$ touch m/boot/vmlinuz-linux m/boot/initramfs-linux.img; echo type1 >m/boot/loader/entries.srel; cp -r m before
$ pkram plan --sysroot m --apply --yes 4G
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=4G!4G
| Cost       64.0 MiB of ordinary memory for its page structures
| Left       11.6 GiB of 15.7 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/kernel/cmdline.pkram
| @@ -0,0 +1,2 @@
| +created with its directory
| +memmap=4G!4G
| --- /dev/null
| +++ /etc/kernel/cmdline
| @@ -0,0 +1 @@
| +root=UUID=UUID ro quiet splash memmap=4G!4G
| --- /boot/loader/entries/arch.conf
| +++ /boot/loader/entries/arch.conf
| @@ -1,5 +1,5 @@
|  title Arch
|  linux /vmlinuz-linux
|  initrd /initramfs-linux.img
| -	options	root=x rw "a b"  \x0d
| +	options	root=x rw "a b" memmap=4G!4G  \x0d
|   options -- c
! pkram: done; it counts from the next boot on
$ cat -A $e/arch.conf
| title Arch$
| linux /vmlinuz-linux$
| initrd /initramfs-linux.img$
| ^Ioptions^Iroot=x rw "a b" memmap=4G!4G  ^M$
|  options -- c$
$ pkram plan --sysroot m --apply --yes 1G -q >out; grep options $e/arch.conf; ls m/boot $e
| 	options	root=x rw "a b" memmap=4G!4G memmap=1G!8G  
|  options -- c
| m/boot:
| initramfs-linux.img
| loader
| vmlinuz-linux
|
| m/boot/loader/entries:
| arch.conf
| memtest.conf
$ pkram plan --sysroot m --remove --yes -q >out; changed; ls ran
! ls: cannot access 'ran': No such file or directory
[2]

What the default has no words of is refused, and all is as it was.

$ printf 'sort-key a\nlinux /vmlinuz-linux\n' >$e/none.conf; cp $e/none.conf before/${e#m/}
$ pkram plan --sysroot m --apply --yes 4G -q >out
! pkram: memmap=4G!4G is still not on the line that the boot loader gives by default: it takes it from elsewhere: add the word by hand
[1]
$ changed; rm {m,before}/${e#m/}/arch.conf
$ pkram plan --sysroot m --apply --yes 4G
! pkram: no boot entry has a line of options, as unified kernel images have their words inside: add memmap=4G!4G to /etc/kernel/cmdline by hand, and make them anew
[1]
$ changed; printf 'linux /vmlinuz-linux\noptions $kernelopts $tuned_params\n' >$e/none.conf
$ pkram plan --sysroot m --apply --yes 4G
! pkram: /boot/loader/entries/none.conf: has the words of GRUB's variable kernelopts: add memmap=4G!4G to GRUB_CMDLINE_LINUX in /etc/default/grub by hand, and run grub2-mkconfig
[1]
$ printf 'linux /vmlinuz-linux\noptions root=x "a b\n' >$e/none.conf
$ pkram plan --sysroot m --apply --yes 4G
! pkram: /boot/loader/entries/none.conf: has a quote that is not closed: "a b: a word behind it would be part of that: close it first
[1]
$ printf 'linux /vmlinuz-linux\noptions root=x %02030d\n' 0 >$e/none.conf
$ pkram plan --sysroot m --apply --yes 4G
! pkram: /boot/loader/entries/none.conf: with memmap=4G!4G it has 2050 bytes, and the kernel reads 2047: make it shorter first
[1]
$ cp before/${e#m/}/none.conf $e; changed

Where there is no /etc/kernel/cmdline, it is made of what runs.

$ echo root=x quiet | tee m/proc/cmdline >before/proc/cmdline; echo options root=x | tee -a $e/none.conf >>before/${e#m/}/none.conf
$ pkram plan --sysroot m --apply --yes 4G
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=4G!4G
| Cost       64.0 MiB of ordinary memory for its page structures
| Left       11.6 GiB of 15.7 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/kernel/cmdline.pkram
| @@ -0,0 +1,2 @@
| +created with its directory
| +memmap=4G!4G
| --- /dev/null
| +++ /etc/kernel/cmdline
| @@ -0,0 +1 @@
| +root=x quiet memmap=4G!4G
| --- /boot/loader/entries/none.conf
| +++ /boot/loader/entries/none.conf
| @@ -1,3 +1,3 @@
|  sort-key a
|  linux /vmlinuz-linux
| -options root=x
| +options root=x memmap=4G!4G
! pkram: done; it counts from the next boot on
$ pkram plan --sysroot m --remove --yes
| --- /etc/kernel/cmdline
| +++ /dev/null
| @@ -1 +0,0 @@
| -root=x quiet memmap=4G!4G
| --- /boot/loader/entries/none.conf
| +++ /boot/loader/entries/none.conf
| @@ -1,3 +1,3 @@
|  sort-key a
|  linux /vmlinuz-linux
| -options root=x memmap=4G!4G
| +options root=x
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1,2 +0,0 @@
| -created with its directory
| -memmap=4G!4G
! pkram: done; it counts from the next boot on
$ changed

No boot loader that is known.

$ rm -r m/etc m/boot
$ pkram plan --sysroot m --apply --yes 4G
! pkram: neither GRUB nor boot entries are known here: set the command line of the boot loader by hand
[1]
$ pkram plan --sysroot m --remove
! pkram: nothing was set by pkram plan: nothing to take away
[3]
