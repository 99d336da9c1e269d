# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Another kernel after the jump: saved on 6.1, restored on 6.12, saved there, restored on 6.1.

kernel=6.1
region=256M!4352M

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init
	mount_tmpfs /srv/data 200
	make_tree /srv/data 4
	tell_tree before data /srv/data
	expect 0 pkram save /srv/data
	jump 2			# the newest one in /boot
}

stage_2() {
	[[ $(uname -r) == 6.12* ]] || fail "landed on $(uname -r)"
	mount_tmpfs /srv/data 200
	expect 0 pkram restore
	tell_tree after data /srv/data
	expect 0 pkram save /srv/data
	jump 3 6.1
}

stage_3() {
	[[ $(uname -r) == 6.1.* ]] || fail "landed on $(uname -r)"
	mount_tmpfs /srv/data 200
	expect 0 pkram restore
	tell_tree after data /srv/data
}
