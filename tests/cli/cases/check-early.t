# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# The check of an initrd that is to restore what is marked as early.

$ . $CLI_SOURCE/tests/cli/machine.sh
$ machine crashkernel 48G 8G && kernel 6.1.0 nd_e820 nd_pmem && reserve 'memmap=8G!48G'
$ look() { checks "$@" | awk '/^[a-z]/ && $1 != "exit" { on = $1 == "initrd" || $1 == "drivers" } on'; }
$ pack() { (cd image && find . | sort | cpio --quiet -o -H newc) | gzip >m/boot/initrd.img-6.1.0; }
$ mkdir -p m/etc/pkram.d image/etc/pkram.d image/usr/sbin image/lib/modules/6.1.0; pack; look
| initrd       ok      /boot/initrd.img-6.1.0: pkram is not inside
| drivers      ok      kernel 6.1.0 has what the memory needs
$ printf 'path = /srv/x\nearly = yes\n' >m/etc/pkram.d/x.conf; look
| initrd       warning /boot/initrd.img-6.1.0 lacks pkram: what is marked as early is restored later
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ look --initrd ''
| initrd       warning without an initrd, what is marked as early is restored later
| drivers      ok      kernel 6.1.0 has what the memory needs

With pkram inside the drivers have to be there, too, and the file as it is now.

$ touch image/usr/sbin/pkram image/lib/modules/6.1.0/nd_{e820,pmem}.ko; pack; look
| initrd       warning /boot/initrd.img-6.1.0 holds pkram without libkmod.so.2: it cannot load a driver
|                        -> make it anew: update-initramfs -u, or dracut --force
|              warning /boot/initrd.img-6.1.0 lacks /etc/pkram.d/x.conf: what is marked as early is restored later
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ mkdir -p image/usr/lib; touch image/usr/lib/libkmod.so.2; pack; look
| initrd       warning /boot/initrd.img-6.1.0 lacks /etc/pkram.d/x.conf: what is marked as early is restored later
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ rm image/lib/modules/6.1.0/nd_pmem.ko; cp m/etc/pkram.d/x.conf image/etc/pkram.d/; pack; look
| initrd       ok      /boot/initrd.img-6.1.0: restores by itself: pkram is inside
| drivers      fails   /boot/initrd.img-6.1.0 holds pkram, and not the module nd_pmem that it needs
|                        -> add it to the initrd (/etc/initramfs-tools/modules and update-initramfs -u, or dracut --add-drivers)
$ touch image/lib/modules/6.1.0/nd_pmem.ko; pack; look
| initrd       ok      /boot/initrd.img-6.1.0: restores by itself: pkram is inside
| drivers      ok      kernel 6.1.0 has what the memory needs
$ echo mount = size=1G >>m/etc/pkram.d/x.conf; look
| initrd       warning /boot/initrd.img-6.1.0 holds /etc/pkram.d/x.conf as it was before it changed
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ cp m/etc/pkram.d/x.conf image/etc/pkram.d/; pack; echo region = pmem:/dev/pmem0 >m/etc/pkram.conf; look
| initrd       warning /boot/initrd.img-6.1.0 lacks /etc/pkram.conf: what is marked as early is restored later
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs

It goes by the files that it holds, also by one that is not marked any more, or is gone.

$ cp m/etc/pkram.conf image/etc/; pack; look
| initrd       ok      /boot/initrd.img-6.1.0: restores by itself: pkram is inside
| drivers      ok      kernel 6.1.0 has what the memory needs
$ printf 'path = /srv/y\nearly = yes\n' >m/etc/pkram.d/y.conf; cp m/etc/pkram.d/y.conf image/etc/pkram.d/; pack
$ sed -i s/yes/no/ m/etc/pkram.d/x.conf; rm m/etc/pkram.conf; look
| initrd       warning /boot/initrd.img-6.1.0 holds /etc/pkram.conf, which is not there any more
|                        -> make it anew: update-initramfs -u, or dracut --force
|              warning /boot/initrd.img-6.1.0 restores what /etc/pkram.d/x.conf names, which is not to be restored early any more
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ sed -i s/no/yes/ m/etc/pkram.d/x.conf; rm m/etc/pkram.d/y.conf; touch m/etc/pkram.conf; look
| initrd       warning /boot/initrd.img-6.1.0 restores what /etc/pkram.d/y.conf names, which is not to be restored early any more
|                        -> make it anew: update-initramfs -u, or dracut --force
|              warning /boot/initrd.img-6.1.0 holds /etc/pkram.conf as it was before it changed
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ rm m/etc/pkram.d/x.conf m/etc/pkram.conf; look
| initrd       warning /boot/initrd.img-6.1.0 restores what /etc/pkram.d/x.conf names, which is not to be restored early any more
|                        -> make it anew: update-initramfs -u, or dracut --force
|              warning /boot/initrd.img-6.1.0 restores what /etc/pkram.d/y.conf names, which is not to be restored early any more
|                        -> make it anew: update-initramfs -u, or dracut --force
| drivers      ok      kernel 6.1.0 has what the memory needs
$ rm image/usr/sbin/pkram; pack; look
| initrd       ok      /boot/initrd.img-6.1.0: pkram is not inside
| drivers      ok      kernel 6.1.0 has what the memory needs
$ machine_end
