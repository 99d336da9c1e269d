# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the guest runs from: for each kernel an initramfs that holds everything (tools, modules,
# pkram, the scenarios), and one read-only disk with these kernels and initramfs as /boot, for the
# kexec inside the guest.

# In the order in which a Debian system would have them at hand; dependencies follow by themselves.
VM_MODULES="nd_e820 nd_pmem nd_btt dax_pmem device_dax dax_hmem virtio_pci virtio_blk
	erofs ext4 loop dm_mod ramdax"
VM_PROGRAMS="bash busybox kmod kexec ndctl daxctl stty mount umount findmnt getfattr setfattr
	sha256sum cmp rm cp du timeout taskset numactl mke2fs script"

# vm_image DIR SERIES...: build DIR/boot/{vmlinuz,initrd.img}-VERSION and DIR/disk with all of them.
vm_image() {
	local dir=$1 series

	shift
	mkdir -p "$dir/root" "$dir/boot"
	vm_root "$dir/root"
	for series in "$@"; do
		vm_image_kernel "$dir" "$series"
	done
	mkfs.erofs -T0 "$dir/disk" "$dir/boot" >"$dir/mkfs.log" 2>&1 ||
		vm_die "mkfs.erofs failed; see $dir/mkfs.log"
}

# vm_image_kernel DIR SERIES: one more kernel to boot; it is on the disk only if the disk is made later.
vm_image_kernel() {
	local dir=$1 kernel version

	kernel=$(vm_kernel "$2")
	version=$(<"$kernel/version")
	mkdir "$dir/modules"
	vm_modules "$kernel" "$dir/modules"
	{
		vm_cpio "$dir/root"
		vm_cpio "$dir/modules"
	} >"$dir/boot/initrd.img-$version"
	rm -r "$dir/modules"
	cp "$kernel/vmlinuz" "$dir/boot/vmlinuz-$version"
}

vm_cpio() {
	(cd "$1" && find . -print0 | sort -z | cpio --null --create --format=newc --quiet -R 0:0)
}

vm_modules() {
	local kernel=$1 dest=$2 version name file

	version=$(<"$kernel/version")
	mkdir -p "$dest/usr/lib/modules/$version"
	for name in $VM_MODULES; do
		modprobe -i -C /dev/null -d "$kernel" -S "$version" --show-depends \
			"$name" 2>/dev/null || true
	done | sed -n "s|^insmod $kernel/lib/||p" | sed 's/ .*//' | sort -u |
		while read -r file; do
			install -D -m 644 "$kernel/lib/$file" "$dest/usr/lib/$file"
		done
	cp "$kernel/lib/modules/$version"/modules.{order,builtin*} "$dest/usr/lib/modules/$version/"
	ln -s usr/lib "$dest/lib"
	depmod -b "$dest" "$version"
	rm "$dest/lib"
}

vm_root() {
	local root=$1 name

	mkdir -p "$root"/{dev,proc,sys,run,tmp,boot,root,etc,vm,var/lib} "$root"/usr/{bin,sbin,lib,lib64}
	for name in bin sbin lib lib64; do
		ln -s "usr/$name" "$root/$name"
	done
	for name in $VM_PROGRAMS; do
		vm_program "$root" "$(command -v "$name")"
	done
	for name in modprobe insmod rmmod lsmod depmod modinfo; do
		ln -sf ../bin/kmod "$root/usr/sbin/$name"
	done
	for name in $(busybox --list); do
		[[ -e $root/usr/bin/$name || -e $root/usr/sbin/$name ]] ||
			ln -s busybox "$root/usr/bin/$name"
	done
	mv "$root/usr/sbin/kexec" "$root/usr/sbin/kexec.real"
	cp "$VM_SOURCE/guest/kexec" "$root/usr/sbin/kexec"
	cp "$VM_SOURCE/guest/init" "$root/init"
	cp "$VM_SOURCE"/guest/*.sh "$VM_SOURCE"/test-*.sh "$VM_TOP"/examples/*-vm.sh "$root/vm/"
	vm_compile "$root/usr/bin/pages" "$VM_SOURCE/pages.c"
	vm_compile "$root/usr/bin/oracle" "$VM_TOP"/tests/oracle/*.c
	vm_pkram "$root"
	ldconfig -r "$root" 2>/dev/null
}

vm_compile() {
	local out=$1

	shift
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -s -o "$out" "$@"
}

# vm_program ROOT FILE [DEST]: copy a program and the shared libraries it is linked with.
vm_program() {
	local root=$1 file=$2 dest=${3:-$2}

	case $dest in
	/bin/* | /sbin/*) dest=/usr$dest ;;
	esac
	install -D -m 755 "$file" "$root$dest"
	vm_libraries "$root" "$file"
}

vm_libraries() {
	local root=$1 file=$2 library

	{ ldd "$file" 2>/dev/null || true; } |
		sed -nE 's/.*=> (\/[^ ]+) .*/\1/p; s/^\t(\/[^ ]+) .*/\1/p' |
		while read -r library; do
			vm_library "$root" "$library"
		done
}

# A library of a build directory goes where the guest's loader looks.
vm_library() {
	local root=$1 library=$2 dest=$2

	case $library in
	/lib/* | /lib64/*) dest=/usr$library ;;
	/usr/*) ;;
	*) dest=/usr/lib/${library##*/} ;;
	esac
	[[ -e $root$dest ]] || install -D -m 755 "$library" "$root$dest"
}

# The pkram to be tested: $PKRAM_BIN, else built here from the source, as a distribution would.
vm_pkram() {
	local root=$1 build=$VM_TOP/build-vm/build log=$VM_TOP/build-vm/build.log name library

	# It loads these by itself.
	for name in libkmod.so.2 libblkid.so.1 libnettle.so.8; do
		library=$(ldconfig -p | awk -v name="$name" '$1 == name && !n++ { print $NF }')
		vm_library "$root" "$library"
		vm_libraries "$root" "$library"
	done
	if [[ -n ${PKRAM_BIN:-} ]]; then
		vm_program "$root" "$PKRAM_BIN" /usr/sbin/pkram
		return
	fi
	if [[ ! -e $build/build.ninja ]]; then
		meson setup --prefix=/usr --libdir=lib -Dtests=false "$build" "$VM_TOP" \
			>"$log" 2>&1 || vm_die "meson setup failed; see $log"
	fi
	rm -rf "$build/root"
	DESTDIR=$build/root meson install -C "$build" >"$log" 2>&1 ||
		vm_die "the build failed; see $log"
	LD_LIBRARY_PATH=$build/root/usr/lib vm_program "$root" "$build/root/usr/sbin/pkram" \
		/usr/sbin/pkram
}
