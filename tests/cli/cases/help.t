# SPDX-License-Identifier: LGPL-2.1-or-later

$ pkram --help
| Usage: pkram [OPTION...] VERB [OPTION...] [ARGUMENT...]
|
| Keeps tmpfs trees and byte streams in reserved memory across kexec.
| Without a verb: says where things stand and what comes next.
|
| Verbs:
|   init      write an empty container into a region
|   save      save directories or files, each as a node, all or none
|   restore   restore trees, all or those named, each whole or not at all
|   put       save standard input as a node
|   get       write a node's bytes to standard output
|   ls        list the nodes of the region
|   info      show all that is known of one node
|   rm        remove nodes, all that are named or none
|   verify    read every checksum of all nodes, or of those named
|   regions   list the memory that could hold a region
|   region    convert a region's device, raw or devdax
|   plan      propose a place for a region, set it in the boot loader
|   check     say whether the jump is safe, and what to do if not
|   kexec     start the next kernel, once it is sure to keep the region
|   report    show where the time of the last jump went
|   export    write all nodes to a file, verified
|   import    copy the nodes of an exported file into the region
|   unit      what the units of systemd run, and the initramfs
|   help      print this help, or open the manual page of a verb
|
| Options, before or after the verb:
|   -r, --region REGION       devdax:PATH, pmem:PATH, file:PATH or PATH
|       --json                print results as JSON
|       --threads N           copy with at most N threads
|   -q, --quiet               print warnings and errors only
|   -v, --verbose             say more about what is done
|   -h, --help                print this help
|       --version             print the version
|
| Exit codes: 0 done, 1 failed, 2 usage, 3 nothing to do or stale,
| 4 damaged data found. See also 'pkram VERB --help' and pkram(8).
$ export MANPATH=$PWD/none; pkram help >a; pkram --help >b; pkram -h >c; cmp a b && cmp b c
$ pkram help save
| Usage: pkram save [OPTION...] PATH...
|
| Save directories or files, each as a node, all or none.
|
| Options:
|   -n, --name NAME           call the node NAME, not by its absolute path
|       --live                save although a file is in use
|       --allow-lossy         leave out what cannot be kept
|       --cross-mounts        go into other mounts below PATH
|       --keep-old            fail rather than drop an old node for its space
|
| Options of every verb:
|   -r, --region REGION       devdax:PATH, pmem:PATH, file:PATH or PATH
|       --json                print results as JSON
|       --threads N           copy with at most N threads
|   -q, --quiet               print warnings and errors only
|   -v, --verbose             say more about what is done
|   -h, --help                print this help
|       --version             print the version
|
| See also pkram-save(8).
$ pkram save --help | cmp - <(pkram help save)
$ pkram --help save | cmp - <(pkram help save)

The manual page, where it is installed and there is a man to show it.

$ mkdir bin; printf '#!/bin/sh\n[ "$1" = -w ] && echo found && shift || echo shown "$@"; [ "$2" = pkram-save ]\n' >bin/man; chmod +x bin/man
$ PATH=$PWD/bin:$PATH pkram help save
| shown 8 pkram-save
$ PATH=$PWD/bin:$PATH pkram help rm | head -n 1
| Usage: pkram rm [OPTION...] NAME...

$ pkram help frobnicate
! pkram: help: no verb 'frobnicate'; see 'pkram help --help'
[2]
$ pkram help --json
! pkram: help: --json has no meaning here; see 'pkram help --help'
[2]
$ pkram help save restore
! pkram: help: 'restore' is one argument too many; see 'pkram help --help'
[2]

A terminal's neighbour that went away is no error worth words; a full disk is.

$ pkram --help >/dev/full
! pkram: standard output: No space left on device
[1]
$ (sleep 1; pkram --help; echo $? >code) | true; cat code
| 1
$ pkram --help >&-
! pkram: standard output: Bad file descriptor
[1]
