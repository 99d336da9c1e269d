# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What a scenario can say and do inside the VM. The second serial line carries whole lines to the
# host, apart from the console's noise; a mark waits until the host has answered.

CONTROL=/dev/ttyS1

say() {
	printf '%s\n' "$*" >"$CONTROL"
}

ok() {
	say "ok $*"
}

note() {
	say "note $*"
}

fail() {
	say "fail $*"
	power_off
}

# The host keeps VALUE under KEY and compares it with what `after` tells in a later kernel.
before() {
	say "before $1 $2"
}

after() {
	say "after $1 $2"
}

# What the host shall find after the next jump: intact (unless told so), destroyed, or any.
region_will_be() {
	say "region $1"
}

# mark NAME: wait until the host has done what belongs to this point of the scenario.
mark() {
	ask "mark $1" >/dev/null
}

ask() {
	local answer

	exec 9<>"$CONTROL"
	say "$@"
	IFS= read -r -u 9 answer
	exec 9>&-
	printf '%s\n' "$answer"
}

power_off() {
	sync
	poweroff -f
	sleep 60
}

# The last WORD=value of the kernel's command line.
word() {
	tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

# run PROGRAM...: its output goes to the console and to $OUTPUT, its status to $STATUS; it may take LIMIT
# seconds (120).
OUTPUT=/run/output
run() {
	printf '+ %s\n' "$*"
	STATUS=0
	timeout "${LIMIT:-120}" "$@" >"$OUTPUT" 2>&1 </dev/null || STATUS=$?
	cat "$OUTPUT"
}

# expect STATUS COMMAND...: anything else ends the scenario.
expect() {
	local want=$1

	shift
	run "$@"
	[[ $STATUS == "$want" ]] ||
		fail "'$*' ended with $STATUS instead of $want: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
}

# says TEXT: the output of the last command holds it.
says() {
	grep -qF -e "$1" "$OUTPUT" ||
		fail "the output lacks '$1': $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
}

load_region_modules() {
	local name

	for name in nd_e820 nd_pmem dax_pmem device_dax; do
		modprobe $name
	done
	await /dev/pmem0 /dev/dax0.0
}

# await FILE...: until one of them is there. Drivers bind behind the back of modprobe.
await() {
	local i file

	for ((i = 0; i < 100; i++)); do
		for file; do
			[[ ! -e $file ]] || return 0
		done
		sleep 0.1
	done
	fail "none of $* appeared"
}

make_devdax() {
	expect 0 ndctl create-namespace -f -e namespace0.0 -m devdax -a 2M -M mem
}

# The kernels of the boot disk, as a Debian machine has them.
mount_boot() {
	modprobe virtio_pci
	modprobe virtio_blk
	modprobe erofs
	await /dev/vda
	mount -t erofs -o ro /dev/vda /boot
}

# boot_kernel SERIES: the version that /boot has of it.
boot_kernel() {
	local file

	file=$(printf '%s\n' /boot/vmlinuz-"$1"[.-]* | sort -V | tail -n 1)
	printf '%s\n' "${file#/boot/vmlinuz-}"
}

# hand_load STAGE SERIES [OPTION...]: without pkram; the command line LINE, else this one, plus the stage.
hand_load() {
	local stage=$1 version

	version=$(boot_kernel "$2")
	shift 2
	expect 0 kexec "$@" -l "/boot/vmlinuz-$version" --initrd="/boot/initrd.img-$version" \
		--command-line="${LINE:-$(</proc/cmdline)} vm.stage=$stage"
}

# line_with [WORD...]: this command line with these in the place of all memmap= words.
line_with() {
	tr ' ' '\n' </proc/cmdline | grep -v '^memmap=' | tr '\n' ' '
	printf '%s ' "$@"
}

# Writes to all memory that the kernel gives out, so that what lies in it is lost for certain and not by chance.
fill_ram() {
	local free

	free=$(awk '$1 == "MemFree:" { print $2 }' /proc/meminfo)
	mkdir -p /run/fill
	mount -t tmpfs -o size=100% tmpfs /run/fill
	dd if=/dev/zero of=/run/fill/zeroes bs=1M count=$(((free >> 10) - 160)) status=none
	umount /run/fill
}

# Through the firmware, as `reboot` or the reset button; the host picks the stage, because the
# machine starts with its first command line again.
firmware_reboot() {
	say "next $1"
	sync
	reboot -f
	sleep 60
}

# The same with the power cut in between: what was in memory is gone.
power_cycle() {
	sync
	say "cold $1"
	sleep 60
}

# words WORD...: what `append` is at the machine's next start from nothing (power_cycle).
words() {
	say "words $*"
}

# damage OFFSET: the host turns a byte of the region over.
damage() {
	ask "damage $1" >/dev/null
}

# spoil TEXT: the host damages the region where it has this text, once this kernel is about to jump.
spoil() {
	say "spoil $1"
}

# clock NAME: milliseconds by the host's clock since the first time it was asked for it.
clock() {
	ask "clock $1"
}

# The disk of a scenario that has one.
mount_disk() {
	modprobe ext4
	await /dev/vdb
	mkdir -p /disk
	mount -t ext4 /dev/vdb /disk
}

# What the scenario's function extra has made on the host, on the last disk: at /extra, and each file of
# /extra/usr, if it has that, also in its place, where there is none.
mount_extra() {
	local -a disks=(/dev/vd?)

	mkdir -p /extra
	mount -t erofs -o ro "${disks[-1]}" /extra
	[[ ! -d /extra/usr ]] || cp -rsn /extra/usr /
}

guest_died() {
	fail "stage $STAGE, line $2 of ${BASH_SOURCE[1]##*/}: '$3' ended with $1"
}

guest_main() {
	local answer loader=firmware

	[[ $(</proc/sys/kernel/bootloader_type) != 208 ]] || loader=kexec
	stty -F "$CONTROL" raw -echo
	stty -F /dev/ttyS2 raw -echo
	# OVMF writes to every serial line, without an end of line.
	answer=$(ask $'\n'"boot $(word vm.stage) $(uname -r) $loader")
	STAGE=${answer#go }
	[[ $loader == firmware || -e /proc/vmcore ]] || mark landed
	set -eEuo pipefail
	trap 'guest_died $? $LINENO "$BASH_COMMAND"' ERR
	mount_boot
	. /vm/data.sh
	variant=$(word vm.variant)
	# shellcheck source=/dev/null
	. "/vm/$(word vm.test)"
	if declare -F stage >/dev/null; then
		stage
	else
		"stage_$STAGE"
	fi
	say end
	power_off
}
