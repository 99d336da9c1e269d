# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A whole Debian with systemd for the scenarios that say system=debian, made by mmdebstrap once for each
# release and list of packages and cached; with the Debian packages of pkram, installed by dpkg.

VM_DEBIAN_PACKAGES="systemd-sysv dbus udev kmod kexec-tools initramfs-tools zstd memcached"

# The release that this machine runs.
vm_debian_release() {
	# shellcheck source=/dev/null
	(. /etc/os-release && printf '%s\n' "$VERSION_CODENAME")
}

# vm_debian_name RELEASE PACKAGES: how the files of the Debian that has these besides are called.
vm_debian_name() {
	printf '%s-%s\n' "$1" "$(printf '%s' "$2" | sha256sum | cut -c 1-8)"
}

# vm_debian DIR SERIES RELEASE PACKAGES: build a disk image with a kernel of that series, and its
# initrd; what is on it stays in a directory beside it.
vm_debian() {
	local dir=$1 root disk kernel version

	disk=$dir/$(vm_debian_name "$3" "$4")
	root=$disk-root
	kernel=$(vm_kernel "$2")
	version=$(<"$kernel/version")
	mkdir "$root"
	tar -C "$root" -xf "$(vm_debian_tar "$3" "$4")" --exclude='./dev/*'
	cp "$kernel/vmlinuz" "$root/boot/vmlinuz-$version"
	cp "$kernel/config" "$root/boot/config-$version"
	mkdir -p "$root/lib/modules"
	cp -r "$kernel/lib/modules/$version" "$root/lib/modules/"
	vm_debian_pkram "$root"
	vm_debian_guest "$root"
	vm_debian_inside "$root" update-initramfs -c -k "$version" >"$disk.log" 2>&1 ||
		vm_die "update-initramfs failed; see $disk.log"
	vm_debian_disk "$root" "$disk"
}

# vm_debian_disk ROOT DISK: a disk image of it, and DISK-initrd, by which it starts.
vm_debian_disk() {
	cp "$1"/boot/initrd.img-* "$2-initrd"
	mke2fs -q -t ext4 -d "$1" "$2" 2G >>"$2.log" 2>&1 || vm_die "mke2fs failed; see $2.log"
}

# vm_debian_own FROM DISK: the same system with what a scenario changes of it by its function debian.
vm_debian_own() {
	local root=$2-root

	cp -a "$1-root" "$root"
	debian "$root" || vm_die "the scenario's changes of the system failed"
	vm_debian_disk "$root" "$2"
	rm -rf "$root"
}

# apt knows the libraries of a later release by these names, too: their packages say that they provide them.
vm_debian_tar() {
	local release=$1 packages=$2 wanted tar

	# shellcheck disable=SC2086 # words
	wanted=$(printf '%s\n' $VM_DEBIAN_PACKAGES $packages libkmod2 libblkid1 libfdt1 libxxhash0 \
		libsmartcols1 libnettle8 libarchive13 | paste -sd ,)
	tar=$VM_CACHE/$release-$(printf '%s' "$wanted" | sha256sum | cut -c 1-16).tar
	if [[ ! -e $tar ]]; then
		vm_say "making a Debian $release with systemd${packages:+, $packages}"
		mkdir -p "$VM_CACHE"
		# A name that ends in .tar is what says that it is to be one.
		"$VM_TOP/tests/mirrors" "$release" | mmdebstrap --variant=minbase --include="$wanted" \
			--skip=cleanup/reproducible --dpkgopt='path-exclude=/usr/share/locale/*' \
			"$release" "${tar%.tar}.new.tar" - >"$VM_CACHE/log" 2>&1 ||
			vm_die "mmdebstrap failed; see $VM_CACHE/log"
		mv "${tar%.tar}.new.tar" "$tar"
	fi
	printf '%s\n' "$tar"
}

# vm_debian_inside ROOT COMMAND...: with a /proc and /dev that end with it.
vm_debian_inside() {
	# shellcheck disable=SC2016 # of the inner shell
	unshare --mount --pid --fork bash -euc '
		mount -t proc proc "$1/proc"
		mount -t sysfs -o ro sys "$1/sys"
		mount --rbind /dev "$1/dev"
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive chroot "$@"' bash "$@"
}

# The packages of PKRAM_DEBS, else of this source, as it is now.
vm_debian_packages() {
	[[ ! ${PKRAM_DEBS:-} ]] || return 0
	vm_say "building the Debian packages"
	"$VM_TOP/tests/setup" package
	PKRAM_DEBS=$VM_TOP/build-vm/debs
	rm -rf "$PKRAM_DEBS"
	DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(nproc)" "$VM_TOP/tools/debian/build" "$PKRAM_DEBS" \
		>"$PKRAM_DEBS.log" 2>&1 || vm_die "the packages do not build; see $PKRAM_DEBS.log"
}

vm_debian_pkram() {
	local root=$1

	vm_debian_packages
	cp "$PKRAM_DEBS"/pkram_*_amd64.deb "$PKRAM_DEBS"/libpkram1_*_amd64.deb "$root/tmp/"
	vm_debian_inside "$root" sh -c 'dpkg -i /tmp/*.deb' >"$VM_TOP/build-vm/dpkg.log" 2>&1 ||
		vm_die "the packages cannot be installed; see $VM_TOP/build-vm/dpkg.log"
	rm "$root"/tmp/*.deb
}

# What the scenarios need of the guest besides the system itself.
vm_debian_guest() {
	local root=$1 unit

	mkdir -p "$root/vm"
	cp "$VM_SOURCE"/guest/*.sh "$VM_SOURCE"/guest/start "$VM_SOURCE"/test-*.sh "$root/vm/"
	vm_compile "$root/usr/bin/oracle" "$VM_TOP"/tests/oracle/*.c
	mv "$root/sbin/kexec" "$root/sbin/kexec.real"
	cp "$VM_SOURCE/guest/kexec" "$root/sbin/kexec"
	cp "$VM_SOURCE/guest/vm-test.service" "$root/etc/systemd/system/"
	ln -s ../vm-test.service "$root/etc/systemd/system/multi-user.target.wants/"
	# Quick to boot.
	printf 'MODULES=list\n' >"$root/etc/initramfs-tools/conf.d/modules"
	printf '%s\n' virtio_pci virtio_blk ext4 >>"$root/etc/initramfs-tools/modules"
	for unit in e2scrub_reap.service serial-getty@ttyS0.service getty@tty1.service \
		systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	printf 'debian\n' >"$root/etc/hostname"
	: >"$root/etc/machine-id"
}
