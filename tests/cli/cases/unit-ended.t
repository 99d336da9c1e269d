# SPDX-License-Identifier: LGPL-2.1-or-later

What units run, told to end. Two boots of recorded machines, with the jump left to poke.

$ for boot in 1 2; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/run
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 208 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ id=$(printf %032d 7); echo "quiet pkram.jump=$id" >m2/proc/cmdline
$ mkdir t; echo 1 >t/a; pkram --sysroot m1 init -q --size 16M; pkram --sysroot m1 save -q t; rm -r t
$ poke region arm $id 00000001000040008000000000000000 5

A restore promises nothing then. It gets no further than its message, for which the pipe has no room.

$ caught() { for ((i = 0; i < 500; i++)); do
>   grep -qsz $'Name:\tpkram\n.*SigCgt:\t[0-9a-f]*[4-7c-f][0-9a-f]\\{3\\}\n' /proc/$1/status && return; sleep 0.01
> done; echo "it does not"; }
$ mkfifo pipe; exec 9<>pipe; dd if=/dev/zero of=pipe oflag=nonblock bs=4k status=none 2>/dev/null
[1]
$ pkram --sysroot m2 unit restore x "$PWD/t" 2>pipe & caught $!; kill -TERM $!; cat <&9 >/dev/null & wait %1; kill $!; exec 9>&-
$ ls m2/run
