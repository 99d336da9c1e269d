# SPDX-License-Identifier: LGPL-2.1-or-later
# Boot loaders' files as people leave them.

$ grub() { mkdir -p m/bin m/boot/grub; cat >m/bin/update-grub <<'EOF'
> #!/bin/sh
> m=${0%/bin/*}
> [ -e $m/fail ] && { echo "error: no room for grub.cfg" >&2; exit 1; }
> . $m/etc/default/grub
> for f in $m/etc/default/grub.d/*.cfg; do if [ -e "$f" ]; then . "$f"; fi; done
> echo "	linux /vmlinuz-6 root=x ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" >$m/boot/grub/grub.cfg
> EOF
> chmod +x m/bin/update-grub; }
$ new_kernel() {	# as kernel-install makes its entry
> set -f; set -- $(cat m/etc/kernel/cmdline 2>/dev/null || tr ' ' '\n' <m/proc/cmdline | grep -v -e ^BOOT_IMAGE= -e ^initrd=) id=1; set +f
> sed -i "s|^options .*|options    $*|" m/boot/efi/loader/entries/*amd64.conf; }
$ PATH=$PWD/m/bin:$PATH; changed() { diff -r before m; }
$ uefi() { rm -rf m before; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/laptop-uefi/. m; }
$ line() { sed -n 's/^options *//p' m/boot/efi/loader/entries/*amd64.conf; }
$ cmdline() { printf "$@" >m/etc/kernel/cmdline; new_kernel; }
$ apply() { pkram plan --sysroot m --apply --yes -q "$@" >out; }
$ remove() { pkram plan --sysroot m --remove --yes "$@"; }

A word that was taken out of the file by hand, and stands in the entry.

$ uefi; cmdline 'root=x ro\n'; cp -r m before; apply 4G
$ echo root=x ro >m/etc/kernel/cmdline
$ remove
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| @@ -4,6 +4,6 @@
|  version    6.12.57+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=x ro id=1 memmap=4G!4G
| +options    root=x ro id=1
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1 +0,0 @@
| -memmap=4G!4G
! pkram: warning: /etc/kernel/cmdline: has no memmap=4G!4G any more; what stands there stays
! pkram: done; it counts from the next boot on
$ changed

One of two is taken out, and planned again; what runs is kept clear of, whether it is set or not.

$ apply 1G; apply 2G; cat m/etc/kernel/cmdline; sed -i 's/ memmap=1G!4G//' m/etc/kernel/cmdline
| root=x ro memmap=1G!4G memmap=2G!5G
$ apply 1G; cat m/etc/kernel/cmdline m/etc/kernel/cmdline.pkram; line
| root=x ro memmap=2G!5G memmap=1G!4G
| memmap=1G!4G
| memmap=2G!5G
| root=x ro id=1 memmap=1G!4G memmap=2G!5G
$ new_kernel; sed -i 's/ ro / ro memmap=1G!4G /' m/proc/cmdline; apply 1G; cat m/etc/kernel/cmdline
| root=x ro memmap=2G!5G memmap=1G!4G memmap=1G!7G
$ remove -q >out; cp before/proc/cmdline m/proc; changed

A word that was taken out of the entry alone.

$ apply 4G; sed -i 's/ memmap=.*//' m/boot/efi/loader/entries/*; apply 1G; line
| root=x ro id=1 memmap=1G!8G
$ remove -q >out; changed

One that others had put there before is taken from there with the rest.

$ sed -i 's/id=1/& memmap=4G!4G/' m/boot/efi/loader/entries/*; apply 4G; line
| root=x ro id=1 memmap=4G!4G
$ remove -q >out; changed

A word that others have put there counts, too.

$ cmdline 'root=x ro memmap=4G!4G\n'; cp -r m/etc m/boot before; apply 1G; line
| root=x ro memmap=4G!4G id=1 memmap=1G!8G
$ remove -q >out; changed

The file went, and all that was added.

$ apply 4G; rm m/etc/kernel/cmdline before/etc/kernel/cmdline; remove; line
| --- /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| +++ /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf
| @@ -4,6 +4,6 @@
|  version    6.12.57+deb13-amd64
|  machine-id 5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a
|  sort-key   debian
| -options    root=x ro memmap=4G!4G id=1 memmap=4G!8G
| +options    root=x ro memmap=4G!4G id=1
|  linux      /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/linux
|  initrd     /5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a/6.12.57+deb13-amd64/initrd.img-6.12.57+deb13-amd64
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1 +0,0 @@
| -memmap=4G!8G
| root=x ro memmap=4G!4G id=1
! pkram: done; it counts from the next boot on
$ cp -r m/boot before; changed
$ rmdir m/etc/kernel; apply 4G; cat m/etc/kernel/cmdline.pkram; remove -q >out; ls -d m/etc/kernel; line
| created with its directory
| memmap=4G!4G
| root=x ro id=1
! ls: cannot access 'm/etc/kernel': No such file or directory

What kernel-install makes of a file: all lines, and before systemd 257 comments as well.

$ uefi
$ tries() { cmdline "$@"; rm -rf before; cp -r m before; apply 4G && { cat -A m/etc/kernel/cmdline; echo; line; new_kernel; line; remove -q >out; } | sed "s/00*1/0...1/"; changed; }
$ tries ''
| memmap=4G!4G
| id=1 memmap=4G!4G
| memmap=4G!4G id=1
$ tries '\n'
| $
| memmap=4G!4G$
|
| id=1 memmap=4G!4G
| memmap=4G!4G id=1
$ tries 'a'
| a memmap=4G!4G
| a id=1 memmap=4G!4G
| a memmap=4G!4G id=1
$ tries 'a\n\n\n'
| a memmap=4G!4G$
| $
| $
|
| a id=1 memmap=4G!4G
| a memmap=4G!4G id=1
$ tries 'a  "b c"\n\td\n -- e\nf\n'
| a  "b c"$
| ^Id memmap=4G!4G$
|  -- e$
| f$
|
| a "b c" d memmap=4G!4G -- e f id=1
| a "b c" d memmap=4G!4G -- e f id=1
$ tries -- '-- e\n'
| memmap=4G!4G -- e$
|
| memmap=4G!4G -- e id=1
| memmap=4G!4G -- e id=1
$ tries '\n -- e\n'
| $
|  memmap=4G!4G -- e$
|
| memmap=4G!4G -- e id=1
| memmap=4G!4G -- e id=1
$ tries '# c\na\n # d\n'
| # c$
| a memmap=4G!4G$
|  # d$
|
| # c a # d id=1 memmap=4G!4G
| # c a memmap=4G!4G # d id=1
$ tries '# c\n'
| # c$
| memmap=4G!4G$
|
| # c id=1 memmap=4G!4G
| # c memmap=4G!4G id=1
$ tries '# c'
| # c$
| memmap=4G!4G
| # c id=1 memmap=4G!4G
| # c memmap=4G!4G id=1
$ tries '# see -- here\na\n'
! pkram: /etc/kernel/cmdline: systemd before 257 takes its comments for words, and the kernel would not read what is behind them: take them away first
$ tries '# c "\na\n'
! pkram: /etc/kernel/cmdline: systemd before 257 takes its comments for words, and the kernel would not read what is behind them: take them away first
$ mkdir -p m/usr/lib/kernel/install.d; echo "grep -Gv '^\s*#' /etc/kernel/cmdline" >m/usr/lib/kernel/install.d/90-loaderentry.install
$ eval "$(declare -f new_kernel | sed 's/cat m/grep -Gv "^\\s*#" m/')"
$ tries '# see -- here\na\n'
| # see -- here$
| a memmap=4G!4G$
|
| a id=1 memmap=4G!4G
| a memmap=4G!4G id=1
$ tries '# c "\na\n\t# d'
| # c "$
| a memmap=4G!4G$
| ^I# d
| a id=1 memmap=4G!4G
| a memmap=4G!4G id=1
$ tries 'a "b c\n'
! pkram: /etc/kernel/cmdline: has a quote that is not closed: "b c: a word behind it would be part of that: close it first
$ tries 'a\0b\n'
! pkram: /etc/kernel/cmdline: not a file of text
$ tries 'a %02025d\n' 1
| a 0...1 memmap=4G!4G$
|
| a 0...1 id=1 memmap=4G!4G
| a 0...1 memmap=4G!4G id=1
$ tries 'a %02040d\n' 1
! pkram: /etc/kernel/cmdline: with memmap=4G!4G it has 2055 bytes, and the kernel reads 2047: make it shorter first

The entry has words of its own, too.

$ cmdline 'a %02030d\n' 1; sed -i '/^options/s/$/ and more words/' m/boot/efi/loader/entries/*; apply 4G
! pkram: /boot/efi/loader/entries/5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a-6.12.57+deb13-amd64.conf: with memmap=4G!4G it has 2065 bytes, and the kernel reads 2047: make it shorter first
[1]
$ cat m/etc/kernel/cmdline | tr -d 0
| a 1

Options that are not a kernel's stay as they are.

$ uefi; e=m/boot/efi/loader/entries; printf MZ >m/boot/efi/shellx64.efi
$ printf 'efi /shellx64.efi\noptions -nostartup\n' >$e/shell.conf; cp -r m before; apply 4G; grep -h ^options $e/*
| options    root=UUID=UUID ro quiet splash systemd.machine_id=5d2cbb2f0a7e4d6c9b1a3f8e7c6d5b4a memmap=4G!4G
| options -nostartup
$ remove -q >out; changed

A file of another kind is neither waited for nor read.

$ uefi; rm m/etc/kernel/cmdline; mkfifo m/etc/kernel/cmdline
$ apply 4G
! pkram: /etc/kernel/cmdline: not a file of text
[1]
$ remove
! pkram: nothing was set by pkram plan: nothing to take away
[3]
$ pkram plan --sysroot m 4G
! pkram: /etc/kernel/cmdline: not a file of text
[1]
$ uefi; mkfifo m/boot/efi/loader/entries/pipe.conf; cmdline 'a\n'; apply 4G; line
| a id=1 memmap=4G!4G
$ uefi; truncate -s 1T m/etc/kernel/cmdline; apply 4G
! pkram: /etc/kernel/cmdline: File too large
[1]

The boot loader has changed since; the one that was there may be gone, or its command may fail.

$ rm -rf m before; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/small-*/. m; grub; update-grub; cp -r m before
$ apply 256M; mkdir -p m/boot/efi/loader/entries m/etc/kernel; echo root=x >m/etc/kernel/cmdline
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=256M!1G is on its line: look before you boot it
$ printf 'linux /vmlinuz-6\noptions    root=x\n' >m/boot/efi/loader/entries/a-6.12.57+deb13-amd64.conf
$ id=41cf-b6c7-440b29bb8c4f efi=m/sys/firmware/efi/efivars; mkdir -p $efi
$ printf '\6\0\0\0s\0y\0s\0t\0e\0m\0d\0-\0b\0o\0o\0t\0\0\0' >$efi/LoaderInfo-4a67b082-0a4c-$id
$ apply 128M; cat m/etc/kernel/cmdline
| root=x memmap=128M!1G
$ remove
| --- /etc/default/grub.d/50-pkram.cfg
| +++ /dev/null
| @@ -1,2 +0,0 @@
| -# pkram plan: memmap=256M!1G
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=x memmap=128M!1G
| +root=x
| --- /boot/efi/loader/entries/a-6.12.57+deb13-amd64.conf
| +++ /boot/efi/loader/entries/a-6.12.57+deb13-amd64.conf
| @@ -1,2 +1,2 @@
|  linux /vmlinuz-6
| -options    root=x memmap=128M!1G
| +options    root=x
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1 +0,0 @@
| -memmap=128M!1G
| $ update-grub
! pkram: done; it counts from the next boot on
$ mv $efi sys; apply 64M; mv sys $efi; touch m/fail
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=64M!1G is on its line: look before you boot it
$ remove -q >out
! pkram: DIR/m/bin/update-grub failed (1): error: no room for grub.cfg
! pkram: warning: update-grub is not of the boot loader that starts this machine now, so that goes on without it
$ find m/etc -name '*pkram*'; cat m/etc/kernel/cmdline
| root=x
$ rm -r m/fail m/bin/update-grub m/boot/grub; mkdir -p m/etc/default/grub.d
$ printf '# pkram plan: a\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX a"\n' >m/etc/default/grub.d/50-pkram.cfg
$ remove
| --- /etc/default/grub.d/50-pkram.cfg
| +++ /dev/null
| @@ -1,2 +0,0 @@
| -# pkram plan: a
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX a"
! pkram: done; it counts from the next boot on
$ rm -r m/sys/firmware/efi m/boot/efi m/etc/default/grub m/etc/kernel
$ mkdir -p m/etc/kernel; printf 'root=x a\n' >m/etc/kernel/cmdline; echo a >m/etc/kernel/cmdline.pkram
$ remove
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=x a
| +root=x
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1 +0,0 @@
| -a
! pkram: done; it counts from the next boot on
$ remove
! pkram: nothing was set by pkram plan: nothing to take away
[3]

An empty directory of drop-ins that grub-mkconfig does not read; and lines in both files.

$ rm -rf m; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/small-*/. m; grub; rm m/etc/default/grub.d/*
$ sed -i '/grub.d/d' m/bin/update-grub; mkdir -p m/usr/sbin; echo '. /etc/default/grub' >m/usr/sbin/grub-mkconfig
$ update-grub; rm -rf before; cp -r m before; apply 256M; cat m/boot/grub/grub.cfg; ls m/etc/default/grub.d
| 	linux /vmlinuz-6 root=x ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0 memmap=256M!1G 
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=256M!1G is on its line: look before you boot it
$ grub; rm m/usr/sbin/grub-mkconfig; apply 128M; cat m/boot/grub/grub.cfg
| 	linux /vmlinuz-6 root=x ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0 memmap=256M!1G memmap=128M!1280M 
! pkram: warning: cannot tell which kernel the boot loader starts by default, and whether memmap=128M!1280M is on its line: look before you boot it
$ remove; rm before/usr/sbin/grub-mkconfig; cp m/bin/* before/bin; changed
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -3,5 +3,3 @@
|  GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
|  GRUB_CMDLINE_LINUX_DEFAULT=""
|  GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0"
| -# pkram plan: memmap=256M!1G
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| --- /etc/default/grub.d/50-pkram.cfg
| +++ /dev/null
| @@ -1,2 +0,0 @@
| -# pkram plan: memmap=128M!1280M
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=128M!1280M"
| $ update-grub
! pkram: done; it counts from the next boot on

GRUB's '$': a word that has its backslash is extended with it; without one, it is no such word.

$ rm -rf m before; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/memmap-words/. m; grub; mkdir m/etc/default/grub.d
$ w='memmap=4G!8G memmap=0x20000000\$20G memmap=2G%24G-1+0xefffffff memmap=64K\$0x18690000'
$ sed -i '/^GRUB_CMDLINE_LINUX=/d' m/etc/default/grub; echo "GRUB_CMDLINE_LINUX='$w'" >>m/etc/default/grub
$ echo "root=x ro ${w//\\}" >m/proc/cmdline; touch m/boot/vmlinuz-6; update-grub; cp -r m before
$ apply 1G; cat out m/boot/grub/grub.cfg
| Region     1.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=64K$0x18690000,1G!4G
| Instead of memmap=64K$0x18690000
| Cost       16.0 MiB of ordinary memory for its page structures
| Left       24.4 GiB of 25.5 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /dev/null
| +++ /etc/default/grub.d/50-pkram.cfg
| @@ -0,0 +1,2 @@
| +# pkram plan: memmap=64K$0x18690000 -> memmap=64K$0x18690000,1G!4G
| +case " $GRUB_CMDLINE_LINUX " in *' memmap=64K\$0x18690000 '*) GRUB_CMDLINE_LINUX=" $GRUB_CMDLINE_LINUX "; GRUB_CMDLINE_LINUX=${GRUB_CMDLINE_LINUX%%' memmap=64K\$0x18690000 '*}' memmap=64K\$0x18690000,1G!4G '${GRUB_CMDLINE_LINUX#*' memmap=64K\$0x18690000 '};; esac
| $ update-grub
| 	linux /vmlinuz-6 root=x ro  memmap=4G!8G memmap=0x20000000\$20G memmap=2G%24G-1+0xefffffff memmap=64K\$0x18690000,1G!4G  quiet
$ apply 1G; cat m/boot/grub/grub.cfg; remove -q >out; changed
| 	linux /vmlinuz-6 root=x ro   memmap=4G!8G memmap=0x20000000\$20G memmap=2G%24G-1+0xefffffff memmap=64K\$0x18690000,1G!4G,1G!5G   quiet
! pkram: warning: with more than four ranges in memmap= the kernel places itself at random (KASLR) no more
$ sed -i 's/\\//g' m/etc/default/grub; update-grub; pkram plan --sysroot m 1G -q
! pkram: the boot loader's settings, as a kernel gets them: memmap=64Kx18690000 is not understood: correct it there first
[1]

A setting that cannot be read may say anything.

$ mkfifo m/etc/default/grub.d/99.cfg; pkram plan --sysroot m 1G
! pkram: /etc/default/grub.d/99.cfg: not a file of text
[1]
$ rm m/etc/default/grub.d/99.cfg; printf 'a\0b' >m/etc/default/grub; apply 1G
! pkram: /etc/default/grub: not a file of text
[1]

GRUB that shows boot entries, as Fedora has it: its settings have the word, too, for it makes entries of them; the one
that it saves as the default stays.

$ rm -rf m before; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/small-*/. m; rm -r m/etc/default/*; mkdir -p m/bin m/boot/grub2 m/boot/loader/entries m/etc/kernel
$ printf '#!/bin/sh\necho "$0 $*" >>ran\n' | tee m/bin/{kernel-install,grubby,update-grub} >m/bin/grub2-mkconfig; chmod +x m/bin/*
$ echo root=x ro quiet | tee m/proc/cmdline >m/etc/kernel/cmdline; printf 'GRUB_DEFAULT=saved\nGRUB_CMDLINE_LINUX="quiet"\nGRUB_ENABLE_BLSCFG=true\n' >m/etc/default/grub
$ echo blscfg >m/boot/grub2/grub.cfg; echo saved_entry=id-6.2-200.fc40 >m/boot/grub2/grubenv
$ for v in 0-rescue 6.1-200.fc40 6.2-200.fc40; do printf 'version %s\nlinux /vmlinuz-%s\noptions root=x ro quiet\n' $v $v >m/boot/loader/entries/id-$v.conf; touch m/boot/vmlinuz-$v; done
$ cp -r m before; pkram plan --sysroot m --apply --yes 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Then       reboot; pkram init pmem:/dev/pmemN
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -1,3 +1,5 @@
|  GRUB_DEFAULT=saved
|  GRUB_CMDLINE_LINUX="quiet"
|  GRUB_ENABLE_BLSCFG=true
| +# pkram plan: memmap=256M!1G
| +GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| --- /dev/null
| +++ /etc/kernel/cmdline.pkram
| @@ -0,0 +1 @@
| +memmap=256M!1G
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=x ro quiet
| +root=x ro quiet memmap=256M!1G
| --- /boot/loader/entries/id-6.2-200.fc40.conf
| +++ /boot/loader/entries/id-6.2-200.fc40.conf
| @@ -1,3 +1,3 @@
|  version 6.2-200.fc40
|  linux /vmlinuz-6.2-200.fc40
| -options root=x ro quiet
| +options root=x ro quiet memmap=256M!1G
| --- /boot/loader/entries/id-6.1-200.fc40.conf
| +++ /boot/loader/entries/id-6.1-200.fc40.conf
| @@ -1,3 +1,3 @@
|  version 6.1-200.fc40
|  linux /vmlinuz-6.1-200.fc40
| -options root=x ro quiet
| +options root=x ro quiet memmap=256M!1G
| --- /boot/loader/entries/id-0-rescue.conf
| +++ /boot/loader/entries/id-0-rescue.conf
| @@ -1,3 +1,3 @@
|  version 0-rescue
|  linux /vmlinuz-0-rescue
| -options root=x ro quiet
| +options root=x ro quiet memmap=256M!1G
! pkram: done; it counts from the next boot on
$ [ m/etc/kernel/cmdline -nt m/etc/default/grub ]; cat m/boot/grub2/grubenv; [ ! -e ran ]
| saved_entry=id-6.2-200.fc40
$ remove; [ m/etc/kernel/cmdline -nt m/etc/default/grub ]; [ ! -e ran ]; changed
| --- /etc/default/grub
| +++ /etc/default/grub
| @@ -1,5 +1,3 @@
|  GRUB_DEFAULT=saved
|  GRUB_CMDLINE_LINUX="quiet"
|  GRUB_ENABLE_BLSCFG=true
| -# pkram plan: memmap=256M!1G
| -GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=256M!1G"
| --- /etc/kernel/cmdline
| +++ /etc/kernel/cmdline
| @@ -1 +1 @@
| -root=x ro quiet memmap=256M!1G
| +root=x ro quiet
| --- /boot/loader/entries/id-6.2-200.fc40.conf
| +++ /boot/loader/entries/id-6.2-200.fc40.conf
| @@ -1,3 +1,3 @@
|  version 6.2-200.fc40
|  linux /vmlinuz-6.2-200.fc40
| -options root=x ro quiet memmap=256M!1G
| +options root=x ro quiet
| --- /boot/loader/entries/id-6.1-200.fc40.conf
| +++ /boot/loader/entries/id-6.1-200.fc40.conf
| @@ -1,3 +1,3 @@
|  version 6.1-200.fc40
|  linux /vmlinuz-6.1-200.fc40
| -options root=x ro quiet memmap=256M!1G
| +options root=x ro quiet
| --- /boot/loader/entries/id-0-rescue.conf
| +++ /boot/loader/entries/id-0-rescue.conf
| @@ -1,3 +1,3 @@
|  version 0-rescue
|  linux /vmlinuz-0-rescue
| -options root=x ro quiet memmap=256M!1G
| +options root=x ro quiet
| --- /etc/kernel/cmdline.pkram
| +++ /dev/null
| @@ -1 +0,0 @@
| -memmap=256M!1G
! pkram: done; it counts from the next boot on

A word that these have already; one to be made longer that they do not have.

$ sed -i 's/quiet/& memmap=256M!1G/' m/etc/default/grub; apply 256M; grep LINUX m/etc/default/grub; remove -q >out
| GRUB_CMDLINE_LINUX="quiet memmap=256M!1G"
$ echo root=x memmap=1M\$1G memmap=1M\$1040M memmap=1M\$1056M memmap=1M!1072M | tee m/proc/cmdline >m/etc/kernel/cmdline
$ sed -i 's/^options.*/options root=x memmap=1M!1072M/' m/boot/loader/entries/*; cp m/boot/loader/entries/* before/boot/loader/entries
$ cp m/etc/default/grub before/etc/default; cp m/etc/kernel/cmdline before/etc/kernel; cp m/proc/cmdline before/proc; apply 256M; changed
! pkram: warning: with more than four ranges in memmap= the kernel places itself at random (KASLR) no more
! pkram: memmap=1M!1072M is on the command line and must become memmap=1M!1072M,256M!1152M, but GRUB's settings do not have it in that form: change it by hand

Words that run and are not set are kept clear of, and cannot be made longer; set ones can.

$ rm -rf m; mkdir m; cp -r $CLI_SOURCE/tests/sysroot/small-*/. m
$ w='memmap=1M$1G memmap=1M$1040M memmap=1M$1056M memmap=1M$1072M'; echo "root=x $w" >m/proc/cmdline
$ pkram plan --sysroot m 256M
! pkram: behind 4 memmap= words the kernel may not read one more when it places itself at random, and the boot loader's settings do not have those: none can be made longer: set them there, joined with commas, or nokaslr, and reboot first
[1]
$ echo 'GRUB_CMDLINE_LINUX="memmap=1M\\\$1072M,1M\\\$1088M"' >m/etc/default/grub
$ pkram plan --sysroot m 256M | grep -E 'Word|Instead'
| Word       memmap=1M$1072M,1M$1088M,256M!1152M
| Instead of memmap=1M$1072M,1M$1088M
! pkram: memmap=1M$1072M,1M$1088M is set for the next boot already, and stays
$ echo 'GRUB_CMDLINE_LINUX="memmap=64M!1152M mem=2G cma=64M@1280M"' >m/etc/default/grub; echo root=x >m/proc/cmdline
$ pkram plan --sysroot m 64M | grep -E 'Word|Left'
| Word       memmap=64M!1G
| Left       1.9 GiB of 2.0 GiB for the system
! pkram: memmap=64M!1152M is set for the next boot already, and stays
! pkram: mem=2G is set for the next boot already, and stays
! pkram: cma=64M@1280M is set for the next boot already, and stays
$ pkram plan --sysroot m 256M | grep -E 'Word|Left'
| Word       memmap=256M!1408M
| Left       1.7 GiB of 2.0 GiB for the system
! pkram: memmap=64M!1152M is set for the next boot already, and stays
! pkram: mem=2G is set for the next boot already, and stays
! pkram: cma=64M@1280M is set for the next boot already, and stays
$ pkram plan --sysroot m 64M --node 1
! pkram: memmap=64M!1152M is set for the next boot already, and stays
! pkram: mem=2G is set for the next boot already, and stays
! pkram: cma=64M@1280M is set for the next boot already, and stays
! pkram: no memory on node 1; see 'numactl --hardware'
[1]
$ pkram plan --sysroot m 64M --node 0 --kind devdax | grep -E 'Word|Left'
| Word       memmap=64M!1G
| Left       1.9 GiB of 2.0 GiB for the system
! pkram: memmap=64M!1152M is set for the next boot already, and stays
! pkram: mem=2G is set for the next boot already, and stays
! pkram: cma=64M@1280M is set for the next boot already, and stays
