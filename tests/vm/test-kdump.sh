# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A crash: the kdump kernel inherits the command line, sees the region, and pkram changes nothing
# there. The host compares the region from before the crash with what pkram left.

region=256M!4352M
append="crashkernel=256M"

stage_1() {
	local version

	expect 0 pkram -r pmem:/dev/pmem0 init
	mount_tmpfs /srv/data 100
	make_tree /srv/data 1
	expect 0 pkram save /srv/data
	version=$(boot_kernel 6.12)
	expect 0 kexec -s -p "/boot/vmlinuz-$version" --initrd="/boot/initrd.img-$version" \
		--command-line="$(</proc/cmdline) nr_cpus=1 reset_devices vm.stage=2"
	sync
	mark jump
	echo c >/proc/sysrq-trigger
}

stage_2() {
	[[ -e /proc/vmcore ]] || fail "this is no kdump kernel"
	load_region_modules
	expect 0 pkram -r pmem:/dev/pmem0 ls
	printf x >/run/file
	for verb in restore "restore --stale --to /run/out" "save /run/file" "put x" "rm /srv/data" \
		"init --force" "kexec --load-only"; do
		# shellcheck disable=SC2086 # a verb with its options
		run pkram -r pmem:/dev/pmem0 $verb
		[[ $STATUS != 0 ]] || fail "pkram $verb worked in a kdump kernel"
	done
	[[ ! -e /run/out ]] || fail "something was restored in a kdump kernel"
	mark landed
	ok "nothing changed in the kdump kernel"
}
