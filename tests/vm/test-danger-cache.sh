# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# `kexec -y` does not write back the page cache: what was written through it into the region's block
# device is not in the memory. What pkram puts there is, whenever the jump comes.

region=256M!4352M
seconds=400
when=all
MIB=32

# The last close of a block device writes back: something must have it open, as a mounted filesystem has.
stage_1() {
	load_region_modules
	pages fill /dev/pmem0 1
	truncate -s ${MIB}M /run/new
	pages fill /run/new 2
	hand_load 2 6.12 -s
	exec 7</dev/pmem0
	mark jump
	dd if=/run/new of=/dev/pmem0 bs=1M conv=notrunc status=none
	cmp -n $((MIB << 20)) /run/new /dev/pmem0
	kexec.real -y -e
}

# As the host has seen: not one page of the region has changed since before it was written.
stage_2() {
	load_region_modules
	expect 0 pages check /dev/pmem0 1
	ok "kexec -y: $MIB MiB were written and read back, and none of it is in the region"

	expect 0 pkram -r pmem:/dev/pmem0 init
	hand_load 3 6.12 -s
	region_will_be any
	put_stream alpha $((MIB << 20))
	kexec.real -y -e
}

stage_3() {
	expect 0 pkram verify
	pkram get --stale alpha >/run/alpha
	after stream:alpha "$(sha256sum </run/alpha | cut -c1-64)"
	ok "what pkram put is there after kexec -y"
}
