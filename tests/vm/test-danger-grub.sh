# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2016
# GRUB reads `$640M` as a variable: a word with an unescaped dollar reserves nothing, and is another word
# to the kernel. What pkram writes for GRUB arrives as it was planned.

loader=grub
append='memmap=1280M$1G'
seconds=400
when=all

cut_memory() {
	[[ " $(</proc/cmdline) " == *' memmap=1280MG '* ]] || fail "the line is: $(</proc/cmdline)"
	grep -q '^100000000-' /proc/iomem && fail "there is memory above 4 GiB"
	ok 'GRUB makes memmap=1280MG of memmap=1280M$1G: no reservation, but a limit'
}

stage_1() {
	cut_memory
	words 'memmap=1M\$512M memmap=1M\$528M memmap=1M\$544M memmap=1M\$560M'
	power_cycle 2
}

# What update-grub makes of the settings, as /etc/grub.d/10_linux does.
make_update_grub() {
	cat >/usr/sbin/update-grub <<-'END'
		#!/bin/bash
		. /etc/default/grub
		for f in /etc/default/grub.d/*.cfg; do
			[[ ! -e $f ]] || . "$f"
		done
		printf '\tlinux\t/vmlinuz-%s root=x %s\n' "$(uname -r)" "$GRUB_CMDLINE_LINUX" >/boot/grub/grub.cfg
	END
	chmod +x /usr/sbin/update-grub
}

stage_2() {
	local file

	grep -qxF '20000000-200fffff : Reserved' /proc/iomem || fail "nothing is reserved at 512 MiB"
	ok "with a backslash it arrives"
	umount /boot
	mkdir -p /run/disk /boot/grub /etc/default/grub.d
	mount -t erofs -o ro /dev/vda /run/disk
	for file in /run/disk/*-"$(uname -r)"; do
		cp "$file" /boot/
	done
	printf '%s\n' 'GRUB_CMDLINE_LINUX="memmap=1M\\\$512M memmap=1M\\\$528M memmap=1M\\\$544M memmap=1M\\\$560M"' \
		>/etc/default/grub
	make_update_grub
	update-grub
	expect 0 pkram plan --apply --yes 64M
	words "$(sed -n 's/.* root=x //p' /boot/grub/grub.cfg)"
	power_cycle 3
}

stage_3() {
	grep -qxF '23000000-230fffff : Reserved' /proc/iomem || fail "nothing is reserved at 560 MiB"
	grep -q ' : Persistent Memory (legacy)' /proc/iomem || fail "the planned region is not there"
	load_region_modules
	expect 0 pkram init pmem:/dev/pmem0
	ok "the planned word arrives, joined to one with a dollar"
}
