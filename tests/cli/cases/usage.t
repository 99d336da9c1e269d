# SPDX-License-Identifier: LGPL-2.1-or-later
# Wrong words: one line, what is wrong and where to look; exit code 2; nothing is touched.

$ pkram sav x
! pkram: no verb 'sav', perhaps 'save'; see 'pkram --help'
[2]
$ pkram list
! pkram: no verb 'list', perhaps 'ls'; see 'pkram --help'
[2]
$ pkram delete x
! pkram: no verb 'delete', perhaps 'rm'; see 'pkram --help'
[2]
$ pkram status
! pkram: no verb 'status': 'pkram' alone says where things stand; see 'pkram --help'
[2]
$ pkram frobnicate
! pkram: no verb 'frobnicate'; see 'pkram --help'
[2]
$ pkram $'sa\033[31mve'
! pkram: no verb 'sa\x1b[31mve'; see 'pkram --help'
[2]
$ pkram --live save x
! pkram: no option '--live'; see 'pkram --help'
[2]
$ pkram ls --live
! pkram: ls: no option '--live'; see 'pkram ls --help'
[2]
$ pkram --ver; pkram init --s 8M
! pkram: '--ver' may be --verbose or --version; see 'pkram --help'
! pkram: init: '--s' may be --sysroot or --size; see 'pkram init --help'
[2]
$ pkram ls -z
! pkram: ls: no option '-z'; see 'pkram ls --help'
[2]
$ pkram save
! pkram: save: PATH... is missing; see 'pkram save --help'
[2]
$ pkram info a b
! pkram: info: 'b' is one argument too many; see 'pkram info --help'
[2]
$ pkram rm --wipe=3 x
! pkram: rm: --wipe takes no value; see 'pkram rm --help'
[2]
$ pkram -r
! pkram: --region needs REGION; see 'pkram --help'
[2]
$ pkram ls --region
! pkram: ls: --region needs REGION; see 'pkram ls --help'
[2]
$ pkram -q -v ls
! pkram: ls: -q and -v exclude each other; see 'pkram ls --help'
[2]
$ pkram --threads 0 ls
! pkram: --threads: '0' is not a number from 1 to 4096, without zeros in front; see 'pkram --help'
[2]
$ pkram --threads 4097 ls
! pkram: --threads: '4097' is not a number from 1 to 4096, without zeros in front; see 'pkram --help'
[2]
$ pkram --threads 2K ls
! pkram: --threads: '2K' is not a number from 1 to 4096, without zeros in front; see 'pkram --help'
[2]
$ pkram --threads -1 ls
! pkram: --threads: '-1' is not a number from 1 to 4096, without zeros in front; see 'pkram --help'
[2]
$ ls -A

Options stand before or after the verb, and -- ends them.

$ pkram ls -- --json
! pkram: ls: '--json' is one argument too many; see 'pkram ls --help'
[2]
$ pkram --version
| pkram 0.1.0
$ pkram --version ls
| pkram 0.1.0
