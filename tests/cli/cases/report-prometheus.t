# SPDX-License-Identifier: LGPL-2.1-or-later
# needs: root
# The metrics, read by Prometheus' own parser.

$ for boot in 1 2; do
>   mkdir -p m$boot/proc/sys/kernel/random m$boot/sys
>   echo "0000000$boot-0000-4000-8000-000000000000" >m$boot/proc/sys/kernel/random/boot_id
>   echo quiet >m$boot/proc/cmdline; echo 208 >m$boot/proc/sys/kernel/bootloader_type
>   ln -s /proc/self /proc/meminfo m$boot/proc/
> done
$ first() { pkram --sysroot m1 "$@"; }; second() { pkram --sysroot m2 "$@"; }
$ metrics() { $CLI_SOURCE/tests/schema/metrics "$@"; }
$ id=$(printf %032d 7); echo "quiet pkram.jump=$id" >m2/proc/cmdline

A region that cannot be opened is told, too.

$ first report --prometheus >out; metrics -v <out
| pkram_up = 0
! pkram: region file:DIR/region (from PKRAM_REGION): No such file or directory; 'pkram init --size N' makes it
$ first report --prometheus=out.prom; echo $?; cat out.prom
| 1
| # HELP pkram_up Whether the region could be opened.
| # TYPE pkram_up gauge
| pkram_up{region=""} 0
! pkram: region file:DIR/region (from PKRAM_REGION): No such file or directory; 'pkram init --size N' makes it
$ first init -q --size 32M; first report --prometheus | metrics
| pkram_up = N
| pkram_region_info uuid=UUID = N
| pkram_region_size_bytes = N
| pkram_region_payload_bytes = N
| pkram_region_free_bytes = N
| pkram_region_recovered = 0
| pkram_jump_staged = 0
| pkram_nodes state=fresh = 0
| pkram_nodes state=restored = 0
| pkram_nodes state=stale = 0
| pkram_nodes state=damaged = 0
| pkram_nodes state=writing = 0
$ mkdir a; seq 100000 >a/f; first save -q -n a a; seq 9 | first put -q s
$ first report --prometheus | metrics | grep last
| pkram_last_save_timestamp_seconds = N
| pkram_last_save_nodes = N
| pkram_last_save_bytes = N
| pkram_last_save_duration_seconds = N
$ first report --prometheus | metrics -v | grep -E 'nodes|staged|save_bytes'
| pkram_jump_staged = 0
| pkram_nodes state=fresh = 2
| pkram_nodes state=restored = 0
| pkram_nodes state=stale = 0
| pkram_nodes state=damaged = 0
| pkram_nodes state=writing = 0
| pkram_last_save_nodes = 1
| pkram_last_save_bytes = 18

After a jump: what it took, and what came of it.

$ poke region arm $id 00000001000040008000000000000000 9000000; second restore -q --to to a
$ umask 077; second report --prometheus=out.prom; metrics <out.prom | grep -E 'jump|restore'
| pkram_jump_staged = 0
| pkram_nodes state=restored = N
| pkram_jump_timestamp_seconds = N
| pkram_jump_current = N
| pkram_jump_downtime_seconds = N
| pkram_jump_uncertainty_seconds = N
| pkram_jump_phase_seconds phase=down = N
| pkram_jump_phase_seconds phase=boot = N
| pkram_jump_phase_seconds phase=wait = N
| pkram_jump_phase_seconds phase=restore = N
| pkram_jump_nodes = N
| pkram_jump_gone_nodes = 0
| pkram_jump_restored_nodes = N
| pkram_last_restore_timestamp_seconds = N
| pkram_last_restore_bytes = N
| pkram_last_restore_duration_seconds = N
$ stat -c %a out.prom; ls -A | grep out
| 644
| out
| out.prom
$ second report --prometheus | metrics -v | grep -E 'nodes|current|restore_bytes'
| pkram_nodes state=fresh = 1
| pkram_nodes state=restored = 1
| pkram_nodes state=stale = 0
| pkram_nodes state=damaged = 0
| pkram_nodes state=writing = 0
| pkram_last_save_nodes = 1
| pkram_jump_current = 1
| pkram_jump_nodes = 2
| pkram_jump_gone_nodes = 0
| pkram_jump_restored_nodes = 1
| pkram_last_restore_bytes = 598016
$ second report --json >json; second report --prometheus >out; python3 - <<'END'
> import json, re
> j, out = json.load(open('json')), open('out').read()
> one = lambda name: float(re.search(r'^pkram_%s\{[^}]*\} (.*)' % name, out, re.M)[1])
> print(abs(one('jump_downtime_seconds') - j['downtime']) < 1e-5, one('jump_timestamp_seconds') > 1.7e9)
> print(0 <= one('last_restore_timestamp_seconds') - one('jump_timestamp_seconds') < 9000300)
> END
| True True
| True

Damage is found where it is looked for.

$ second report --prometheus --verify | metrics -v | grep -E 'verify_(success|bytes)'
| pkram_verify_success = 1
| pkram_verify_bytes = 598034
$ python3 - <<'END'
> b = open('region', 'rb').read()
> at = b.index(b'99998\n99999\n')
> f = open('region', 'r+b'); f.seek(at); f.write(b'x'); f.close()
> END
$ second report --prometheus=out.prom --verify 2>err; echo $?; metrics -v <out.prom | grep -E 'verify'; wc -l <err
| 4
| pkram_verify_success = 0
| 2
$ second report --prometheus | metrics -v | grep -c verify
| 0
[1]

A name with any bytes is a label; others see the file whole.

$ mkdir $'q"\\\n\xff'; cp region $'q"\\\n\xff/r'; second -r $'file:q"\\\n\xff/r' report --prometheus | tee out | metrics | sed -n 1p; head -n 3 out | tail -n 1
| pkram_up = N
| pkram_up{region="file:DIR/q\"\\\n\\xff/r"} 1
$ second report --prometheus=none/x.prom
! pkram: none/x.prom: No such file or directory
[1]
$ mkdir d.prom; mkfifo f.prom; ln -s to l.prom; for path in d.prom f.prom l.prom; do second report --prometheus=$path; done; ls -dF ?.prom*
| d.prom/
| f.prom|
| l.prom@
! pkram: d.prom: is there, and no regular file
! pkram: f.prom: is there, and no regular file
! pkram: l.prom: is there, and no regular file
$ second report --prometheus=
! pkram: report: --prometheus: an empty word is no FILE; see 'pkram report --help'
[2]
$ second report --verify
! pkram: report: --verify goes with --prometheus; see 'pkram report --help'
[2]
$ second report --prometheus --json
! pkram: report: --prometheus and --json exclude each other; see 'pkram report --help'
[2]
