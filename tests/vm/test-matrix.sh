# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# Save, jump, restore on every combination of REGION-MACHINE-KERNEL-LOAD:
#
#	pmem|devdax|soft	raw pmem, a devdax namespace on it, Soft Reserved memory (dax_hmem)
#	pc|q35			by SeaBIOS, or by OVMF
#	6.12|6.1		the kernel before and after the jump
#	s|c			by kexec_file_load, or by kexec_load between bounds
#
# Any two values of different axes meet in one of the variants that are always run.

variants="pmem-pc-6.1-s pmem-q35-6.12-c devdax-pc-6.12-c devdax-q35-6.1-s soft-pc-6.1-c soft-q35-6.12-s"
variants_all="pmem-pc-6.1-c pmem-pc-6.12-s pmem-pc-6.12-c pmem-q35-6.1-s pmem-q35-6.1-c pmem-q35-6.12-s
	devdax-pc-6.1-s devdax-pc-6.1-c devdax-pc-6.12-s devdax-q35-6.1-c devdax-q35-6.12-s devdax-q35-6.12-c
	soft-pc-6.1-s soft-pc-6.12-s soft-pc-6.12-c soft-q35-6.1-s soft-q35-6.1-c soft-q35-6.12-c"

IFS=- read -r KIND machine kernel LOAD <<<"${variant:-pmem-pc-6.12-s}"
region=256M!4352M
seconds=400
if [[ $KIND == soft ]]; then
	region=256M%4352M-1+0xefffffff
fi
# The firmware's own allocations lie at the top of RAM; SeaBIOS makes none above 4 GiB.
if [[ $machine == q35 ]]; then
	memory=2048
fi
case $LOAD in
s) METHOD='file' ;;
c) METHOD=load ;;
esac

make_region() {
	case $KIND in
	pmem)
		load_region_modules
		REGION=pmem:/dev/pmem0
		;;
	devdax)
		load_region_modules
		make_devdax
		REGION=devdax:/dev/dax0.0
		;;
	soft)	# pkram binds it itself, away from kmem
		REGION=devdax:/dev/dax0.0
		;;
	esac
}

# The machine is the one that the variant's name says.
stands_on() {
	local firmware=pc

	[[ ! -d /sys/firmware/efi ]] || firmware=q35
	[[ $firmware == "$machine" ]] || fail "this is $firmware, not $machine"
	[[ $(uname -r) == "$kernel".* ]] || fail "this is $(uname -r), not $kernel"
}

stage_1() {
	local version

	stands_on
	make_region
	expect 0 pkram -r "$REGION" init
	mount_tmpfs /srv/data 100
	make_tree /srv/data 4
	tell_tree before data /srv/data
	expect 0 pkram save /srv/data
	put_stream alpha 3000001
	version=$(boot_kernel "$kernel")
	expect 0 pkram kexec --load-only --method "$METHOD" --kernel "/boot/vmlinuz-$version" \
		--initrd "/boot/initrd.img-$version" --append vm.stage=2
	loaded 1
	pkram kexec </dev/null 2>&1 | tee "$OUTPUT" || true
	fail "pkram kexec came back: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
}

stage_2() {
	stands_on
	mount_tmpfs /srv/data 100
	expect 0 pkram restore			# loads the modules by itself
	tell_tree after data /srv/data
	get_stream alpha
	ok "restored"
}
