# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Guests of a hypervisor go on in the next kernel: examples/live-update with three QEMUs in this VM, saved,
# jumped with, and restored. The host compares the RAM of each as it was when all QEMUs had quit with what
# it is before they start again, and the number that each guest has to print next. The downtime is told.

region=128M!4352M
seconds=400
when=all
MIB=16
GUESTS="vm1 vm2 vm3"

extra() {
	local root=$1 here=$VM_TOP/examples/live-update version file

	mkdir -p "$root"/usr/{bin,lib,share/seabios,share/qemu} "$root/python/lib"
	for file in qemu-system-x86_64 stat; do
		vm_program "$root" "$(realpath "$(command -v $file)")"
	done
	for file in /usr/lib/*/qemu/accel-tcg-x86_64.so; do
		[[ ! -e $file ]] || install -D "$file" "$root$file"
	done
	cp /usr/share/seabios/bios-256k.bin "$root/usr/share/seabios/"
	cp /usr/share/qemu/{kvmvapic,multiboot_dma}.bin "$root/usr/share/qemu/"

	version=$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
	vm_program "$root" "/usr/bin/$version" "/python/bin/$version"
	cp -a "/usr/lib/$version" "$root/python/lib/"
	rm -rf "$root/python/lib/$version"/{config-*,test,lib2to3,pydoc_data,distutils,idlelib,ensurepip}
	ln -s "/extra/python/bin/$version" "$root/usr/bin/python3"

	install -D -t "$root/live" "$here"/{live-update,guest.py,counters.sh}
	(. "$here/counters.sh" && counter_build "$root/live/counter")
}

# What stands before pkram while live-update works: it hashes the RAM when it is at rest.
hash_at_rest() {
	mkdir /run/bin
	cat >/run/bin/pkram <<-'END'
		#!/bin/bash
		/usr/sbin/pkram "$@" || exit
		case " $* " in *' save /'* | *' restore '*' /srv/ram/'*) cd /srv/ram && sha256sum -- * >/run/sums ;; esac
	END
	chmod +x /run/bin/pkram
	PATH=/run/bin:$PATH
}

prepare() {
	local name

	mount_extra
	# shellcheck source=examples/live-update/counters.sh
	. /extra/live/counters.sh
	mount_tmpfs /srv 200
	mkdir -p /srv/{ram,log} /etc/live-update
	for name in $GUESTS; do
		counter_conf "$name" $MIB /srv /extra/live/counter >"/etc/live-update/$name.conf"
	done
	hash_at_rest
}

live() {
	expect 0 /extra/live/live-update --timeout 100 "$@"
}

# tell_ram before|after
tell_ram() {
	local sum name

	while read -r sum name; do
		say "size ram:$name $MIB MiB"
		"$1" "ram:$name" "$sum"
	done </run/sums
}

counts() {
	counter_check "/srv/log/$1" >"$OUTPUT" || fail "$1 does not go on from where it was: $(<"$OUTPUT")"
}

stage_1() {
	local name

	expect 0 pkram -r pmem:/dev/pmem0 init
	prepare
	live start
	for name in $GUESTS; do
		counter_await "/srv/log/$name" 20 100 || fail "$name does not count"
	done
	note "3 guests count in Linux $(uname -r)"
	live save
	note "live-update save: $(tail -n 1 "$OUTPUT")"
	tell_ram before
	for name in $GUESTS; do
		counts "$name"
		before "next:$name" $(($(counter_last "/srv/log/$name") + 1))
	done
	# So that what was said before the jump is there to be compared with.
	expect 0 pkram save /srv/log
	jump 2
}

stage_2() {
	local name
	local -A was

	prepare
	rmdir /srv/log
	expect 0 pkram restore /srv/log
	for name in $GUESTS; do
		was[$name]=$(counter_last "/srv/log/$name")
	done
	live restore
	tell_ram after
	for name in $GUESTS; do
		counter_await "/srv/log/$name" $((${was[$name]} + $(counter_round $MIB) + 1)) 120 ||
			fail "$name does not go on"
		counts "$name"
		after "next:$name" "$(sed -n "$((${was[$name]} + 2))p" "/srv/log/$name")"
		note "$name went on with ${was[$name]} + 1, and found each page of its RAM as it had left it"
	done
	expect 3 /extra/live/live-update restore
	expect 0 pkram report
	note "$(grep -i downtime "$OUTPUT")"
	ok "3 guests went on in Linux $(uname -r)"
}
