# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# A devdax namespace, its region in the middle of RAM: save, jump, restore; then the same container
# through raw pmem and back through a devdax namespace over the same memory.

region=256M!512M
when=all

stage_1() {
	load_region_modules
	make_devdax
	expect 0 pkram -r devdax:/dev/dax0.0 init
	mount_tmpfs /srv/data 200
	make_tree /srv/data 16
	tell_tree before data /srv/data
	expect 0 pkram save /srv/data
	put_stream alpha 3000000
	jump 2
}

stage_2() {
	expect 0 pkram ls			# loads the modules by itself
	expect 0 pkram restore --mount
	findmnt -t tmpfs /srv/data || fail "--mount made no tmpfs"
	tell_tree after data /srv/data
	get_stream alpha

	expect 0 ndctl create-namespace -f -e namespace0.0 -m fsdax -M mem
	expect 0 pkram -r pmem:/dev/pmem0 verify
	expect 0 pkram -r pmem:/dev/pmem0 restore /srv/data --to /run/pmem
	before "tree:converted" "$(oracle hash /srv/data)"
	after "tree:converted" "$(oracle hash /run/pmem/srv/data)"
	printf 'through pmem' | pkram -r pmem:/dev/pmem0 put gamma
	make_devdax
	expect 0 pkram -r devdax:/dev/dax0.0 verify
	expect 0 pkram -r devdax:/dev/dax0.0 get gamma
	says 'through pmem'
	ok "one container through pmem and through devdax"
}
