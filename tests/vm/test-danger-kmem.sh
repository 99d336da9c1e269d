# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Soft Reserved memory under the kmem driver: ordinary memory, and what was there is gone. pkram jumps
# into no kernel that may load it, and a container is there again where it is kept away.

# In the middle of RAM: without NUMA tables, the kernel knows of no node above its end, and kmem takes nothing.
region=256M%4352M-1+0xefffffff
memory=2048
seconds=400
when=all

extra() {
	local kernel

	kernel=$(vm_kernel 6.12)
	find "$kernel/lib/modules" -name kmem.ko -exec cp {} "$1/" \;
}

# As on a machine with all of its kernel's modules.
add_kmem() {
	cp /extra/kmem.ko "/lib/modules/$(uname -r)/kernel/"
	depmod
}

stage_1() {
	mount_extra
	expect 0 pkram -r devdax:/dev/dax0.0 init
	dd if=/dev/urandom bs=1M count=100 status=none | pkram put bytes
	expect 0 pkram kexec --load-only
	expect 0 pkram kexec --cancel
	add_kmem
	expect 1 pkram kexec --load-only
	says "kmem"
	loaded 0
	mkdir -p /etc/modprobe.d
	echo "blacklist kmem" >/etc/modprobe.d/kmem.conf
	expect 0 pkram kexec --load-only
	expect 0 pkram kexec --cancel
	expect 0 pkram kexec --load-only --append modprobe.blacklist=kmem
	expect 0 pkram kexec --cancel
	ok "with kmem refused, without it loaded"
	hand_load 2 6.12 -s
	kexec -e
}

stage_2() {
	mount_extra
	add_kmem
	# As most distributions have it.
	echo online >/sys/devices/system/memory/auto_online_blocks
	modprobe dax_hmem
	modprobe kmem
	sleep 1
	run cat /proc/iomem
	says "System RAM (kmem)"
	ok "kmem has taken the region as ordinary memory"
	fill_ram
	region_will_be destroyed
	mark landed
	run pkram restore
	[[ $STATUS != 0 ]] || fail "something was restored"
	note "pkram: $(tail -n 1 "$OUTPUT")"
	ok "and what was there is gone"
}
