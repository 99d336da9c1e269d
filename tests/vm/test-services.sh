# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# The services of examples/ on a whole Debian, set up by the commands of their READMEs, with files of that
# Debian as their data: all four are warm after `pkram kexec`, with what the host noted before; after a
# reboot through the firmware all start cold.

region=512M!4352M
memory=3072
system=debian
packages="redis-server postgresql nginx python3"
seconds=1800
when=all
append="systemd.show_status=no"

declare -A DATA=([memcached]=/usr/share/doc [redis]=/usr/share/perl [postgresql]=/usr/share
	[nginx]=/usr/share/zoneinfo)

extra() {
	cp -r "$VM_TOP/examples" "$1/"
}

services_run() {
	local unit
	local -a units

	mapfile -t units < <(sed -n 's/^service = //p' "/etc/pkram.d/$1.conf")
	for unit in "${units[@]}"; do
		[[ $(systemctl is-active "$unit") == active ]] ||
			fail "$unit does not run: $(systemctl status "$unit" | tail -n 5)"
	done
}

stage_1() {
	local name

	keep_journal
	expect 0 pkram init pmem:/dev/pmem0
	mount_extra
	for name in "${!DATA[@]}"; do
		set_up "$name"
		services_run "$name"
		load "$name" "${DATA[$name]}"
		tell_items before "$name"
	done
	# The next kernel has restored, and noted that it has, before the host can look.
	region_will_be any
	leave 2 pkram kexec
}

stage_2() {
	local name

	await_boot
	mount_extra
	for name in "${!DATA[@]}"; do
		expect_unit "pkram@$name.service" "restored 1 node"
		check_warm "$name"
		tell_items after "$name"
	done
	ok "all services are warm, no command given"
	expect 0 pkram report
	note "$(grep -i downtime "$OUTPUT")"
	leave 3 systemctl reboot
}

stage_3() {
	local name

	await_boot
	mount_extra
	for name in "${!DATA[@]}"; do
		services_run "$name"
		check_cold "$name"
	done
	ok "all services run, and are cold, after a reset"
}
