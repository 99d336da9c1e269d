# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The boot loader knows nothing of memmap=: this one puts the initrd at the top of the memory below
# 4 GiB, where the region is. After a start through it the region is hit; pkram serves nothing of it,
# warns before, and plans no region there.

region=112M!896M
when=all

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init
	dd if=/dev/urandom bs=1M count=104 status=none | pkram put bytes
	expect 0 pkram verify
	run pkram check
	says "the boot loader puts its initrd there"
	mark jump
	firmware_reboot 2
}

stage_2() {
	local start

	region_will_be destroyed
	mark landed
	ok "the boot loader's initrd is in the region"
	expect 4 pkram verify
	expect 3 pkram get --stale bytes
	says "its memory did not survive whole"
	expect 0 pkram plan --json 64M
	start=$(sed -n 's/^ *"start": \([0-9]*\),*/\1/p' "$OUTPUT")
	((start >= 1 << 30 || start + (64 << 20) <= 896 << 20)) || fail "a region is planned at $start"
}
