# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A kernel that places itself at random avoids four memmap= words: it is started, up to 12 times, until
# it lies in the region of the fifth. pkram refuses such a line.

memory=2048
region=960M!4160M
seconds=600
when=all
TRIES=12

line() {
	line_with 'memmap=1M$64M' 'memmap=1M$80M' 'memmap=1M$96M' 'memmap=1M$112M' "memmap=$region"
}

stage() {
	local code

	if ((STAGE == 1)); then
		load_region_modules
		pages fill /dev/pmem0 5 64
		expect 0 pkram -r pmem:/dev/pmem0 init
		LINE=$(line)
		expect 1 pkram kexec --load-only --command-line "$LINE"
		says "5 memmap= words"
		loaded 0
	else
		code=$(sed -n 's/^ *\([0-9a-f]*\)-.* : Kernel code$/\1/p' /proc/iomem)
		note "the kernel is at $((16#$code >> 20)) MiB"
		if ((16#$code >= 4160 << 20)); then
			region_will_be destroyed
			mark landed
			ok "the kernel lies in the region, at the start number $((STAGE - 1))"
			return
		fi
		((STAGE <= TRIES)) || fail "$TRIES kernels, and none in the region"
	fi
	region_will_be any
	LINE=$(line)
	hand_load $((STAGE + 1)) 6.12 -s
	kexec -e
}
