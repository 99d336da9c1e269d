# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Two ways in which DAX gives something else than it seems, and one in which ndctl moves the data. pkram
# mounts no filesystem but tmpfs, jumps with no container behind a mapping, and takes only a devdax whose
# map of pages lies elsewhere.

region=128M!4352M
when=all

extra() {
	local root=$1 tree=$1/../tree

	vm_program "$root" "$(command -v dmsetup)"
	mkdir "$tree"
	head -c 4M /dev/urandom >"$tree/bytes"
	sha256sum <"$tree/bytes" >"$root/sum"
	mkfs.erofs --quiet "$root/image" "$tree"
	rm -r "$tree"
}

# mount_part SECTOR SECTORS: of the region, by dm-linear, with DAX.
mount_part() {
	expect 0 dmsetup create --noudevrules --noudevsync part --table "0 $2 linear /dev/pmem0 $1"
	mount -t erofs -o ro,dax=always /dev/dm-0 /mnt
	grep -q ' /mnt erofs .*dax=always' /proc/mounts || fail "there is no DAX"
}

unmount_part() {
	umount /mnt
	expect 0 dmsetup remove --noudevrules --noudevsync part
}

misaligned() {
	local sectors=$(($(stat -c %s /extra/image) / 512)) start

	for start in 4096 4097; do
		dd if=/extra/image of=/dev/pmem0 bs=512 seek=$start conv=notrunc,fsync status=none
		mount_part $start $sectors
		sha256sum </mnt/bytes >/run/sum-$start
		unmount_part
	done
	cmp -s /extra/sum /run/sum-4096 || fail "wrong data from a start at 4096 sectors"
	! cmp -s /extra/sum /run/sum-4097 || fail "right data from a start at 4097 sectors"
	ok "dm-linear from sector 4097: mounted without a word, and its data is wrong"
}

# A container behind such a mapping would be found nowhere else: with one, there is no jump.
behind_dm() {
	expect 0 dmsetup create --noudevrules --noudevsync part --table "0 65536 linear /dev/pmem0 4097"
	expect 0 pkram init --force pmem:/dev/dm-0
	expect 1 pkram -r pmem:/dev/dm-0 kexec --load-only
	says "the kernel does not show where its memory lies"
	loaded 0
	expect 0 dmsetup remove --noudevrules --noudevsync part
	dd if=/dev/zero of=/dev/pmem0 bs=1M count=40 conv=notrunc,fsync status=none
}

dropped() {
	umount /boot
	mount -t erofs -o ro,dax=always /dev/vda /boot
	! grep -q ' /boot erofs .*dax' /proc/mounts || fail "/dev/vda has DAX"
	ok "dax=always on a disk: mounted without a word, and without DAX"
}

moved() {
	make_devdax
	expect 0 pkram -r devdax:/dev/dax0.0 init
	dd if=/dev/urandom bs=1M count=100 status=none | pkram put bytes
	expect 0 pkram verify
	mark jump
	expect 0 ndctl create-namespace -f -e namespace0.0 -m devdax -a 2M -M dev
	region_will_be destroyed
	mark landed
	run pkram ls
	[[ $STATUS != 0 ]] || fail "there is a container where none can be"
	expect 1 pkram region convert /dev/dax0.0 --to raw --yes
	says "has its map in the memory itself (-M dev)"
	ok "-M dev: its map is written over what was there"
}

stage_1() {
	mount_extra
	load_region_modules
	modprobe dm_mod
	mkdir -p /mnt
	misaligned
	behind_dm
	dropped
	moved
}
