# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root

A tree bears its absolute path as its name; who gives another path to it is told so.

$ pkram init -q --size 32M; mkdir -p u/below; pkram save -q u; pkram save -q u/below; echo x | pkram put -q stream
$ for verb in restore verify get info rm; do pkram $verb u; done
! pkram: file:DIR/region: no node named u; perhaps DIR/u
! pkram: file:DIR/region: no node named u; perhaps DIR/u
! pkram: file:DIR/region: no node named u; perhaps DIR/u
! pkram: file:DIR/region: no node named u; perhaps DIR/u
! pkram: file:DIR/region: no node named u; perhaps DIR/u
[1]
$ pkram verify u/; pkram verify ./u/; pkram verify $PWD/u//; pkram verify u/../u
! pkram: file:DIR/region: no node named u/; perhaps DIR/u
! pkram: file:DIR/region: no node named ./u/; perhaps DIR/u
! pkram: file:DIR/region: no node named DIR/u//; perhaps DIR/u
! pkram: file:DIR/region: no node named u/../u; perhaps DIR/u
[1]
$ cd u; pkram verify below; cd ..
! pkram: file:DIR/region: no node named below; perhaps DIR/u/below

Also where it is not there any more; and where there is none, what lists them is named.

$ rm -r u; pkram restore u/; pkram restore $PWD/u/; pkram restore stream/
! pkram: file:DIR/region: no node named u/; perhaps DIR/u
! pkram: file:DIR/region: no node named DIR/u/; perhaps DIR/u
! pkram: file:DIR/region: no node named stream/; 'pkram ls' lists what is there
[1]
$ pkram verify nothing; pkram verify ''; pkram verify /
! pkram: file:DIR/region: no node named nothing; 'pkram ls' lists what is there
! pkram: verify: an empty word is no NAME; see 'pkram verify --help'
! pkram: file:DIR/region: no node named /; 'pkram ls' lists what is there
[1]
$ pkram rm stream u
! pkram: file:DIR/region: no node named u; perhaps DIR/u
[1]
$ pkram ls -n -o name
| DIR/u
| DIR/u/below
| stream
