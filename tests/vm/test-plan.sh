# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Planned regions: each kernel is booted with the line that pkram planned in the one before, and has
# the new region at its place, with the older ones where they were. The last word finds four there.

memory=3072
seconds=300

# plan WORD OPTION...: proposes it.
plan() {
	local want=$1

	shift
	expect 0 pkram plan --json "$@"
	says "\"word\": \"$want\""
	LINE=$(sed -n 's/^  "command_line": "\(.*\)",\{0,1\}$/\1/p' "$OUTPUT")
}

# boot STAGE [WORD...]: into the planned line.
boot() {
	local version

	version=$(boot_kernel 6.12)
	expect 0 kexec -s -l "/boot/vmlinuz-$version" --initrd="/boot/initrd.img-$version" \
		--command-line="$LINE ${*:2} vm.stage=$1"
	kexec -e
}

# iomem RANGE NAME
iomem() {
	grep -qxF "$1 : $2" /proc/iomem || fail "/proc/iomem has no $1 : $2"
}

# pmem NAME START SIZE
pmem() {
	local dir

	await "/dev/$1"
	dir=$(readlink -f "/sys/class/block/$1/device/..")
	[[ $(<"$dir/resource") == "$2" && $(<"$dir/size") == "$3" ]] ||
		fail "$1 is at $(<"$dir/resource"), $(<"$dir/size") bytes"
	expect 0 pkram -r "pmem:/dev/$1" init --force
}

stage_1() {
	local ram

	expect 1 pkram plan 3G
	says 'the largest that fits is 2 GiB'
	plan 'memmap=512M!4G' 512M
	ram=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
	boot 2 "vm.ram=$ram"
}

stage_2() {
	local ram taken

	iomem 100000000-11fffffff 'Persistent Memory (legacy)'
	load_region_modules
	pmem pmem0 0x100000000 536870912
	ram=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
	taken=$((($(word vm.ram) - ram) >> 10))
	((taken > 480 && taken < 530)) || fail "512 MiB took $taken MiB"
	ok "a region as planned"
	plan 'memmap=256M%5G-1+0xefffffff' 256M --kind soft-reserved
	boot 3 'memmap=1M$5632M memmap=1M$5888M'
}

stage_3() {
	iomem 100000000-11fffffff 'Persistent Memory (legacy)'
	iomem 140000000-14fffffff 'Soft Reserved'
	ok "a Soft Reserved one beside it"
	plan 'memmap=1M$5888M,64M!4608M' 64M
	says '"extends": "memmap=1M$5888M"'
	boot 4
}

stage_4() {
	iomem 100000000-11fffffff 'Persistent Memory (legacy)'
	iomem 120000000-123ffffff 'Persistent Memory (legacy)'
	iomem 140000000-14fffffff 'Soft Reserved'
	iomem 160000000-1600fffff 'Reserved'
	iomem 170000000-1700fffff 'Reserved'
	load_region_modules
	pmem pmem0 0x100000000 536870912
	pmem pmem1 0x120000000 67108864
	ok "a fifth range, joined to the fourth word"
}
