# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# The account of a jump, with the jump itself left to poke: real ones happen in virtual machines.

$ for boot in 1 2 3; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/sys
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 208 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ first() { pkram --sysroot m1 "$@"; }; second() { pkram --sysroot m2 "$@"; }; third() { pkram --sysroot m3 "$@"; }
$ id=$(printf %032d 7); boot=00000001000040008000000000000000; echo "quiet pkram.jump=$id" >m2/proc/cmdline
$ times() { sed -E 's/[0-9]+\.[0-9]{3}/T/g; s/ +/ /g; s/ [0-9.]+ [MG]B\/s/ RATE/; s/ +$//'; }

$ first report
! pkram: region file:DIR/region (from PKRAM_REGION): No such file or directory; 'pkram init --size N' makes it
[1]
$ first init -q --size 32M; first report
! pkram: file:DIR/region: nothing to report: no jump has arrived here
[3]
$ mkdir a; seq 100000 >a/f; first save -q -n a a; mkdir b; echo b >b/f; first save -q -n b b; seq 9 | first put -q s
$ poke region arm $id $boot 9000000; third report
! pkram: file:DIR/region: nothing to report: an earlier boot was about to jump, but this kernel was not started by that jump; none has arrived here
[3]

The first opening in the new kernel claims the jump.

$ second report >out; times <out
| Jump TIME
| Clock wall clocks: what was in the new kernel is uncertain by T s
| Downtime T s: T down, T boot, T wait, T restore
| Nodes 3 came by it, 0 restored
|
| PHASE NODE START TIME SIZE RATE
| save a -T T 584.0K RATE
| save b -T T 12.0K RATE
| save s -T T 18B RATE
| stage -T
| down +T T
| boot +T T
$ awk '$1 == "Downtime" { print ($2 >= 9000000 && $2 < 9000300), ($2 - $4 - $6 < 0.01) }' out
| 1 1

Restored once, a node is told of once, and goes on to be when it is gone.

$ sleep 0.01; second restore -q --to to a; sleep 0.01; second get s >/dev/null; second restore -q --to to --force a; second report | times | tail -n 5
| boot +T T
| wait +T T
| restore a +T T 584.0K RATE
| wait +T T
| restore s +T T 18B RATE
$ second rm s; second report | times | sed -n '4p; /, gone)/p'
| Nodes 3 came by it, 2 restored, 1 gone since
| restore (node 3, gone) +T T 18B RATE
$ second put -q new <a/f; second get new >/dev/null; second report | grep Nodes
| Nodes      3 came by it, 2 restored, 1 gone since
$ second report --json | python3 -c '
> import json, sys
> r = json.load(sys.stdin)
> print(r["jump"]["id"], r["jump"]["state"], r["next"], r["clock"], r["uncertainty"], r["nodes"], r["gone"], r["restored"], r["untold"])
> print([p["phase"] + ":" + p.get("node", "") for p in r["phases"] if p["phase"] != "wait"])
> starts = [p["start"] for p in r["phases"]]
> print(starts == sorted(starts), abs(r["downtime"] - r["down"] - r["boot"] - r["wait"] - r["restore"]) < 1e-5)
> down = next(p for p in r["phases"] if p["phase"] == "down")
> boot = next(p for p in r["phases"] if p["phase"] == "boot")
> print(down["start"], down["seconds"] == r["down"], abs(boot["start"] - r["down"]) < 1e-5)
> stage = next(p for p in r["phases"] if p["phase"] == "stage")
> print(-0.003 < stage["start"] <= -0.001, "seconds" in stage)'
| 00000000000000000000000000000007 arrived none wall 1.0 3 1 2 0
| ['save:a', 'save:b', 'stage:', 'down:', 'boot:', 'restore:a', 'restore:']
| True True
| 0.0 True True
| True False
$ second report -n | awk '{ print $1 }' | uniq | tr '\n' ' '; echo
| save stage down boot wait restore wait restore 

Another boot without a jump: it is the last one all the same. A later jump that did not arrive is named.

$ third report | times | sed -n 1p
| Jump TIME; the machine was started otherwise since
$ poke region arm $(printf %032d 8) 00000002000040008000000000000000 5; third report | times | sed -n 1,2p
| Jump TIME; the machine was started otherwise since
| Next jump of an earlier boot, has not arrived: TIME
$ third report --json | grep next; third --json | grep jump
|   "next": "past",
|   "next_time": "TIME",
|     "jump": "past",
|     "jump_time": "TIME"

A jump of a pkram that kept no account; nobody who only looks changes anything.

$ id=9$(printf %031d 0); echo "pkram.jump=$id" >m3/proc/cmdline
$ poke region arm $id 00000002000040008000000000000000 100; poke region set account 0; third get new >/dev/null
$ third report | times | grep -v stage
| Jump TIME
| Clock wall clocks: what was in the new kernel is uncertain by T s
| Downtime T s: T down, with the new kernel's boot; of what came later nothing is known
| Nodes 1 came by it, 1 restored (1 of them not listed)
|
| PHASE NODE START TIME SIZE RATE
| save new -T T 575.1K RATE
| down +T T
$ sha256sum region >before; third report >/dev/null; third report --json >/dev/null; sha256sum region | cmp - before

$ pkram report x
! pkram: report: 'x' is one argument too many; see 'pkram report --help'
[2]
