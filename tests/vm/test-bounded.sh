# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A kernel that has only kexec_load: pkram gives kexec-tools bounds, and the region at the top of RAM,
# which a plain `kexec -l` destroys (test-ground.sh), comes through with every page intact.

region=256M!4352M
seconds=300
when=all

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init
	mount_tmpfs /srv/data 100
	make_tree /srv/data 4
	tell_tree before data /srv/data
	expect 0 pkram save /srv/data
	put_stream alpha 3000001

	expect 0 pkram check --method load
	says "by kexec_load, bounded"
	loaded 0
	ok "checked"

	expect 0 pkram kexec --method load --load-only --append vm.stage=2
	says "loading by kexec_load, into memory from"
	loaded 1
	expect 0 pkram check --method load
	says "one that pkram has staged"
	expect 0 pkram kexec --cancel
	loaded 0
	ok "loaded between bounds, and unloaded"

	pkram kexec --method load --append vm.stage=2 </dev/null 2>&1 | tee "$OUTPUT" || true
	fail "pkram kexec came back: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
}

stage_2() {
	mount_tmpfs /srv/data 100
	expect 0 pkram restore
	tell_tree after data /srv/data
	get_stream alpha
	ok "restored after a jump by kexec_load"
}
