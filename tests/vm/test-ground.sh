# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The ground that pkram stands on, shown without pkram: a region at the top of RAM comes through
# `kexec -s` with every page intact, and the default of kexec-tools destroys it.

region=256M!4352M

stage_1() {
	load_region_modules
	pages fill /dev/pmem0 7
	hand_load 2 6.12 -s
	kexec -e
}

stage_2() {
	load_region_modules
	expect 0 pages check /dev/pmem0 7
	ok "after kexec -s: $(<"$OUTPUT") pages bad"
	hand_load 3 6.12
	expect 0 pages check /dev/pmem0 7
	region_will_be destroyed
	kexec -e
}

stage_3() {
	load_region_modules
	expect 1 pages check /dev/pmem0 7
	ok "after kexec -l: $(<"$OUTPUT") pages bad"
}
