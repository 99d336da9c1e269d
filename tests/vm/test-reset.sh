# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Through the firmware: a warm reset keeps memory here, and --stale serves it, or says that it was
# hit; a power cycle loses all but what was exported to a disk.

region=128M!4352M
memory=1408
disk=64
seconds=300

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init
	mount_tmpfs /srv/data 60
	make_tree /srv/data 8
	tell_tree before data /srv/data
	expect 0 pkram save /srv/data
	put_stream one 3000000
	firmware_reboot 2
}

stage_2() {
	expect 3 pkram restore --to /run/out
	expect 0 pkram restore --stale --to /run/out
	tell_tree after data /run/out/srv/data
	mount_disk
	expect 0 pkram export /disk/export
	expect 0 pkram -r file:/disk/export verify
	expect 0 pkram -r file:/disk/export restore --stale --to /run/again
	umount /disk
	ok "a warm reset: all there"

	# In the tree's data, and in a superblock: the container starts 2 MiB into the region.
	damage $((10 << 20))
	damage $(((2 << 20) + 300))
	firmware_reboot 3
}

stage_3() {
	expect 4 pkram verify
	says "its nodes were found anew"
	expect 3 pkram restore --stale --to /run/out
	says "its memory did not survive whole"
	[[ ! -e /run/out/srv ]] || fail "a tree appeared that was hit"
	expect 4 pkram restore --stale --salvage --to /run/out
	expect 0 pkram get --stale one
	ok "memory that was hit: nothing of it is served"
	power_cycle 4
}

stage_4() {
	expect 1 pkram restore --stale --to /run/out
	says "no region of this machine holds a container"
	mount_disk
	expect 1 pkram -r pmem:/dev/pmem0 import /disk/export
	says "'pkram init' makes one"
	expect 0 pkram -r pmem:/dev/pmem0 init
	expect 0 pkram import /disk/export
	says "saved by an earlier boot"
	expect 3 pkram restore --to /run/out
	expect 0 pkram restore --stale --to /run/out
	tell_tree after data /run/out/srv/data
	pkram get --stale one >/run/stream-one
	after stream:one "$(sha256sum </run/stream-one | cut -c1-64)"
	expect 0 pkram verify
	ok "a power cycle: imported from the disk"
}
