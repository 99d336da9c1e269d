# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For cases that source it: a recorded machine (tests/sysroot) with a region in it, whose bytes lie
# on a loop device.

# namespace N PHYS SIZE LOOP: /dev/pmemN of memmap=SIZE!PHYS, whose bytes are those of the device.
namespace() {
  local phys size bus=sys/devices/platform/e820_pmem/ndbus0 block
  phys=$(numfmt --from=iec "$2")
  size=$(numfmt --from=iec "$3")
  block=$bus/region$1/namespace$1.0/block/pmem$1

  mkdir -p "m/$block"
  printf '0x%x\n' "$phys" | tee "m/$bus/region$1/resource" >"m/$bus/region$1/namespace$1.0/resource"
  echo "$size" >"m/$bus/region$1/size"
  echo $((size / 512)) >"m/$block/size"
  echo "DEVNAME=${4#/dev/}" >"m/$block/uevent"
  ln -s "../../../$block" "m/sys/class/block/pmem$1"
  ln -s "../../class/block/pmem$1" "m/sys/dev/block/$(stat -c %Hr:%Lr "$4")"
}

# machine NAME PHYS SIZE: a copy in m/, with /dev/pmem0 of memmap=SIZE!PHYS and an empty container
# in it; $loop is its device.
machine() {
  rm -rf m
  # A pattern will do: a name may hold that of the host, which the runner replaces.
  # shellcheck disable=SC2086
  cp -r "$CLI_SOURCE"/tests/sysroot/$1 m
  mkdir -p m/proc/sys/kernel/random m/sys/kernel m/sys/class/block m/sys/dev/block \
    m/sys/devices/platform/e820_pmem/ndbus0
  cp /proc/sys/kernel/random/boot_id m/proc/sys/kernel/random/
  echo 0 >m/sys/kernel/kexec_loaded
  echo e820 >m/sys/devices/platform/e820_pmem/ndbus0/provider
  [[ ${loop-} ]] || loop=$(truncate -s 16M bytes && losetup --find --show bytes) || return
  namespace 0 "$2" "$3" "$loop"
  pkram -r "$loop" init -q --force --sysroot m 2>/dev/null
}

# machine_more PHYS SIZE: the same machine with /dev/pmem1; $loop1 is its device, with no container yet.
machine_more() {
  [[ ${loop1-} ]] || loop1=$(truncate -s 16M bytes1 && losetup --find --show bytes1) || return
  namespace 1 "$1" "$2" "$loop1"
}

machine_end() {
  losetup --detach "$loop" ${loop1:+"$loop1"}
}

# kernel VERSION [MODULE...]: /boot/vmlinuz-VERSION as far as its header goes, an initrd with nothing
# in it, and these modules.
kernel() {
  local file=m/boot/vmlinuz-$1 version=$1 module

  mkdir -p m/boot "m/lib/modules/$1"
  head -c 4096 /dev/zero >"$file"
  put() {
    printf "$2" | dd of="$file" bs=1 seek="$1" conv=notrunc status=none
  }
  put $((0x1f1)) '\x04'
  put $((0x1fe)) '\x55\xaaXXHdrS\x0f\x02'
  put $((0x20e)) '\x00\x03'
  put $((0x236)) '\x7f'
  put $((0x500)) "$version (test) #1"
  (cd m && : >empty && echo empty | cpio --quiet -o -H newc >"boot/initrd.img-$version" && rm empty)
  shift
  for module; do
    echo "kernel/drivers/$module.ko:"
  done >"m/lib/modules/$version/modules.dep"
}

# reserve WORD: on the running command line.
reserve() {
  sed -i "s/\$/ $1/" m/proc/cmdline
}

# checks [OPTION...]: without the loop device's number; then the exit code.
checks() {
  pkram -r "$loop" check --sysroot m --no-verify "$@" 2>&1 | sed "s|$loop|/dev/pmem0|g"
  echo "exit ${PIPESTATUS[0]}"
}
