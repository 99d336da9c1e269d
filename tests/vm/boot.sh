# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Run one scenario: start QEMU, answer the guest on its control line, look into its RAM where the
# scenario jumps, and come to a verdict. The verdict needs the guest's own `end`, every hash that
# was told before a jump told again after it, and the region as the scenario expects it.

# What a scenario file may set, besides the functions stage_1, stage_2, ... (or stage) for the guest:
#	kernel=SERIES		the first kernel; one that is not on the disk with the kernels also comes by
#				this, and the scenario brings it along for a jump (extra)
#	memory=MIB		guest RAM: 1 GiB from 0, the rest from 4 GiB up
#	nodes=N			2: the RAM below 4 GiB and two CPUs are node 0, the rest is node 1
#	region=SIZE!START	reserved by memmap=, compared by the host across each jump (one node);
#				with % (and -FROM+TO) it is Soft Reserved
#	machine=pc|q35		q35 starts by OVMF instead of SeaBIOS
#	append=WORDS		more words for the first kernel
#	cpu=WORDS		more words for QEMU's -cpu
#	loader=grub		started by a real GRUB from a CD, whose "linux" command has all words as they are
#				written here
#	disk=MIB		an empty ext4 disk, /dev/vdb
#	seconds=N		hard limit
#	system=debian		a whole Debian with systemd on a disk of its own, instead of an initramfs
#	release=NAME		which Debian (the one that this machine runs)
#	packages=LIST		Debian packages that it has besides
#	when=all		only run by --all
#	variants=LIST		the scenario is run once for each, which is $variant here and in the guest
#	variants_all=LIST	more of them, only by --all
# and as functions, called on the host:
#	extra ROOT IMAGE	puts into ROOT what this scenario alone needs (IMAGE/boot has the kernels); the
#				guest has it where `mount_extra` was called
#	debian ROOT		changes the Debian in ROOT for this scenario alone (system=debian)
# shellcheck disable=SC2034 # some of them are for the one who runs it
vm_defaults() {
	kernel=6.12
	memory=1536
	machine=pc
	nodes=1
	region=
	append=
	cpu=
	loader=
	disk=
	seconds=240
	system=
	release=$(vm_debian_release)
	packages=
	when=
	variants=
	variants_all=
}

VM_LOW=$((1024 << 20))		# RAM below 4 GiB; the rest begins at 4 GiB

# vm_run FILE IMAGE WORK [VARIANT]: 0 when all is as the scenario FILE wants it. WORK gets console.log (the
# kernels' output), events (what guest and host told each other), verdict (one
# line) and, for a tree that came back wrong, differences.
vm_run() (
	local file=$1 image=$2 work=$3 variant=${4:-} version ram

	rm -rf "$work"
	mkdir -p "$work"
	exec 2>"$work/host.log"
	vm_defaults
	# shellcheck source=/dev/null
	. "$file"
	version=$(basename "$(vm_kernel "$kernel")")
	ram=$(vm_ram_file "$work" "$memory")
	trap 'vm_stop; rm -rf "$ram" "$work"/ctl.* "$work"/{snapshot,data,extra,cd,debian,debian-*}' EXIT
	if [[ -n $disk ]]; then
		mke2fs -q -t ext4 "$work/data" "${disk}M" >&2
	fi
	vm_extra "$work" "$image"
	vm_system=$image/$(vm_debian_name "$release" "$packages")
	if declare -F debian >/dev/null; then
		vm_debian_own "$vm_system" "$work/debian"
		vm_system=$work/debian
	fi
	vm_open_control "$work"
	vm_start "$(basename "$file")" "$image" "$work" "$version" "$ram"
	vm_watch "$work" "$ram"
	vm_compare "$work"
	printf '%s\n' "${failure:-ok}" >"$work/verdict"
	vm_tell verdict "${failure:-ok}"
	[[ -z $failure ]]
)

vm_ram_file() {
	local work=$1 need=$2 free

	free=$(df --output=avail -BM /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9)
	if ((${free:-0} > 2 * need)); then
		mktemp /dev/shm/pkram-vm.XXXXXX
	else
		mktemp "$work/ram.XXXXXX"
	fi
}

# What only one scenario needs would make the initramfs of all larger. Times stay: compiled Python goes by them.
vm_extra() {
	local work=$1

	declare -F extra >/dev/null || return 0
	mkdir "$work/extra-root"
	extra "$work/extra-root" "$2"
	mkfs.erofs --quiet "$work/extra" "$work/extra-root" >"$work/mkfs.log" 2>&1
	rm -r "$work/extra-root"
}

vm_open_control() {
	mkfifo "$1/ctl.in" "$1/ctl.out"
	exec {vm_in}<>"$1/ctl.in" {vm_out}<>"$1/ctl.out"
}

vm_start() {
	local name=$1 image=$2 work=$3 version=$4 ram=$5 line words=$append
	local initrd=$image/boot/initrd.img-$version
	local -a options data=() boot

	vm_started=("$@")
	if [[ -n $disk ]]; then
		data=(-drive "file=$work/data,if=virtio,format=raw")
	fi
	if declare -F extra >/dev/null; then
		data+=(-drive "file=$work/extra,if=virtio,format=raw,readonly=on")
	fi
	if [[ $system == debian ]]; then
		# What it writes is forgotten when QEMU ends.
		boot=(-drive "file=$vm_system,if=virtio,format=raw,snapshot=on")
		initrd=$vm_system-initrd
		words="root=/dev/vda rw $append"
	else
		boot=(-drive "file=$image/disk,if=virtio,format=raw,readonly=on")
	fi
	line="console=ttyS0 panic=-1 oops=panic quiet ${region:+memmap=$region} $words"
	line="$line vm.test=$name ${variant:+vm.variant=$variant} vm.stage=1 vm.seed=${VM_SEED:-$((RANDOM << 15 | RANDOM))}"
	if [[ $loader == grub ]]; then
		vm_grub "$work" "$image/boot/vmlinuz-$version" "$initrd" "$line"
		boot+=(-cdrom "$work/cd")
	else
		boot+=(-kernel "$image/boot/vmlinuz-$version" -initrd "$initrd" -append "$line")
	fi
	mapfile -t options < <(vm_machine "$ram")
	# shellcheck disable=SC2046 # the accelerator is a list of words
	qemu-system-x86_64 $(vm_accelerator "$image/boot/vmlinuz-$version") "${options[@]}" \
		-nodefaults -no-user-config -display none \
		-chardev file,id=console,path="$work/console.log",append=on -serial chardev:console \
		-chardev pipe,id=control,path="$work/ctl" -serial chardev:control \
		-serial file:"$work/lists" \
		"${boot[@]}" "${data[@]}" </dev/null >"$work/qemu.log" 2>&1 {vm_in}>&- {vm_out}>&- &
	vm_pid=$!
}

# vm_grub WORK KERNEL INITRD LINE: WORK/cd, a CD with GRUB.
vm_grub() {
	local work=$1 root=$1/cd-root

	mkdir -p "$root/boot/grub"
	cp "$2" "$root/vmlinuz"
	cp "$3" "$root/initrd"
	cat >"$root/boot/grub/grub.cfg" <<-END
		linux /vmlinuz $4
		initrd /initrd
		boot
	END
	cp "$root/boot/grub/grub.cfg" "$work/grub.cfg"
	grub-mkrescue --directory=/usr/lib/grub/i386-pc -o "$work/cd" "$root" >"$work/grub.log" 2>&1
	rm -r "$root"
}

# QEMU's options for RAM and CPUs, one a line.
vm_machine() {
	local type=$machine,max-ram-below-4g=$VM_LOW low=$((VM_LOW >> 20))

	if [[ $machine == q35* ]]; then
		printf '%s\n' -bios /usr/share/ovmf/OVMF.fd
	fi
	if ((nodes == 1)); then
		printf '%s\n' -machine "$type,memory-backend=ram" -m "$memory" -smp 2 \
			-object "memory-backend-file,id=ram,size=${memory}M,mem-path=$1,share=on"
	else
		printf '%s\n' -machine "$type" -m "$memory" -smp 4,sockets=2 \
			-object "memory-backend-ram,id=low,size=${low}M" \
			-object "memory-backend-ram,id=high,size=$((memory - low))M" \
			-numa node,nodeid=0,memdev=low,cpus=0-1 \
			-numa node,nodeid=1,memdev=high,cpus=2-3
	fi
}

vm_stop() {
	if [[ -n ${vm_pid:-} ]]; then
		kill -KILL "$vm_pid" 2>/dev/null || true
		wait "$vm_pid" 2>/dev/null || true
		vm_pid=
	fi
}

# KVM only where a VM really comes up under it: inside other VMs it may exist and hang.
vm_accelerator() {
	local probe

	if [[ -z ${VM_ACCEL:-} && -w /dev/kvm ]]; then
		probe=$(timeout -s KILL 20 qemu-system-x86_64 -accel kvm -cpu host -m 256 \
			-nodefaults -no-user-config -display none -serial stdio -no-reboot \
			-kernel "$1" -append "console=ttyS0 panic=-1" </dev/null 2>&1 || true)
		[[ $probe != *"Kernel panic"* ]] || VM_ACCEL=kvm
	fi
	if [[ ${VM_ACCEL:-} == kvm ]]; then
		printf '%s\n' -accel kvm -cpu "host${cpu:+,$cpu}"
	else
		# TCG runs `rep movsb` byte by byte (-erms, -fsrm). Two faults of QEMU 7.2 kill a
		# guest kernel now and then: its cmpxchg16b leaves rubbish in the flags (-cx16),
		# and with a thread for each CPU, one runs code that another has just patched. It forgets
		# what it translated for the old kernel one block at a time, as the new one takes the
		# memory: a small buffer (tb-size=, MiB) spares a jump into a whole Debian half a minute.
		printf '%s\n' -accel tcg,thread=single,tb-size=64 -cpu "max,-erms,-fsrm,-cx16${cpu:+,$cpu}"
	fi
}

vm_watch() {
	local work=$1 ram=$2 deadline line part='' next_stage='' booted=''

	failure=
	finished=
	after_jump=intact
	spoil=
	declare -gA told_before=() told_after=() clocks=()
	deadline=$((SECONDS + seconds))
	while [[ -z $finished && -z $failure ]]; do
		if IFS= read -r -t 1 -u "$vm_out" line; then
			line=$part$line
			part=
			printf '%3d s  %s\n' "$SECONDS" "$line" >>"$work/events"
			vm_event "$work" "$ram" "$line"
			continue
		fi
		part+=$line
		if ! kill -0 "$vm_pid" 2>/dev/null && ! read -r -t 0 -u "$vm_out"; then
			failure="the VM ended before the scenario did"
		elif ((SECONDS > deadline)); then
			failure="no verdict after $seconds s"
		fi
	done
}

vm_answer() {
	printf '%s\n' "$1" >&"$vm_in"
}

vm_event() {
	local work=$1 ram=$2 verb=${3%% *} rest=${3#* } key=

	key=${rest%% *}
	case $verb in
	boot)
		if [[ $rest == *firmware && -n $booted && -z $next_stage ]]; then
			failure="the guest crashed and came up through its firmware"
		fi
		booted=yes
		vm_answer "go ${next_stage:-$key}"
		next_stage=
		;;
	next) next_stage=$rest ;;
	cold)
		next_stage=$rest
		vm_power_cycle "$ram"
		;;
	clock)
		vm_answer "$(vm_clock "$key")"
		clocks[$key]=${clocks[$key]:-$EPOCHREALTIME}
		;;
	damage)
		vm_damage "$ram" "$key"
		vm_answer go
		;;
	region) after_jump=$rest ;;
	spoil) spoil=$rest ;;
	words) append=$rest ;;
	before) told_before[$key]=${rest#* } ;;
	after) told_after[$key]=${rest#* } ;;
	mark)
		vm_mark "$work" "$ram" "$key"
		vm_answer go
		;;
	fail) failure=$rest ;;
	end) finished=yes ;;
	esac
	vm_tell "$verb" "$rest"
}

# The same machine and disks, with nothing in its memory.
vm_power_cycle() {
	vm_stop
	: >"$1"
	vm_start "${vm_started[@]}"
}

# Milliseconds since the scenario asked for the clock of this name first.
vm_clock() {
	local since=${clocks[$1]:-$EPOCHREALTIME}

	printf '%d\n' $(((${EPOCHREALTIME/./} - ${since/./}) / 1000))
}

# Turns a byte of the region over.
vm_damage() {
	local ram=$1 at byte

	at=$(($(vm_region_offset) + $2))
	byte=$(od -An -tu1 -j "$at" -N 1 "$ram")
	printf '%b' "\\x$(printf %02x $((byte ^ 0xff)))" |
		dd of="$ram" bs=1 seek="$at" conv=notrunc status=none
}

# Damages what the guest named by its text, wherever the region has it by now.
vm_spoil() {
	local at

	[[ -n $spoil ]] || return 0
	at=$(grep -obaF -m 1 -- "$spoil" "$1/snapshot" | head -n 1) || true
	if [[ -n $at ]]; then
		vm_damage "$2" "${at%%:*}"
	else
		failure="the region has no '$spoil'"
	fi
	spoil=
}

# Whoever runs the scenario may listen: host_event VERB TEXT.
vm_tell() {
	if declare -F host_event >/dev/null; then
		host_event "$@"
	fi
}

vm_mark() {
	local work=$1 ram=$2 size start bad

	[[ -n $region ]] || return 0
	size=$(numfmt --from=iec "${region%%[%!]*}")
	start=$(vm_region_offset)
	case $3 in
	jump)
		dd if="$ram" of="$work/snapshot" bs=1M skip="$start" count="$size" \
			iflag=skip_bytes,count_bytes conv=sparse status=none
		vm_spoil "$work" "$ram"
		vm_tell jump
		;;
	landed)
		[[ -e $work/snapshot ]] || return 0
		bad=$("$VM_PAGES" diff "$work/snapshot" 0 "$ram" "$start" "$size") || true
		printf 'host   region: %s pages differ after the jump\n' "$bad" >>"$work/events"
		vm_tell landed "$bad"
		vm_judge_region "$bad"
		after_jump=intact
		;;
	esac
}

vm_judge_region() {
	case $after_jump in
	intact)
		[[ $1 == "0 of "* ]] || failure="the jump damaged the region: $1 pages differ"
		;;
	destroyed)
		[[ $1 != "0 of "* ]] || failure="the region survived what should destroy it"
		;;
	any) ;;
	esac
}

# Where a guest physical address lies in the file that is the guest's RAM.
vm_ram_offset() {
	local address=$1

	((address < VM_LOW)) || address=$((address - (4 << 30) + VM_LOW))
	printf '%s\n' "$address"
}

# Where the region begins in that file.
vm_region_offset() {
	local start=${region#*[%!]}

	vm_ram_offset "$(numfmt --from=iec "${start%%-*}")"
}

# What was told before a jump must have been told again after it.
vm_compare() {
	local work=$1 key now

	for key in "${!told_before[@]}"; do
		now=${told_after[$key]:-nothing}
		if [[ $now == "${told_before[$key]}" ]]; then
			vm_tell same "$key"
		elif [[ -z $failure ]]; then
			failure="$key: ${told_before[$key]} before, $now after"
			vm_explain "$work" "$key" >"$work/differences"
		fi
	done
}

# How the two lists of one tree differ.
vm_explain() {
	local work=$1 tree=${2#tree:} when

	for when in before after; do
		awk -v head="== $when tree $tree" '
			$0 == "== end" { on = 0 }
			on
			$0 == head { on = 1 }' "$work/lists" >"$work/$when"
	done
	diff "$work/before" "$work/after" || true
	rm "$work/before" "$work/after"
}
