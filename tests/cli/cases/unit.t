# SPDX-License-Identifier: LGPL-2.1-or-later

What the units of systemd run. No systemd of these machines could be on its way into a kexec.

$ pkram unit
! pkram: unit: WHAT [NAME [PATH]] is missing; see 'pkram unit --help'
[2]
$ pkram unit restart x
! pkram: unit: 'restart' is not restore, save, arm, generate, early or early-files; see 'pkram unit --help'
[2]
$ pkram unit save
! pkram: unit: save: NAME is missing; see 'pkram unit --help'
[2]
$ pkram unit save ''; pkram unit save a b c; pkram unit arm now; pkram unit generate; pkram unit early; pkram unit early-files x
! pkram: unit: an empty word is no NAME; see 'pkram unit --help'
! pkram: unit: 'c' is one argument too many; see 'pkram unit --help'
! pkram: unit: arm: 'now' is one argument too many; see 'pkram unit --help'
! pkram: unit: generate: DIR is missing; see 'pkram unit --help'
! pkram: unit: early: ROOT is missing; see 'pkram unit --help'
! pkram: unit: early-files: 'x' is one argument too many; see 'pkram unit --help'
[2]
$ pkram unit save nothing-of-the-kind
! pkram: there is no /etc/pkram.d/nothing-of-the-kind.conf
[2]
$ pkram --sysroot "$PWD/m" unit save x 2>&1 | sed "s|$PWD|.|"
| pkram: there is no /etc/pkram.d/x.conf

A file has one line for each thing that it sets.

$ mkdir -p m/etc/pkram.d out
$ pkram --sysroot "$PWD/m" unit generate out
$ printf '# warm\npath = /srv/a b%%\npath=/srv/c\nservice = x.service\nservice = y@1.service\ntime-limit = 2min\n' >m/etc/pkram.d/x.conf
$ pkram --sysroot "$PWD/m" unit generate out
$ (cd out && find . -type f | sort)
| ./pkram@x.service.d/50-pkram-x.conf
| ./x.service.d/50-pkram-x.conf
| ./y@1.service.d/50-pkram-x.conf
$ cat out/*/*
| # Of /etc/pkram.d/x.conf
| [Unit]
| RequiresMountsFor="/srv/a b%%"
| RequiresMountsFor="/srv/c"
| [Service]
| TimeoutStartSec=2min
| TimeoutStopSec=2min
| # Of /etc/pkram.d/x.conf
| [Unit]
| Wants=pkram@x.service
| After=pkram@x.service
| # Of /etc/pkram.d/x.conf
| [Unit]
| Wants=pkram@x.service
| After=pkram@x.service

An error is named, and keeps none of the others from being read.

$ echo path = srv >m/etc/pkram.d/bad1.conf; echo service = x >m/etc/pkram.d/bad2.conf
$ echo pth = /srv >m/etc/pkram.d/bad3.conf; : >m/etc/pkram.d/bad4.conf; echo path >m/etc/pkram.d/bad5.conf
$ printf 'path = /a\nsave = never\n' >m/etc/pkram.d/bad6.conf; printf 'threads = 0\n' >m/etc/pkram.d/bad7.conf
$ printf 'path = /a\nmount =\n' >m/etc/pkram.d/bad8.conf; printf 'path\0 = /a\n' >m/etc/pkram.d/bad9.conf
$ rm -r out/*; pkram --sysroot "$PWD/m" unit generate out; ls out
| pkram@x.service.d
| x.service.d
| y@1.service.d
! pkram: /etc/pkram.d/bad1.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
! pkram: /etc/pkram.d/bad2.conf:1: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/bad3.conf:1: unknown key 'pth'; see pkram.conf(5)
! pkram: /etc/pkram.d/bad4.conf: it has no path: what is to be kept?
! pkram: /etc/pkram.d/bad5.conf:1: 'path' is not 'key = value'
! pkram: /etc/pkram.d/bad6.conf:2: save must be kexec or always
! pkram: /etc/pkram.d/bad7.conf:1: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/bad8.conf:2: mount must be yes, no, or options of a tmpfs
! pkram: /etc/pkram.d/bad9.conf: a NUL byte is in it: it is no text
$ pkram --sysroot "$PWD/m" unit save bad1
! pkram: /etc/pkram.d/bad1.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
[2]

Without a jump on its way, nothing is saved, unless that is wanted always.

$ pkram init -q --size 16M; mkdir t; echo 1 >t/a
$ pkram --sysroot m unit save plain $PWD/t 2>&1 | sed "s|$PWD|.|"
| pkram: plain: the machine is not on its way into a kexec; nothing is saved
$ pkram ls -n
! pkram: no nodes in file:DIR/region
$ pkram --sysroot m unit arm
! pkram: the machine is not on its way into a kexec; nothing is armed

The name of a file, and of a service, becomes part of a unit's, and of the drop-ins' lines.

$ rm -r m/etc/pkram.d/* out/*; cd m/etc/pkram.d; for name in 'a b' a%H $'a\n[Service]\nExecStart=x\n#' "$(printf %0242d 1)" .hidden 'srv-my\x2dcache' at@x -a--b 'a\b' 'a\x2'; do
>   printf 'path = /a\nservice = x.service\n' >"$name.conf"
> done; cd "$OLDPWD"; pkram --sysroot "$PWD/m" unit generate out; find out -type f | sort
| out/pkram@-a--b.service.d/50-pkram--a--b.conf
| out/pkram@at@x.service.d/50-pkram-at@x.conf
| out/pkram@srv-my\x2dcache.service.d/50-pkram-srv-my\x2dcache.conf
| out/x.service.d/50-pkram--a--b.conf
| out/x.service.d/50-pkram-at@x.conf
| out/x.service.d/50-pkram-srv-my\x2dcache.conf
! pkram: /etc/pkram.d/00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
! pkram: /etc/pkram.d/a\x0a[Service]\x0aExecStart=x\x0a#.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
! pkram: /etc/pkram.d/a b.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
! pkram: /etc/pkram.d/a%H.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
! pkram: /etc/pkram.d/a\b.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
! pkram: /etc/pkram.d/a\x5cx2.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
$ for name in '%n.service' $'a\tb.service' .service 'a"b.service'; do
>   printf 'path = /a\nservice = %s\n' "$name" >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
> done
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
[2]
$ for name in x.socket srv-a.mount local-fs.target x.services service; do
>   printf 'path = /a\nservice = %s\n' "$name" >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
> done
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
! pkram: /etc/pkram.d/x.conf:2: service must be the whole name of a service, as in memcached.service
[2]
$ for path in /a//../b a/b; do pkram --sysroot "$PWD/m" unit save none $path; done
! pkram: there is no /etc/pkram.d/none.conf
! pkram: there is no /etc/pkram.d/none.conf
[2]
$ pkram --sysroot "$PWD/m" unit save ../x /a
! pkram: /etc/pkram.d/../x.conf: its name must fit into that of a unit: letters, digits, '-', '_' and '.'
[2]
$ pkram --sysroot "$PWD/m" unit generate ''
! pkram: unit: an empty word is no DIR; see 'pkram unit --help'
[2]

A number is one, and has one meaning; a region has a name.

$ for setting in threads=08 threads=+8 threads=0x8 'threads = 8 8' threads= threads=4097 threads=18446744073709551617 region=; do
>   printf '# x\n\npath = /a\n%s\n' "$setting" >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
> done
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: threads must be a number from 1 to 4096, without zeros in front
! pkram: /etc/pkram.d/x.conf:4: region must be a name, as in pmem:/dev/pmem0
[2]
$ printf 'path = /a\nthreads = 4096\n' >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
! pkram: x: the machine is not on its way into a kexec; nothing is saved

A time limit is one line, which systemd reads.

$ for limit in '' '5min \' '5min"' '2 bananas' 5mins 5. 1.2.3 -5 99999999y 'infinity 5' '1h 30min 1.5s' '1w2days .5M 20' infinity; do
>   printf 'path = /a\ntime-limit = %s\n' "$limit" >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
> done
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: /etc/pkram.d/x.conf:2: time-limit must be a time span, as in 5min 30s
! pkram: x: the machine is not on its way into a kexec; nothing is saved
! pkram: x: the machine is not on its way into a kexec; nothing is saved
! pkram: x: the machine is not on its way into a kexec; nothing is saved

$ printf 'path = /a\nthreads = 1\nthreads = 2\n' >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
! pkram: /etc/pkram.d/x.conf:3: threads is given twice
[2]

A path is one thing, however it is spelled, and one that systemd takes for a path.

$ for path in /a/../b /a/. /.. $'/a\rb' $'/\xe9'; do echo "path = $path" >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x; done
! pkram: /etc/pkram.d/x.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
! pkram: /etc/pkram.d/x.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
! pkram: /etc/pkram.d/x.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
! pkram: /etc/pkram.d/x.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
! pkram: /etc/pkram.d/x.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
[2]
$ long=$(printf '/ab%.0s' {1..85}); for path in $long/ $long/c; do echo "path = $path" >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save -q x; done
! pkram: /etc/pkram.d/x.conf:1: path must be an absolute path in UTF-8, of at most 255 bytes, without . and ..
[2]
$ printf 'path = /a\npath = //a/\n' >m/etc/pkram.d/x.conf; pkram --sysroot "$PWD/m" unit save x
! pkram: /etc/pkram.d/x.conf:2: path /a is given twice
[2]
$ printf 'path = //a/...///b.c//\npath = ///\npath = /"a\\ %%H\n' >m/etc/pkram.d/x.conf; rm -r out/*; pkram --sysroot "$PWD/m" unit generate out 2>/dev/null; grep Mounts out/pkram@x*/*
| RequiresMountsFor="/a/.../b.c"
| RequiresMountsFor="/"
| RequiresMountsFor="/\"a\\ %%H"
