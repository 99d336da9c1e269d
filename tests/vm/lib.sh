# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The host's side of the VM tests: stock Debian kernels in QEMU whose RAM is a file that the host
# can look into. Source this file; what it offers:
#
#   vm_kernel SERIES          the directory of a Debian kernel ("6.12")         (kernels.sh)
#   vm_image DIR SERIES...    the initramfs of each kernel and the boot disk    (image.sh)
#   vm_debian DIR SERIES      a disk with a whole Debian                        (debian.sh)
#   vm_run SCENARIO DIR       boot a scenario and watch it to its verdict       (boot.sh)

VM_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VM_TOP=$(cd "$VM_SOURCE/../.." && pwd)
VM_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/pkram-vm

vm_say() {
	printf '%s\n' "$*" >&2
}

vm_die() {
	printf 'vm: %s\n' "$*" >&2
	exit 1
}

# shellcheck source=tests/vm/kernels.sh
. "$VM_SOURCE/kernels.sh"
# shellcheck source=tests/vm/image.sh
. "$VM_SOURCE/image.sh"
# shellcheck source=tests/vm/debian.sh
. "$VM_SOURCE/debian.sh"
# shellcheck source=tests/vm/boot.sh
. "$VM_SOURCE/boot.sh"

# vm_prepare BASE SERIES...: all that the scenarios share: BASE/image and the host's own `pages`.
vm_prepare() {
	local base=$1

	shift
	rm -rf "$base/image"
	vm_image "$base/image" "$@"
	VM_PAGES=$base/image/root/usr/bin/pages
	export VM_PAGES
}
