# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# The checks on recorded machines that have a region.

$ . $CLI_SOURCE/tests/cli/machine.sh

The region is at the top of 64 GiB, with crashkernel= beside it; nothing of it is in the boot loader.

$ machine crashkernel 48G 8G && kernel 6.1.0-41-amd64 nd_e820 nd_pmem && reserve 'memmap=8G!48G'
$ checks
| pkram: the jump is safe; 1 check warns
| CHECK        RESULT  REASON
| region       ok      pmem:/dev/pmem0: 8192 MiB at 0xc00000000
| kernel       ok      6.1.0-41-amd64: /boot/vmlinuz-6.1.0-41-amd64, initrd /boot/initrd.img-6.1.0-41-amd64
| initrd       ok      /boot/initrd.img-6.1.0-41-amd64: pkram is not inside
| command-line ok      root=UUID=UUID ro quiet crashkernel=512M,high memmap=8G!48G pkram.jump=00000000000000000000000000000000
| drivers      ok      kernel 6.1.0-41-amd64 has what the memory needs
| nodes        ok      0 saved in this boot, 0 by an earlier one (stale)
| writers      ok      no node is being written
| sources      ok      0 trees compared with what was saved
| units        ok      none saves when the machine goes down
| content      ok      not read
| reservation  ok      the next command line keeps the memory of 1 container
| other-memory ok      the next command line keeps what the running one does
| firmware-map ok      inside usable ranges
| kmem         ok      no region is Soft Reserved memory
| devices      ok      each container has a piece of reserved memory of its own
| kexec        ok      by kexec_file_load
| signature    ok      not asked for
| loaded       ok      no kernel is loaded yet
| systemd      ok      does not run: the jump is 'kexec -e'
| cold-boot    warning cannot tell which command line the boot loader gives to the next kernel
|                        -> see to it that the boot loader gives it the memmap= words
| exit 0
$ checks --command-line 'ro memmap=8G!47G'
| pkram: the jump is not safe: 1 check fails
| CHECK        RESULT  REASON
| region       ok      pmem:/dev/pmem0: 8192 MiB at 0xc00000000
| kernel       ok      6.1.0-41-amd64: /boot/vmlinuz-6.1.0-41-amd64, initrd /boot/initrd.img-6.1.0-41-amd64
| initrd       ok      /boot/initrd.img-6.1.0-41-amd64: pkram is not inside
| command-line ok      ro memmap=8G!47G pkram.jump=00000000000000000000000000000000
| drivers      ok      kernel 6.1.0-41-amd64 has what the memory needs
| nodes        ok      0 saved in this boot, 0 by an earlier one (stale)
| writers      ok      no node is being written
| sources      ok      0 trees compared with what was saved
| units        ok      none saves when the machine goes down
| content      ok      not read
| reservation  fails   pmem:/dev/pmem0: memmap=8G!47G on the next command line is moved against its memory, which is memmap=8G!48G
|                        -> give the right line with --command-line
| other-memory warning crashkernel=512M,high is on the running command line, and not on the next
|                        -> put it there, too, if it is still needed
| firmware-map ok      inside usable ranges
| kmem         ok      no region is Soft Reserved memory
| devices      ok      each container has a piece of reserved memory of its own
| kexec        ok      by kexec_file_load
| signature    ok      not asked for
| loaded       ok      no kernel is loaded yet
| systemd      ok      does not run: the jump is 'kexec -e'
| cold-boot    warning cannot tell which command line the boot loader gives to the next kernel
|                        -> see to it that the boot loader gives it the memmap= words
| exit 1

A small machine whose next kernel has no driver, and whose grub.cfg knows the word.

$ machine 'small-*' 1G 256M && kernel 6.1.0-41-cloud-amd64 nd_pmem && reserve 'memmap=256M!1G'
$ mkdir -p m/boot/grub
$ printf '\tlinux\t/boot/vmlinuz-6.1.0-41-cloud-amd64 root=/dev/vda1 ro memmap=256M!1G\n' >m/boot/grub/grub.cfg
$ checks | grep -v ' ok '
| pkram: the jump is not safe: 1 check fails
| CHECK        RESULT  REASON
| drivers      fails   kernel 6.1.0-41-cloud-amd64 lacks the driver nd_e820
|                        -> build it with CONFIG_X86_PMEM_LEGACY, install the package that has its modules, or name another kernel with --kernel
| cold-boot    warning memmap=256M!1G stands in grub.cfg, and not in /etc/default/grub: the next update-grub drops it
|                        -> add it to GRUB_CMDLINE_LINUX in /etc/default/grub
| exit 1

A server of 1 TiB, loaded for another use, and a kernel that asks for signatures.

$ machine server-1t-two-nodes 512G 256G && kernel 6.12.57+deb13-amd64 nd_e820 nd_pmem
$ echo 1 >m/sys/kernel/kexec_loaded; mkdir -p m/sys/kernel/security
$ echo 'none [integrity] confidentiality' >m/sys/kernel/security/lockdown
$ checks --append 'memmap=256G!512G nokaslr' | grep -v ' ok '
| pkram: the jump is not safe: 1 check fails
| CHECK        RESULT  REASON
| signature    fails   this kernel is locked down, and /boot/vmlinuz-6.12.57+deb13-amd64 is not signed
|                        -> name a signed kernel with --kernel
| loaded       warning a kernel is loaded that pkram has not staged: its command line is not known, and rebooting may start it
|                        -> 'pkram kexec' loads its own in its place; 'kexec -s -u' unloads it
| cold-boot    warning cannot tell which command line the boot loader gives to the next kernel
|                        -> see to it that the boot loader gives it the memmap= words
| exit 1
$ checks --append 'memmap=256G!512G' --method load | grep -v ' ok '
| pkram: the jump is not safe: 1 check fails
| CHECK        RESULT  REASON
| kexec        fails   this kernel is locked down, and refuses kexec_load
|                        -> use --method file, and a signed kernel
| loaded       warning a kernel is loaded that pkram has not staged: its command line is not known, and rebooting may start it
|                        -> 'pkram kexec' loads its own in its place; 'kexec -s -u' unloads it
| cold-boot    warning cannot tell which command line the boot loader gives to the next kernel
|                        -> see to it that the boot loader gives it the memmap= words
| exit 1

Four words already: a fifth one.

$ machine memmap-words 28G 1G && kernel 6.12.57+deb13-amd64 nd_e820 nd_pmem
$ checks --append 'memmap=1G!28G' | grep -v ' ok '
| pkram: the jump is not safe: 1 check fails
| CHECK        RESULT  REASON
| reservation  fails   the next command line has 5 memmap= words, and the kernel avoids only the first 4 when it places itself
|                        -> join them with commas, or pkram kexec --append nokaslr
| cold-boot    warning cannot tell which command line the boot loader gives to the next kernel
|                        -> see to it that the boot loader gives it the memmap= words
| exit 1
$ checks --command-line 'ro memmap=1G!28G,4G!8G' | grep -v ' ok '
| pkram: the jump is safe; 2 checks warn
| CHECK        RESULT  REASON
| other-memory warning the 64 KiB at 0x18690000 that the running command line reserves ($) are ordinary memory to the next kernel
|                        -> put its memmap= on the next line, too, if it is still needed
|              warning the 524288 KiB at 0x500000000 that the running command line reserves ($) are ordinary memory to the next kernel
|                        -> put its memmap= on the next line, too, if it is still needed
|              warning the 2097152 KiB at 0x600000000 that the running command line reserves (%) are ordinary memory to the next kernel
|                        -> put its memmap= on the next line, too, if it is still needed
| cold-boot    warning cannot tell which command line the boot loader gives to the next kernel
|                        -> see to it that the boot loader gives it the memmap= words
| exit 0
$ checks --json | grep -A 2 "^{"
| {
|   "safe": false,
|   "checks": [

A laptop that starts boot entries.

$ machine laptop-uefi 8G 2G && kernel 6.12.57+deb13-amd64 nd_e820 nd_pmem
$ checks --kernel /boot/vmlinuz-6.12.57+deb13-amd64 --append 'memmap=2G!8G' | grep -v ' ok '
| pkram: the jump is safe; 1 check warns
| CHECK        RESULT  REASON
| cold-boot    warning pmem:/dev/pmem0: the boot loader does not reserve its memory: what is there is lost with the next start by it
|                        -> set memmap=2G!8G in the boot loader (/etc/default/grub and update-grub, or the options of boot entries and /etc/kernel/cmdline)
|              warning pmem:/dev/pmem0: /etc/kernel/cmdline, of kernels to come, does not reserve its memory: what is there is lost with the next start by it
|                        -> set memmap=2G!8G in the boot loader (/etc/default/grub and update-grub, or the options of boot entries and /etc/kernel/cmdline)
| exit 0

What is no kernel, and no initrd: found before anything waits for it.

$ machine crashkernel 48G 8G && kernel 6.1.0-41-amd64 nd_e820 nd_pmem && reserve 'memmap=8G!48G'; mkdir m/boot/dir m/dev; : >m/boot/empty
$ echo text >m/boot/text; mkfifo m/boot/fifo; mknod m/dev/zero c 1 5; head -c 4096 /dev/zero >m/boot/zeros; head -c 200 m/boot/initrd.img* >m/boot/cut
$ printf 'MZ%58s\100\0\0\0PE\0\0\144\252%4000s' | tr ' ' '\0' >m/boot/arm64; printf '\177ELF\2\1%4000s' | tr ' ' '\0' >m/boot/vmlinux
$ for f in /boot/{dir,empty,text,fifo,zeros,missing,arm64,vmlinux} /dev/zero; do checks --kernel $f --initrd '' | grep -E -A1 ' fails  |^exit 0'; done
| kernel       fails   kernel /boot/dir: is no regular file
|                        -> name another one with --kernel
| kernel       fails   /boot/empty is not a kernel that kexec loads (a bzImage)
|                        -> name another one with --kernel
| kernel       fails   /boot/text is not a kernel that kexec loads (a bzImage)
|                        -> name another one with --kernel
| kernel       fails   kernel /boot/fifo: is no regular file
|                        -> name another one with --kernel
| kernel       fails   /boot/zeros is not a kernel that kexec loads (a bzImage)
|                        -> name another one with --kernel
| kernel       fails   kernel /boot/missing: No such file or directory
|                        -> name another one with --kernel
| kernel       fails   /boot/arm64 is for another processor than x86 (PE machine 0xaa64)
|                        -> name one for this machine with --kernel
| kernel       fails   /boot/vmlinux is not a kernel that kexec loads (a bzImage)
|                        -> name another one with --kernel
| kernel       fails   kernel /dev/zero: is no regular file
|                        -> name another one with --kernel
$ for f in /boot/{dir,empty,text,fifo,zeros,missing,arm64,cut} /dev/zero; do checks --initrd $f | grep -E -A1 'warning /boot| fails  |^exit 0'; done
| kernel       fails   initrd /boot/dir: is no regular file
|                        -> name another one with --initrd
| initrd       fails   /boot/empty is no initrd: neither a cpio archive nor a packed one
|                        -> name the right one with --initrd, or '' for none
| initrd       fails   /boot/text is no initrd: neither a cpio archive nor a packed one
|                        -> name the right one with --initrd, or '' for none
| kernel       fails   initrd /boot/fifo: is no regular file
|                        -> name another one with --initrd
| initrd       fails   /boot/zeros is no initrd: neither a cpio archive nor a packed one
|                        -> name the right one with --initrd, or '' for none
| kernel       fails   initrd /boot/missing: No such file or directory
|                        -> name another one with --initrd
| initrd       fails   /boot/arm64 is no initrd: neither a cpio archive nor a packed one
|                        -> name the right one with --initrd, or '' for none
| initrd       fails   /boot/cut is damaged: cut off
|                        -> make it anew: update-initramfs -u, or dracut --force
| kernel       fails   initrd /dev/zero: is no regular file
|                        -> name another one with --initrd
$ cp m/boot/vmlinuz-6* m/boot/$'new\nline'; checks --kernel $'/boot/new\nline' --initrd '' | grep -A1 ' fails  '; checks --append $'x="a\nb"' | grep -A1 ' fails  '
| kernel       fails   kernel /boot/new\x0aline: has a newline in its name
|                        -> name another one with --kernel
| command-line fails   the next command line has a newline in it
|                        -> give it as one line

Where pkram is inside the initrd, it needs the drivers there, too, whatever the system behind it has.

$ initrd() { rm -rf i; mkdir -p i/usr/{sbin,lib}; : >i/usr/sbin/pkram; : >i/usr/lib/libkmod.so.2; for f; do mkdir -p "i/usr/lib/modules/${f%/*}"; : >"i/usr/lib/modules/$f"; done
>   (cd i && find . | cpio --quiet -o -H newc | gzip >../m/boot/mine); checks --initrd /boot/mine | grep -E -A1 '^initrd|^drivers| fails  |^exit'; }
$ initrd
| initrd       ok      /boot/mine: restores by itself: pkram is inside
| command-line ok      root=UUID=UUID ro quiet crashkernel=512M,high memmap=8G!48G pkram.jump=00000000000000000000000000000000
| drivers      fails   /boot/mine holds pkram, and not the module nd_e820 that it needs
|                        -> add it to the initrd (/etc/initramfs-tools/modules and update-initramfs -u, or dracut --add-drivers)
|              fails   /boot/mine holds pkram, and not the module nd_pmem that it needs
|                        -> add it to the initrd (/etc/initramfs-tools/modules and update-initramfs -u, or dracut --add-drivers)
| --
| exit 1
$ initrd 6.1.0-41-amd64/kernel/drivers/nvdimm/{nd_e820.ko.xz,nd_pmem.ko}
| initrd       ok      /boot/mine: restores by itself: pkram is inside
| command-line ok      root=UUID=UUID ro quiet crashkernel=512M,high memmap=8G!48G pkram.jump=00000000000000000000000000000000
| drivers      ok      kernel 6.1.0-41-amd64 has what the memory needs
| nodes        ok      0 saved in this boot, 0 by an earlier one (stale)
| --
| exit 0
$ initrd 6.1.0-41-amd64/kernel/drivers/nvdimm/nd_e820.ko
| initrd       ok      /boot/mine: restores by itself: pkram is inside
| command-line ok      root=UUID=UUID ro quiet crashkernel=512M,high memmap=8G!48G pkram.jump=00000000000000000000000000000000
| drivers      fails   /boot/mine holds pkram, and not the module nd_pmem that it needs
|                        -> add it to the initrd (/etc/initramfs-tools/modules and update-initramfs -u, or dracut --add-drivers)
| --
| exit 1
$ initrd 6.1.0-40-amd64/kernel/drivers/nvdimm/{nd_e820.ko,nd_pmem.ko}
| initrd       warning /boot/mine holds modules of another kernel than 6.1.0-41-amd64
|                        -> name the right one with --initrd
| --
| drivers      fails   /boot/mine holds pkram, and not the module nd_e820 that it needs
|                        -> add it to the initrd (/etc/initramfs-tools/modules and update-initramfs -u, or dracut --add-drivers)
|              fails   /boot/mine holds pkram, and not the module nd_pmem that it needs
|                        -> add it to the initrd (/etc/initramfs-tools/modules and update-initramfs -u, or dracut --add-drivers)
| --
| exit 1

What units have promised to save, on that machine.

$ mkdir -p m/run/pkram/units && printf '\0%s\0' "$PWD/gone" >m/run/pkram/units/one; checks | grep -E '^units|fail'
| units        ok      pmem:/dev/pmem0: 0 bytes will be saved by units, with room for 9437184

One that runs, and whose file has got an error since, would not save; one that does not run has nothing to lose.

$ mkdir m/etc/pkram.d; printf 'path = /srv/x\nthreads = 08\n' | tee m/etc/pkram.d/one.conf >m/etc/pkram.d/two.conf
$ checks | grep -E '/etc|^units|-> mend|start'
| pkram: /etc/pkram.d/one.conf:2: threads must be a number from 1 to 4096, without zeros in front
| pkram: /etc/pkram.d/two.conf:2: threads must be a number from 1 to 4096, without zeros in front
| units        warning pkram@two.service does not run: what it is to keep will not be saved
|                        -> systemctl start pkram@two.service
|                        -> mend its file in /etc/pkram.d: 'pkram unit early-files' names the line

What modprobe would pass over is passed over without a word; what is no list of modules is named.

$ mkdir -p m/etc/modprobe.d; printf 'bad line\nblacklist nd_pmem\n' >m/etc/modprobe.d/x.conf; checks | grep -A1 'kmod\|blacklist'
| drivers      warning the driver nd_pmem is on a blacklist: the region may have no device in the next system until somebody loads it
|                        -> take it off /etc/modprobe.d
$ mkdir m/lib/modules/6.1.0-41-amd64/modules.builtin; checks | grep -A1 '^drivers'
| drivers      fails   /lib/modules/6.1.0-41-amd64/modules.builtin: not a file of text
| nodes        ok      0 saved in this boot, 0 by an earlier one (stale)
$ machine_end
