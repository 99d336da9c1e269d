# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# Debian with systemd: memcached, and a directory of another service, survive `pkram kexec` without a
# further command; after a crash, and after a reboot through the firmware, both start cold, and what
# they have made since survives the next jump.

region=256M!4352M
system=debian
seconds=600
when=all
# again: also the jump after the crash, and a reboot. newer: the same with the systemd of the next Debian,
# whose reboot starts the kernel that is loaded.
variants=once
variants_all="again newer"
[[ ${variant:-} != newer ]] || release=trixie
append="systemd.show_status=no"

# memcached's own words, by bash.
memcached_ask() {
	exec 7<>/dev/tcp/127.0.0.1/11211
	printf '%b' "$1" >&7
	while IFS= read -r -t 10 -u 7 line; do
		line=${line%$'\r'}
		printf '%s\n' "$line"
		[[ $line != END && $line != STORED ]] || break
	done
	exec 7>&-
}

ITEMS=400

memcached_load() {
	local i words=''

	for ((i = 0; i < ITEMS; i++)); do
		words+="set key$i 0 0 8 noreply\r\n$(printf '%08d' $((i * $1)))\r\n"
	done
	memcached_ask "${words}set last 0 0 1\r\n1\r\n" >/dev/null
}

# How many keys have the value that was loaded with this factor.
memcached_hits() {
	local i words='' n=0 value=''

	for ((i = 0; i < ITEMS; i++)); do
		words+=" key$i"
	done
	while read -r line; do
		if [[ $line == VALUE* ]]; then
			value=${line#VALUE key}
			value=${value%% *}
		elif [[ $value && $line == "$(printf '%08d' $((value * $1)))" ]]; then
			n=$((n + 1))
			value=
		fi
	done < <(memcached_ask "get$words\r\n")
	printf '%s\n' "$n"
}

await_memcached() {
	local i

	for ((i = 0; i < 100; i++)); do
		! (: </dev/tcp/127.0.0.1/11211) 2>/dev/null || return 0
		sleep 0.2
	done
	fail "memcached does not answer: $(systemctl status memcached | tail -n 3)"
}

configure() {
	keep_journal
	mkdir -p /etc/pkram.d /srv/memcached /srv/cache /etc/systemd/system/{memcached,cache}.service.d
	cat >>/etc/fstab <<-END
		tmpfs /srv/memcached tmpfs size=100M,mode=0700,uid=memcache,nosuid,nodev 0 0
		tmpfs /srv/cache tmpfs size=60M,mode=755 0 0
	END
	cat >/etc/systemd/system/memcached.service.d/warm.conf <<-END
		[Service]
		ExecStart=
		ExecStart=/usr/bin/memcached -u memcache -m 48 -l 127.0.0.1 -e /srv/memcached/memory
		KillSignal=SIGUSR1
	END
	cat >/etc/pkram.d/memcached.conf <<-END
		path = /srv/memcached
		service = memcached.service
		time-limit = 100s
	END
	# By its path alone.
	cat >/etc/systemd/system/cache.service <<-END
		[Unit]
		Wants=pkram@srv-cache.service
		After=pkram@srv-cache.service
		[Service]
		ExecStart=sleep infinity
		[Install]
		WantedBy=multi-user.target
	END
	systemctl daemon-reload
	systemctl enable --quiet cache.service
	systemctl start srv-memcached.mount srv-cache.mount
	systemctl restart memcached.service cache.service
}

stage_1() {
	configure
	await_memcached
	expect_unit pkram@memcached.service "no region of this machine holds a container"
	expect 0 pkram init pmem:/dev/pmem0
	memcached_load 7
	[[ $(memcached_hits 7) == "$ITEMS" ]] || fail "memcached does not keep what it is given"
	make_tree /srv/cache 20
	tell_tree before /srv/cache /srv/cache
	# The next kernel has restored, and noted that it has, before the host can look.
	region_will_be any
	leave 2 pkram kexec
}

stage_2() {
	local hits

	await_memcached
	hits=$(memcached_hits 7)
	[[ $hits == "$ITEMS" ]] || fail "memcached has $hits of $ITEMS items after the jump"
	tell_tree after /srv/cache /srv/cache
	ok "memcached: $hits of $ITEMS hits after the jump, no command given"
	expect 0 findmnt -n -o FSTYPE /srv/cache
	expect_unit pkram@memcached.service "restored 1 node"
	expect_unit pkram@srv-cache.service "restored 1 node"
	expect 0 pkram report
	memcached_load 11
	say "next 3"
	sync
	journalctl --sync
	echo c >/proc/sysrq-trigger
}

# After the crash nothing stale is served.
stage_3() {
	await_memcached
	[[ $(memcached_hits 7) == 0 && $(memcached_hits 11) == 0 ]] || fail "something stale was restored after a crash"
	[[ -z $(ls /srv/cache) ]] || fail "a stale tree was restored after a crash"
	ok "cold after the crash"
	expect_unit pkram@memcached.service "was saved for an earlier boot, and is not restored"
	expect_unit pkram@srv-cache.service "was saved for an earlier boot, and is not restored"
	# It serves nobody, and its place is taken by the next save.
	run systemctl status pkram@memcached.service
	says "status=3"
	[[ $variant != once ]] || return 0
	memcached_load 13
	region_will_be any
	leave 4 pkram kexec
}

# Cold once does not mean cold for good. Then a reboot, although a jump is staged.
stage_4() {
	await_memcached
	[[ $(memcached_hits 13) == "$ITEMS" ]] || fail "what was made after the crash is lost"
	ok "warm again after the next jump"
	expect 0 pkram kexec --load-only
	region_will_be any
	leave 5 systemctl reboot
}

stage_5() {
	await_memcached
	if [[ $variant == newer ]]; then
		[[ $(memcached_hits 13) == "$ITEMS" ]] || fail "a reboot into the staged kernel came up cold"
		ok "warm after a reboot, which was a jump"
		return
	fi
	[[ $(memcached_hits 13) == 0 ]] || fail "something stale was restored after a reboot"
	run journalctl -b -1 -o cat -u pkram@memcached.service
	says "not on its way into a kexec; nothing is saved"
	run journalctl -b -1 -o cat -u pkram-kexec.service
	says "nothing is armed"
	ok "cold after the reboot through the firmware"
}
