# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram region
! pkram: region: convert --to MODE [DEVICE] is missing; see 'pkram region --help'
[2]
$ pkram region convert --to raw
! pkram: region: DEVICE is missing; see 'pkram region --help'
[2]
$ pkram region convert /dev/pmem0
! pkram: region: --to raw or --to devdax is missing; see 'pkram region --help'
[2]
$ pkram region convert /dev/pmem0 --to fsdax
! pkram: region: --to: 'fsdax' is neither raw nor devdax; see 'pkram region --help'
[2]
$ pkram region revert /dev/pmem0 --to raw
! pkram: region: no action 'revert'; see 'pkram region --help'
[2]
$ pkram region convert a b --to raw
! pkram: region: 'b' is one argument too many; see 'pkram region --help'
[2]
$ pkram -r a region convert b --to raw
! pkram: region: -r and DEVICE name two regions; see 'pkram region --help'
[2]
$ pkram init -q --size 32M
$ pkram region convert $PKRAM_REGION --to raw --yes
! pkram: DIR/region is no pmem and no devdax device: nothing to convert
[1]
$ pkram region convert region --to devdax
! pkram: region is no pmem and no devdax device: nothing to convert
[1]
$ pkram region convert /dev/null --to devdax --yes
! pkram: /dev/null is no pmem and no devdax device: nothing to convert
[1]
$ pkram region convert none --to devdax --yes
! pkram: none: No such file or directory; 'pkram regions' lists what there is
[1]
$ pkram verify
! pkram: verified 0 nodes: 0 bytes in T s, RATE
