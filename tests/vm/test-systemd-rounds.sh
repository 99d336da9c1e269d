# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# Ten jumps with systemd and data that fills 70 % of the region, made anew in each round: a save when the
# service has stopped gives up the space of what was restored.

region=256M!4352M
system=debian
packages=python3
seconds=2400
when=all
append="systemd.show_status=no"
ROUNDS=10

stage() {
	if ((STAGE == 1)); then
		keep_journal
		expect 0 pkram init pmem:/dev/pmem0
		printf 'path = /srv/cache\n' >/etc/pkram.d/cache.conf
		add_cache 250M
		systemctl enable --quiet --now pkram@cache.service
	else
		await_boot
		after "round-$((STAGE - 1))" "$(oracle hash /srv/cache)"
		ok "round $((STAGE - 1))"
		((STAGE <= ROUNDS)) || return 0
		oracle unlock /srv/cache
		find /srv/cache -mindepth 1 -delete
	fi
	make_tree /srv/cache 10 "$STAGE"
	head -c 155M /dev/urandom >/srv/cache/big
	before "round-$STAGE" "$(oracle hash /srv/cache)"
	note "$(du -sm /srv/cache | cut -f 1) MiB of data"
	region_will_be any
	leave $((STAGE + 1)) pkram kexec
}
