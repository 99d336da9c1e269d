# SPDX-License-Identifier: LGPL-2.1-or-later
# What is proposed on the recorded machines.

$ on() { local m=$1; shift; pkram plan --sysroot $CLI_SOURCE/tests/sysroot/$m "$@"; }
$ on laptop-uefi 4G
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=4G!4G
| Cost       64.0 MiB of ordinary memory for its page structures
| Left       11.6 GiB of 15.7 GiB for the system
| Set it     the same with --apply, or by hand: options of the boot entries, and /etc/kernel/cmdline
| Then       reboot; pkram init pmem:/dev/pmemN
$ on laptop-uefi 4G --kind devdax
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=4G!4G
| Cost       16.0 MiB of ordinary memory for its page structures
| Left       11.7 GiB of 15.7 GiB for the system
| Set it     the same with --apply, or by hand: options of the boot entries, and /etc/kernel/cmdline
| Then       reboot; pkram region convert /dev/pmemN --to devdax; pkram init
$ on laptop-uefi 6G --kind soft-reserved
| Region     6.0 GiB from 0x180000000 on (6.0 GiB), memory node 0
| Word       memmap=6G%6G-1+0xefffffff
| Cost       24.0 MiB of ordinary memory for its page structures
| Left       9.7 GiB of 15.7 GiB for the system
| Set it     the same with --apply, or by hand: options of the boot entries, and /etc/kernel/cmdline
| Then       blacklist kmem; reboot; pkram init devdax:/dev/daxX.Y
$ on laptop-uefi 14G
| Region     13.5 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=13792M!4G
| Cost       215.5 MiB of ordinary memory for its page structures
| Left       2.0 GiB of 15.7 GiB for the system
| Set it     the same with --apply, or by hand: options of the boot entries, and /etc/kernel/cmdline
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: warning: 3961 MiB are in use now, more than the 2081 MiB that would be left
! pkram: no usable range of the firmware's map is that large: the largest that fits is 13792 MiB
[1]
$ on server-1t-two-nodes 256G
| Region     256.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=256G!4G
| Cost       4.0 GiB of ordinary memory for its page structures
| Left       763.4 GiB of 1023.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
$ on server-1t-two-nodes 256G --node 1
| Region     256.0 GiB from 0x8080000000 on (514.0 GiB), memory node 1
| Word       memmap=256G!514G
| Cost       4.0 GiB of ordinary memory for its page structures
| Left       763.4 GiB of 1023.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
$ on server-1t-two-nodes 300G --node 1 --kind soft-reserved
| Region     300.0 GiB from 0x8080000000 on (514.0 GiB), memory node 1
| Word       memmap=300G%514G-1+0xefffffff
| Cost       1.2 GiB of ordinary memory for its page structures
| Left       722.3 GiB of 1023.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       blacklist kmem; reboot; pkram init devdax:/dev/daxX.Y
$ on server-1t-two-nodes 600G
| Region     600.0 GiB from 0x100000000 on (4.0 GiB)
| Word       memmap=600G!4G
| Cost       9.4 GiB of ordinary memory for its page structures
| Left       414.1 GiB of 1023.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: warning: the region would lie on several memory nodes: two regions, one on each, are faster
$ on server-1t-two-nodes 600G --node 1
| Region     511.5 GiB from 0x8080000000 on (514.0 GiB), memory node 1
| Word       memmap=523776M!514G
| Cost       8.0 GiB of ordinary memory for its page structures
| Left       503.9 GiB of 1023.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: node 1 has no free piece that large: the largest that fits is 523776 MiB; without --node 600 GiB fit
[1]
$ on server-1t-two-nodes 1T
| Region     1007.2 GiB from 0x100000000 on (4.0 GiB)
| Word       memmap=1031360M!4G
| Cost       15.7 GiB of ordinary memory for its page structures
| Left       516.5 MiB of 1023.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: warning: the region would lie on several memory nodes: two regions, one on each, are faster
! pkram: warning: 26301 MiB are in use now, more than the 516 MiB that would be left
! pkram: no usable range of the firmware's map is that large: the largest that fits is 1031360 MiB
[1]
$ on server-1t-two-nodes 1G --node 2
! pkram: no memory on node 2; see 'numactl --hardware'
[1]
$ on small-* 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       1.7 GiB of 2.0 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
$ on small-* 1G
| Region     752.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=752M!1G
| Cost       11.8 MiB of ordinary memory for its page structures
| Left       1.3 GiB of 2.0 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: firmware and boot loader use the rest of the largest range: the largest that fits is 752 MiB
[1]
$ on small-* 512M --kind soft-reserved
| Region     512.0 MiB from 0x40000000 on (1.0 GiB), memory node 0
| Word       memmap=512M%1G-1+0xefffffff
| Cost       2.0 MiB of ordinary memory for its page structures
| Left       1.5 GiB of 2.0 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       blacklist kmem; reboot; pkram init devdax:/dev/daxX.Y
$ on crashkernel 32G
| Region     32.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=32G!4G
| Cost       512.0 MiB of ordinary memory for its page structures
| Left       30.9 GiB of 63.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
$ on crashkernel 62G
| Region     61.2 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=62704M!4G
| Cost       979.8 MiB of ordinary memory for its page structures
| Left       1.2 GiB of 63.4 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: warning: 4589 MiB are in use now, more than the 1277 MiB that would be left
! pkram: no usable range of the firmware's map is that large: the largest that fits is 62704 MiB
[1]
$ on two-nodes 256M
| Region     256.0 MiB from 0x100000000 on (4.0 GiB)
| Word       memmap=256M!4G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       955.5 MiB of 1.2 GiB for the system
| Set it     in the boot loader's configuration, which pkram does not know
| Then       reboot; pkram init pmem:/dev/pmemN
$ on nfit-raw 256M
| Region     256.0 MiB from 0x40000000 on (1.0 GiB)
| Word       memmap=256M!1G
| Cost       4.0 MiB of ordinary memory for its page structures
| Left       2.2 GiB of 2.5 GiB for the system
| Set it     in the boot loader's configuration, which pkram does not know
| Then       reboot; pkram init pmem:/dev/pmemN

Four words are there already.

$ on memmap-words 2G
| Region     2.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=2G%24G-1+0xefffffff,2G!4G
| Instead of memmap=2G%24G-1+0xefffffff
| Cost       32.0 MiB of ordinary memory for its page structures
| Left       23.4 GiB of 25.5 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
$ on memmap-words 4G --kind soft-reserved
| Region     4.0 GiB from 0x100000000 on (4.0 GiB), memory node 0
| Word       memmap=2G%24G-1+0xefffffff,4G%4G-1+0xefffffff
| Instead of memmap=2G%24G-1+0xefffffff
| Cost       16.0 MiB of ordinary memory for its page structures
| Left       21.4 GiB of 25.5 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       blacklist kmem; reboot; pkram init devdax:/dev/daxX.Y
$ on memmap-words 32G
| Region     8.0 GiB from 0x300000000 on (12.0 GiB), memory node 0
| Word       memmap=2G%24G-1+0xefffffff,8G!12G
| Instead of memmap=2G%24G-1+0xefffffff
| Cost       128.0 MiB of ordinary memory for its page structures
| Left       17.3 GiB of 25.5 GiB for the system
| Set it     the same with --apply, or by hand: GRUB_CMDLINE_LINUX, update-grub
| Then       reboot; pkram init pmem:/dev/pmemN
! pkram: no usable range of the firmware's map is that large: the largest that fits is 8 GiB
[1]
$ on memmap-words 2G --json
| {
|   "verb": "plan",
|   "kind": "pmem",
|   "fits": true,
|   "wanted": 2147483648,
|   "size": 2147483648,
|   "ram": 27336591360,
|   "start": 4294967296,
|   "node": 0,
|   "pages": 33554432,
|   "left": 25155553280,
|   "fixed_kernel": false,
|   "word": "memmap=2G%24G-1+0xefffffff,2G!4G",
|   "extends": "memmap=2G%24G-1+0xefffffff",
|   "command_line": "root=/dev/mapper/ws-root ro quiet memmap=4G!8G memmap=64K$0x18690000 memmap=0x20000000$20G memmap=2G%24G-1+0xefffffff,2G!4G",
|   "config": "/etc/default/grub",
|   "config_word": "memmap=2G%24G-1+0xefffffff,2G!4G"
| }

Sizes are rounded up.

$ on crashkernel 1000001K --json
| {
|   "verb": "plan",
|   "kind": "pmem",
|   "fits": true,
|   "wanted": 1040187392,
|   "size": 1040187392,
|   "ram": 68116844544,
|   "start": 4294967296,
|   "node": 0,
|   "pages": 16252928,
|   "left": 67060404224,
|   "fixed_kernel": false,
|   "word": "memmap=992M!4G",
|   "command_line": "root=UUID=UUID ro quiet crashkernel=512M,high memmap=992M!4G",
|   "config": "/etc/default/grub.d/50-pkram.cfg",
|   "config_word": "memmap=992M!4G"
| }
$ on crashkernel 100G --json
| {
|   "verb": "plan",
|   "kind": "pmem",
|   "fits": false,
|   "wanted": 107374182400,
|   "limit": "no usable range of the firmware's map is that large: the largest that fits is 62704 MiB",
|   "size": 65749909504,
|   "ram": 68116844544,
|   "start": 4294967296,
|   "node": 0,
|   "pages": 1027342336,
|   "left": 1339592704,
|   "fixed_kernel": false,
|   "word": "memmap=62704M!4G",
|   "command_line": "root=UUID=UUID ro quiet crashkernel=512M,high memmap=62704M!4G",
|   "config": "/etc/default/grub.d/50-pkram.cfg",
|   "config_word": "memmap=62704M!4G"
| }
! pkram: warning: 4589 MiB are in use now, more than the 1277 MiB that would be left
! pkram: no usable range of the firmware's map is that large: the largest that fits is 62704 MiB
[1]

The memory map is for root alone, and of x86.

$ mkdir m && cp -r --parents /proc/sys/kernel/random/boot_id m
$ pkram plan --sysroot m 1G
! pkram: no /sys/firmware/memmap: a region is planned from the firmware's memory map, which x86 has
[1]
$ cp -r $CLI_SOURCE/tests/sysroot/small-*/. m
$ sed -i 's/[0-9a-f]*-[0-9a-f]* :/00000000-00000000 :/' m/proc/iomem
$ pkram plan --sysroot m 1G
! pkram: /proc/iomem shows its addresses to root alone: run this as root
[1]
$ pkram plan --sysroot m 1G --json
! pkram: /proc/iomem shows its addresses to root alone: run this as root
[1]

A memory map that is not understood is no damage of a region.

$ cp $CLI_SOURCE/tests/sysroot/small-*/proc/iomem m/proc; echo garbage >>m/proc/iomem
$ pkram plan --sysroot m 1G
! pkram: /proc/iomem: not understood: garbage
[1]
$ pkram regions --sysroot m
! pkram: /proc/iomem: not understood: garbage
[1]

Wrong usage.

$ pkram plan
! pkram: plan: SIZE is missing; see 'pkram plan --help'
[2]
$ pkram plan 0
! pkram: plan: '0' is too small (digits, then K, M, G or T); see 'pkram plan --help'
[2]
$ pkram plan 1X
! pkram: plan: '1X' is not a size (digits, then K, M, G or T); see 'pkram plan --help'
[2]
$ pkram plan 99999999T
! pkram: plan: '99999999T' is too large (digits, then K, M, G or T); see 'pkram plan --help'
[2]
$ pkram plan 18446744073692774401
! pkram: plan: '18446744073692774401' is too large (digits, then K, M, G or T); see 'pkram plan --help'
[2]
$ on small-* 18446744073692774400 -q --json | grep wanted
|   "wanted": 18446744073692774400,
! pkram: no usable range of the firmware's map is that large: the largest that fits is 752 MiB
$ pkram plan 1G 2G
! pkram: plan: '2G' is one argument too many; see 'pkram plan --help'
[2]
$ pkram plan 1G --kind disk
! pkram: plan: --kind: 'disk' is not pmem, devdax or soft-reserved; see 'pkram plan --help'
[2]
$ pkram plan 1G --node x
! pkram: plan: --node: 'x' is not a number of a node; see 'pkram plan --help'
[2]
$ pkram plan 1G --yes
! pkram: plan: --yes goes with --apply or --remove; see 'pkram plan --help'
[2]
$ pkram plan --remove 1G
! pkram: plan: --remove goes alone, or with --yes; see 'pkram plan --help'
[2]
$ pkram plan --remove --apply
! pkram: plan: --remove goes alone, or with --yes; see 'pkram plan --help'
[2]

What fits can be asked for as it is told, and a jump has room for its mark on the line.

$ on laptop-uefi 13792M -q 2>&1 | grep Word
| Word       memmap=13792M!4G
$ rm -rf m; cp -r $CLI_SOURCE/tests/sysroot/crashkernel m; rm -r m/etc; printf 'ro %01987d\n' 0 >m/proc/cmdline; pkram plan --sysroot m 4G -q | grep Word
| Word       memmap=4G!4G
$ printf 'ro %01988d\n' 0 >m/proc/cmdline; pkram plan --sysroot m 4G -q
! pkram: with memmap=4G!4G and the mark of a jump the command line has 2048 bytes, the kernel reads 2047: take words off it first
[1]
