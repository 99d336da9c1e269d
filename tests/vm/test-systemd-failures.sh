# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# What goes wrong with a unit leaves its service cold, is seen in `systemctl status`, and is over with the
# next jump: damage in the region, a save without room for it.

region=256M!4352M
system=debian
packages=python3
seconds=900
when=all
append="systemd.show_status=no"

MARK="this block is going to be damaged"

stage_1() {
	keep_journal
	printf 'path = /srv/cache\nservice = cache.service\n' >/etc/pkram.d/cache.conf
	# What it leaves when it stops is up to the stage.
	cat >/etc/systemd/system/cache.service <<-END
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=touch /srv/cache/started
		ExecStop=-/srv/cache/stop
		[Install]
		WantedBy=multi-user.target
	END
	add_cache 400M
	systemctl enable --quiet --now cache.service
	expect 0 pkram init pmem:/dev/pmem0
	printf '%s\n' "$MARK" >/srv/cache/marked
	spoil "$MARK"
	region_will_be any
	leave 2 pkram kexec
}

stage_2() {
	await_boot
	expect_unit pkram@cache.service "damage"
	run systemctl status pkram@cache.service
	says "status=4"
	[[ $(systemctl is-active cache.service) == active ]] || fail "damage kept the service from starting"
	[[ $(ls /srv/cache) == started ]] || fail "something damaged was restored: $(ls /srv/cache)"
	ok "damage: the service is cold, and systemctl status says why"
	make_tree /srv/cache/tree 20
	tell_tree before /srv/cache/tree /srv/cache/tree
	region_will_be any
	leave 3 pkram kexec
}

stage_3() {
	await_boot
	tell_tree after /srv/cache/tree /srv/cache/tree
	ok "warm again after the next jump"
	# Nobody knows before it has stopped that there will be no room.
	printf '#!/bin/sh\nyes | head -c 300M >/srv/cache/big\n' >/srv/cache/stop
	chmod +x /srv/cache/stop
	leave 4 pkram kexec
}

# Through the firmware: the host takes it for a crash unless this stage was asked for.
stage_4() {
	await_boot
	[[ $(</proc/sys/kernel/bootloader_type) != 208 ]] || fail "it jumped without what should have been saved"
	[[ $(ls /srv/cache) == started ]] || fail "something stale was restored: $(ls /srv/cache)"
	run journalctl -b -1 -o cat -u pkram@cache.service
	says "no room"
	run journalctl -b -1 -o cat -u pkram-kexec.service
	says "the next boot is a cold one"
	ok "no room: nothing was armed, and the next boot is cold"
}
