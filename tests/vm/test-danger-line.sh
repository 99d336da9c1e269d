# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The next command line reserves less, elsewhere, or nothing: by hand the jump goes through without a
# word, and the new kernel gives the memory out. pkram goes no further than the check. Back it goes through
# the firmware: kexec puts its own data into what is RAM, and no later kernel has a region around that.

region=256M!4352M
seconds=600
when=all

SHRUNK=memmap=128M!4352M
MOVED=memmap=256M!640M

# A container, and what pkram says of the jump that is to come; then that jump, by hand.
lose() {
	local stage=$1 text=$2

	shift 2
	LINE=$(line_with "$@")
	expect 0 pkram init --force pmem:/dev/pmem0
	dd if=/dev/urandom bs=1M count=200 status=none | pkram put bytes
	expect 1 pkram kexec --load-only --command-line "$LINE"
	says "$text"
	loaded 0
	region_will_be any
	hand_load "$stage" 6.12 -s
	kexec -e
}

# pmem0 START MIB
pmem0() {
	local dir

	await /dev/pmem0
	dir=$(readlink -f /sys/class/block/pmem0/device/..)
	[[ $(<"$dir/resource") == "$1" && $(<"$dir/size") == $(($2 << 20)) ]] ||
		fail "pmem0 is at $(<"$dir/resource"), $(<"$dir/size") bytes"
}

# is_ram FROM TO: hexadecimal, inside one range; kexec's own data may split what is around it.
is_ram() {
	local from to kind

	while IFS='- ' read -r from to kind; do
		[[ $kind != ": System RAM" ]] || ((0x$from > 0x$1 || 0x$to < 0x$2)) || return 0
	done </proc/iomem
	return 1
}

# ordinary FROM TO TEXT: RAM like any other; and when it is used, the host sees it.
ordinary() {
	is_ram "$1" "$2" || fail "$1-$2 is not System RAM"
	fill_ram
	region_will_be destroyed
	mark landed
	ok "$3"
}

stage_1() {
	load_region_modules
	lose 2 "is smaller than its memory" $SHRUNK
}

stage_2() {
	load_region_modules
	pmem0 0x110000000 128
	expect 1 pkram -r pmem:/dev/pmem0 restore
	says "the region has shrunk"
	ordinary 118000000 11fffffff "a smaller device appears, and the rest of the region is ordinary RAM"
	firmware_reboot 3
}

stage_3() {
	load_region_modules
	lose 4 "the next command line reserves $MOVED, its memory is" $MOVED
}

stage_4() {
	load_region_modules
	pmem0 0x28000000 256
	expect 1 pkram restore
	says "no region of this machine holds a container"
	ordinary 110000000 11fffffff "a device appears elsewhere, and the region is ordinary RAM"
	firmware_reboot 5
}

stage_5() {
	load_region_modules
	lose 6 "no word on the next command line reserves its memory"
}

stage_6() {
	modprobe nd_e820
	modprobe nd_pmem
	[[ ! -e /dev/pmem0 ]] || fail "there is a device"
	expect 1 pkram restore
	says "no region of this machine holds a container"
	ordinary 110000000 11fffffff "no device appears, and the region is ordinary RAM"
}
