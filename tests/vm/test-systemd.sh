# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# Debian with systemd: memcached as in examples/, and a directory of another service, survive `pkram kexec`
# without a further command; after a crash, and after a reboot through the firmware, both start cold, and
# what they have made since survives the next jump. /boot is a filesystem of its own at the first one.

region=256M!4352M
system=debian
packages=python3
seconds=1200
# again: also the jump after the crash, and a reboot. newer: the same with the systemd of the next Debian,
# whose reboot starts the kernel that is loaded.
variants=once
variants_all="again newer"
[[ ${variant:-} != newer ]] || release=trixie
append="systemd.show_status=no"

extra() {
	cp -r "$VM_TOP/examples" "$1/"
}

configure() {
	keep_journal
	set_up memcached
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
	add_cache 60M
	systemctl enable --quiet --now cache.service
	# What nothing but its unit mounts again.
	mount_tmpfs /srv/own 20
	systemctl enable --quiet --now pkram@srv-own.service
}

# A filesystem of its own that nothing waits for: gone before the jump is armed.
move_boot() {
	mv /boot /boot.root
	mkdir /boot
	printf '[Mount]\nWhat=boot\nWhere=/boot\nType=tmpfs\nOptions=nofail\n' >/run/systemd/system/boot.mount
	systemctl daemon-reload
	systemctl start boot.mount
	cp -a /boot.root/. /boot/
}

# expect_moved: the kernel came from its copy.
expect_moved() {
	run journalctl -b -1 -o cat -u pkram-kexec.service
	says "(/run/pkram/kernel, initrd /run/pkram/initrd)"
	rmdir /boot || fail "/boot was not unmounted"
	mv /boot.root /boot
	ok "/boot was gone when the jump was armed"
}

# Most of what is its first MiB is in its first two: a check for these sees both.
DATA=/usr/share/doc

stage_1() {
	mount_extra
	configure
	expect_unit pkram@memcached.service "no region of this machine holds a container"
	expect 0 pkram init pmem:/dev/pmem0
	load memcached --mib 1 $DATA
	tell_items before memcached
	make_tree /srv/cache 20
	tell_tree before /srv/cache /srv/cache
	make_tree /srv/own 5 1
	tell_tree before /srv/own /srv/own
	# The next kernel has restored, and noted that it has, before the host can look.
	region_will_be any
	move_boot
	leave 2 pkram kexec
}

stage_2() {
	mount_extra
	await_boot
	check_warm memcached
	tell_items after memcached
	tell_tree after /srv/cache /srv/cache
	ok "memcached is warm after the jump, no command given"
	expect_moved
	tell_tree after /srv/own /srv/own
	expect 0 findmnt --task 1 -n -o FSTYPE /srv/own
	says tmpfs
	ok "what a unit mounts is seen by everybody"
	expect_unit pkram@memcached.service "restored 1 node"
	expect_unit pkram@srv-cache.service "restored 1 node"
	expect 0 pkram report
	load memcached --mib 2 $DATA
	say "next 3"
	sync
	journalctl --sync
	echo c >/proc/sysrq-trigger
}

# After the crash nothing stale is served.
stage_3() {
	mount_extra
	await_boot
	check_cold memcached
	[[ -z $(ls -A /srv/cache)$(ls -A /srv/own) ]] || fail "a stale tree was restored after a crash"
	ok "cold after the crash"
	expect_unit pkram@memcached.service "was saved for an earlier boot, and is not restored"
	expect_unit pkram@srv-cache.service "was saved for an earlier boot, and is not restored"
	# It serves nobody, and its place is taken by the next save.
	run systemctl status pkram@memcached.service
	says "status=3"
	[[ $variant != once ]] || return 0
	load memcached --mib 1 $DATA
	region_will_be any
	leave 4 pkram kexec
}

# Cold once does not mean cold for good. Then a reboot, although a jump is staged.
stage_4() {
	mount_extra
	await_boot
	check_warm memcached
	ok "warm again after the next jump"
	expect 0 pkram kexec --load-only
	region_will_be any
	leave 5 systemctl reboot
}

stage_5() {
	mount_extra
	await_boot
	if [[ $variant == newer ]]; then
		check_warm memcached
		ok "warm after a reboot, which was a jump"
		return
	fi
	check_cold memcached
	run journalctl -b -1 -o cat -u pkram@memcached.service
	says "not on its way into a kexec; nothing is saved"
	run journalctl -b -1 -o cat -u pkram-kexec.service
	says "nothing is armed"
	ok "cold after the reboot through the firmware"
}
