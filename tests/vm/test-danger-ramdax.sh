# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Memory that ramdax (Linux 6.19 and newer) has divided into namespaces is one raw device under nd_e820,
# which comes first unless it is told otherwise.

kernel=new
region=256M!4352M
seconds=400
when=all

extra() {
	local version

	version=$(basename "$(vm_kernel new)")
	mkdir "$1/boot"
	cp "$2/boot/vmlinuz-$version" "$2/boot/initrd.img-$version" "$1/boot/"
}

# By ramdax, as /dev/dax0.0 and /dev/dax0.1.
load_ramdax() {
	echo ramdax >/sys/devices/platform/e820_pmem/driver_override
	modprobe ramdax
	modprobe nd_pmem
	modprobe dax_pmem
	modprobe device_dax
}

stage_1() {
	local version

	mount_extra
	mount --bind /extra/boot /boot
	load_ramdax
	expect 0 ndctl create-namespace -m devdax -a 2M -M mem -s 96M
	expect 0 ndctl create-namespace -m devdax -a 2M -M mem -s 96M
	pages fill /dev/dax0.0 3
	expect 0 pkram -r devdax:/dev/dax0.1 init
	dd if=/dev/urandom bs=1M count=10 status=none | pkram put bytes
	before bytes "$(pkram get bytes | sha256sum | cut -c 1-64)"
	run pkram check
	says "ramdax has divided its memory"
	version=$(uname -r)
	expect 0 kexec -s -l "/boot/vmlinuz-$version" --initrd="/boot/initrd.img-$version" \
		--command-line="$(</proc/cmdline) vm.stage=2"
	kexec -e
}

stage_2() {
	load_region_modules
	[[ -e /dev/pmem0 && ! -e /dev/dax0.0 ]] || fail "there is no raw device"
	expect 0 pkram regions -n -o device,state,detail
	says "foreign"
	expect 1 pkram restore
	says "no region of this machine holds a container"
	expect 1 pkram init pmem:/dev/pmem0
	says "holds NVDIMM namespace labels (ramdax)"
	ok "one raw device over both, in which pkram makes no container"

	echo e820_pmem >/sys/bus/platform/drivers/e820_pmem/unbind
	load_ramdax
	await /dev/dax0.0
	await /dev/dax0.1
	expect 0 pages check /dev/dax0.0 3
	expect 0 pkram -r devdax:/dev/dax0.1 verify
	after bytes "$(pkram -r devdax:/dev/dax0.1 get --stale bytes | sha256sum | cut -c 1-64)"
	ok "both are whole under ramdax"
}
