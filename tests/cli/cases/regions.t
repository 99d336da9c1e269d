# SPDX-License-Identifier: LGPL-2.1-or-later
Recorded machines; the region of the environment is listed last, on all of them.

$ on() { local m=$(echo "$CLI_SOURCE"/tests/sysroot/$1); shift; pkram --sysroot "$m" regions "$@"; }
$ unset PKRAM_REGION
$ on laptop-uefi
! pkram: no memory of this machine is reserved; 'pkram plan SIZE' finds a place for a region
$ on server-1t-two-nodes
! pkram: no memory of this machine is reserved; 'pkram plan SIZE' finds a place for a region
$ on small-*
! pkram: no memory of this machine is reserved; 'pkram plan SIZE' finds a place for a region
$ on crashkernel
! pkram: no memory of this machine is reserved; 'pkram plan SIZE' finds a place for a region
$ on memmap-words
| KIND          DEVICE RANGE                     SIZE USABLE NODE MODE STATE     RESERVED-BY                HINT
| legacy-pmem          0x200000000-0x2ffffffff   4.0G   4.0G      none no-driver memmap=4G!8G               modprobe -a nd_e820 nd_pmem, as other verbs of pkram do by themselves
| devmem               0x500000000-0x51fffffff 512.0M             none no-driver memmap=0x20000000$20G      a region needs '!' instead of '$' in its word
| soft-reserved        0x600000000-0x67fffffff   2.0G   2.0G      none no-driver memmap=2G%24G-1+0xefffffff modprobe -a device_dax dax_hmem, as other verbs of pkram do by themselves
$ on pmem-raw
| KIND        DEVICE     RANGE                   SIZE USABLE NODE MODE STATE   RESERVED-BY    HINT
| legacy-pmem /dev/pmem0 0x40000000-0x5fffffff 512.0M 510.0M      raw  unknown memmap=512M!1G a recorded machine has no devices to look into
$ on pmem-devdax
| KIND        DEVICE      RANGE                   SIZE USABLE NODE MODE   STATE   RESERVED-BY    HINT
| legacy-pmem /dev/dax0.0 0x40000000-0x5fffffff 512.0M 510.0M      devdax unknown memmap=512M!1G a recorded machine has no devices to look into
$ on pmem-lent
| KIND        DEVICE      RANGE                   SIZE USABLE NODE MODE       STATE RESERVED-BY    HINT
| legacy-pmem /dev/dax0.0 0x40000000-0x5fffffff 512.0M 510.0M      system-ram lent  memmap=512M!1G daxctl reconfigure-device -m devdax --force dax0.0
$ on soft-reserved
| KIND          DEVICE      RANGE                   SIZE USABLE NODE MODE   STATE   RESERVED-BY                 HINT
| soft-reserved /dev/dax0.0 0x40000000-0x5fffffff 512.0M 512.0M      devdax unknown memmap=512M%1G-1+0xefffffff a recorded machine has no devices to look into
$ on nfit-raw
| KIND   DEVICE     RANGE                     SIZE USABLE NODE MODE STATE   RESERVED-BY HINT
| nvdimm /dev/pmem0 0x100000000-0x10fffffff 256.0M 254.0M      raw  unknown firmware    a recorded machine has no devices to look into
$ on nfit-fsdax
| KIND   DEVICE     RANGE                     SIZE USABLE NODE MODE  STATE   RESERVED-BY HINT
| nvdimm /dev/pmem0 0x100600000-0x10fffffff 250.0M 248.0M      fsdax unknown firmware    a recorded machine has no devices to look into
$ on two-nodes
| KIND        DEVICE      RANGE                     SIZE USABLE NODE MODE   STATE   RESERVED-BY       HINT
| legacy-pmem /dev/pmem0  0x32000000-0x3bffffff   160.0M 158.0M    0 raw    unknown memmap=160M!800M  a recorded machine has no devices to look into
| legacy-pmem /dev/dax1.0 0x110000000-0x119ffffff 160.0M 158.0M    1 devdax unknown memmap=160M!4352M a recorded machine has no devices to look into

Where the firmware's map ends within the region, there is no memory for all of it.

$ mkdir short; cp -r $CLI_SOURCE/tests/sysroot/pmem-raw/. short
$ echo 0x57ffffff >short/sys/firmware/memmap/3/end
$ pkram --sysroot short regions -n -o range,hint
| 0x40000000-0x5fffffff the firmware's map has no memory there, or not all of it; pkram plan SIZE finds some

A file of settings that cannot be meant.

$ mkdir -p short/etc; echo 'region =' >short/etc/pkram.conf; pkram --sysroot short regions
! pkram: /etc/pkram.conf:1: region must be a name, as in pmem:/dev/pmem0
[1]
$ printf 'region = a\n\nregion = b\n' >short/etc/pkram.conf; pkram --sysroot short regions
! pkram: /etc/pkram.conf:3: region is given twice
[1]
$ mkdir -p short/proc/sys/kernel/random; cp {,short}/proc/sys/kernel/random/boot_id
$ echo 'region = nope' >short/etc/pkram.conf; pkram --sysroot short ls; rm -r short/etc
! pkram: region nope (from /etc/pkram.conf): No such file or directory; 'pkram regions' lists what there is

$ on two-nodes --json
| {
|   "regions": [
|     {
|       "kind": "legacy-pmem",
|       "device": "/dev/pmem0",
|       "start": 838860800,
|       "end": 1006632959,
|       "size": 167772160,
|       "usable": 165675008,
|       "node": 0,
|       "mode": "raw",
|       "state": "unknown",
|       "reserved_by": "memmap=160M!800M",
|       "hint": "a recorded machine has no devices to look into",
|       "spec": "pmem:/dev/pmem0",
|       "detail": "a recorded machine has no devices to look into"
|     },
|     {
|       "kind": "legacy-pmem",
|       "device": "/dev/dax1.0",
|       "start": 4563402752,
|       "end": 4731174911,
|       "size": 167772160,
|       "usable": 165675008,
|       "node": 1,
|       "mode": "devdax",
|       "state": "unknown",
|       "reserved_by": "memmap=160M!4352M",
|       "hint": "a recorded machine has no devices to look into",
|       "align": 2097152,
|       "spec": "devdax:/dev/dax1.0",
|       "detail": "a recorded machine has no devices to look into"
|     }
|   ]
| }
$ on memmap-words --json -o range,size,usable,state,reserved-by
| {
|   "regions": [
|     {
|       "start": 8589934592,
|       "end": 12884901887,
|       "size": 4294967296,
|       "usable": 4292870144,
|       "state": "no-driver",
|       "reserved_by": "memmap=4G!8G"
|     },
|     {
|       "start": 21474836480,
|       "end": 22011707391,
|       "size": 536870912,
|       "state": "no-driver",
|       "reserved_by": "memmap=0x20000000$20G"
|     },
|     {
|       "start": 25769803776,
|       "end": 27917287423,
|       "size": 2147483648,
|       "usable": 2147483648,
|       "state": "no-driver",
|       "reserved_by": "memmap=2G%24G-1+0xefffffff"
|     }
|   ]
| }
$ on memmap-words --json -o kind | python3 -c 'import json, sys; json.load(sys.stdin)'
$ on small-* --json
| {
|   "regions": []
| }
$ on soft-reserved -n -b -o spec,align,usable,detail
| devdax:/dev/dax0.0 2097152 536870912 a recorded machine has no devices to look into

$ on small-* -r ''; on small-* -r nvme:/dev/x
! pkram: region "" names no path; 'pkram regions' lists what there is
! pkram: region nvme:/dev/x: no kind of region is called nvme:, only devdax:, pmem: and file: are
[1]

Files, whatever is in them.

$ export PKRAM_REGION=file:$PWD/region
$ on pmem-lent -o device,kind,state,hint | tr -s " "
| DEVICE KIND STATE HINT
| /dev/dax0.0 legacy-pmem lent daxctl reconfigure-device -m devdax --force dax0.0
| DIR/region file unknown pkram init --size N file:DIR/region
$ pkram init -q --size 32M
$ on small-* | tr -s ' '
| KIND DEVICE RANGE SIZE USABLE NODE MODE STATE RESERVED-BY HINT
| file DIR/region 32.0M 32.0M none container, 0 nodes, 27.0M free pkram -r file:DIR/region save PATH
$ echo hello | pkram put -q a
$ on small-* -o device,state,nodes,hint | tr -s ' '
| DEVICE STATE NODES HINT
| DIR/region container, 1 node, 27.0M free 1 pkram -r file:DIR/region ls
$ on small-* --json
| {
|   "regions": [
|     {
|       "kind": "file",
|       "device": "DIR/region",
|       "size": 33554432,
|       "usable": 33554432,
|       "mode": "none",
|       "state": "container",
|       "reserved_by": "",
|       "hint": "pkram -r file:DIR/region ls",
|       "spec": "file:DIR/region",
|       "detail": "",
|       "uuid": "UUID",
|       "generation": 4,
|       "container": 33554432,
|       "nodes": 1,
|       "free": 28299264
|     }
|   ]
| }
$ head -c 9M /dev/zero >empty; mke2fs -q -t ext2 -F empty 2>/dev/null; truncate -s 1M small
$ for f in empty small /dev/null none; do on small-* -n -r $f -o kind,device,size,usable,state,hint; done
| file empty  9.0M   9.0M foreign, ext2 pkram init --force empty, if that may go
| file small  1.0M   1.0M empty too small: a container needs 8 MiB
| other /dev/null             unknown /dev/null: /sys does not know this device: No such device
| file none               unknown pkram init --size N none
$ truncate -s 20M region
$ on small-* -n -o state,detail,hint | tr -s ' '
| unreadable file:DIR/region: the file was cut: its container was made with 33554432 bytes, 20971520 are here; take a whole copy of it pkram -r file:DIR/region verify, which says more
$ on small-* -o name
! pkram: regions: --output: 'name' has an unknown column; see 'pkram regions --help'
[2]
$ on small-* extra
! pkram: regions: 'extra' is one argument too many; see 'pkram regions --help'
[2]
