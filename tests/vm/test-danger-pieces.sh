# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A word over memory that is not one usable range: the low RAM of q35 ends in pieces within the region.
# The kernel makes no device of these, and one of the addresses behind them, where no memory is. pkram
# plans no such word, says why there is no device, and makes no container where nothing is kept.

machine=q35
memory=2048
append="memmap=128M!960M"
when=all

stage_1() {
	local device start

	modprobe nd_e820
	modprobe nd_pmem
	sleep 2		# whichever comes
	device=$(echo /dev/pmem*)
	[[ $(<"/sys/class/block/${device#/dev/}/size") == $((64 << 11)) ]] || fail "$device is not what lies above 1 GiB"
	run dmesg
	says "misaligned, unable to map"
	ok "no device of the memory, and a line in the kernel's log"
	head -c 65536 /dev/urandom >/run/bytes
	dd if=/run/bytes of="$device" bs=64K oflag=direct status=none
	dd if="$device" of=/run/back bs=64K count=1 iflag=direct status=none
	! cmp -s /run/bytes /run/back || fail "$device keeps what is written"
	ok "and one that takes what is written, and does not keep it"

	expect 1 pkram init pmem:/dev/pmem0
	says "'pkram regions' lists what there is"
	expect 0 pkram regions -n -o range,hint
	says "often that start or size are no multiples of 16 MiB in one range of the firmware's map"
	says "the firmware's map has no memory there"
	expect 1 pkram init --force "pmem:$device"
	says "the firmware's map has no memory at 0x40000000"
	expect 1 pkram check
	expect 0 pkram plan --json 128M
	start=$(sed -n 's/^ *"start": \([0-9]*\),*/\1/p' "$OUTPUT")
	((start >= 4 << 30)) || fail "a region is planned at $start"
}
