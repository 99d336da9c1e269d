# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The main way on raw pmem, the region at the top of RAM where a plain `kexec -l` destroys it:
# init over bytes that mean nothing, save trees and streams, jump, restore. Then every way in which
# saved data is not fresh: only what was saved for the last jump comes back without --stale.

region=256M!4352M
seconds=360

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init	# no module is loaded yet
	expect 0 pkram -r pmem:/dev/pmem0 init --force
	pages fill /dev/pmem0 3
	expect 0 pkram -r pmem:/dev/pmem0 init
	ok "init over random bytes"

	mount_tmpfs /srv/data 200 nosuid,nodev,noexec
	make_tree /srv/data 8
	mkdir /srv/more
	make_tree /srv/more 2 1
	printf 'a single file' >/srv/single
	tell_tree before data /srv/data
	tell_tree before more /srv/more
	before file "$(sha256sum </srv/single | cut -c1-64)"

	expect 0 pkram save /srv/data /srv/more /srv/single
	put_stream alpha 5000001 &
	put_stream beta 300000 &
	wait
	put_stream empty 0
	expect 0 pkram verify
	expect 0 pkram ls
	says /srv/data
	jump 2
}

stage_2() {
	expect 0 pkram ls
	mount_tmpfs /srv/data 200 nosuid,nodev,noexec
	expect 0 pkram restore --once
	tell_tree after data /srv/data
	tell_tree after more /srv/more
	after file "$(sha256sum </srv/single | cut -c1-64)"
	get_stream alpha
	get_stream beta
	get_stream empty
	ok "restored on $(uname -r)"

	expect 3 pkram restore --once --to /run/once
	expect 0 pkram restore /srv/more --to /run/again
	ok "--once serves nothing twice, plain restore does"
	jump 3
}

# Nothing was saved before this jump.
stage_3() {
	expect 3 pkram restore --to /run/out
	[[ ! -e /run/out/srv ]] || fail "a stale tree appeared"
	expect 0 pkram restore --stale /srv/more --to /run/stale
	ok "a jump without a new save: stale"

	mkdir -p /srv/third
	make_tree /srv/third 1 2
	expect 0 pkram save -n third /srv/third
	hand_load 4 6.12 -s
	kexec -e
}

# The command line still holds the pkram.jump= of the jump before.
stage_4() {
	expect 3 pkram restore --to /run/out
	expect 0 pkram restore --stale third --to /run/stale
	ok "a hand-made kexec that reuses the command line: stale"

	mkdir -p /srv/fourth
	make_tree /srv/fourth 1 3
	tell_tree before fourth /srv/fourth
	expect 0 pkram save -n fourth /srv/fourth
	firmware_reboot 5
}

stage_5() {
	expect 3 pkram restore --to /run/out
	expect 0 pkram restore --stale fourth --to /run/stale
	tell_tree after fourth /run/stale/srv/fourth
	ok "a firmware reboot: stale, but intact in this machine"
}
