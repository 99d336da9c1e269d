# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A crash of a system that has kdump configured, with the packages of Debian: the dump is written, its kernel
# restores nothing and leaves the region as it is, and the boot after it is cold.

region=256M!4352M
memory=2048
system=debian
packages="kdump-tools makedumpfile"
seconds=900
when=all
append="systemd.show_status=no crashkernel=320M"

stage_1() {
	keep_journal
	printf 'path = /srv/cache\n' >/etc/pkram.d/cache.conf
	add_cache 60M
	systemctl enable --quiet --now pkram@cache.service
	expect 0 pkram init pmem:/dev/pmem0
	make_tree /srv/cache 20
	expect 0 pkram save /srv/cache
	await_boot
	[[ $(</sys/kernel/kexec_crash_loaded) == 1 ]] || fail "no kdump kernel is loaded"
	sync
	journalctl --sync
	mark jump
	say "next 2"
	echo c >/proc/sysrq-trigger
}

stage_2() {
	local -a dumps=(/var/crash/*/dump.*)

	mark landed
	[[ -s ${dumps[0]} ]] || fail "no dump was written"
	note "the dump has $(stat -c %s "${dumps[0]}") bytes"
	await_boot
	[[ -z $(ls /srv/cache) ]] || fail "something stale was restored after a crash"
	expect_unit pkram@cache.service "was saved for an earlier boot, and is not restored"
	run journalctl -o cat -u pkram@cache.service
	[[ $(grep -c "^Starting" "$OUTPUT") == 2 ]] || fail "the unit was started in the kdump kernel: $(<"$OUTPUT")"
	ok "the dump is written, the region untouched, the next boot cold"
}
