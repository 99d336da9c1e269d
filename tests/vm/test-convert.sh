# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# Raw pmem to devdax and back, the container in it found again each time; what is refused; what is
# put back after a failure; a jump from the devdax.

region=128M!512M

# uuid and generation of the container, as JSON has them.
identity() {
	pkram -r "$1" ls --json | sed -n 's/^ *"uuid": //p; s/^ *"generation": //p' | tr -d '\n'
}

# state DEVICE TEXT: what `pkram regions` says of it.
state() {
	expect 0 pkram regions -n -o device,mode,state,reserved-by
	grep -F -e "$1" "$OUTPUT" | tr -s ' ' >/run/line || fail "$1 is not listed"
	mv /run/line "$OUTPUT"
	says "$2"
}

# convert DEVICE MODE: and the container is the same there.
convert() {
	local now=devdax:/dev/dax0.0

	[[ $2 == devdax ]] || now=pmem:/dev/pmem0
	expect 0 pkram region convert "$1" --to "$2" --yes
	says "$(identity "$now" | cut -d '"' -f 2)"
	[[ $(identity "$now") == "$container" ]] || fail "the container is another one"
	[[ ! -e $1 ]] || fail "$1 is still there"
	state "${now#*:}" "$2 container, 2 nodes"
	expect 0 pkram -r "$now" verify
}

refused() {
	expect 1 pkram region convert "$1" --to "$2" --yes
	says "$3"
	[[ -e $1 ]] || fail "$1 is gone"
}

# Somebody at a terminal is asked, and answers.
answered() {
	local want=$1 answer=$2

	mkdir -p /dev/pts
	mountpoint -q /dev/pts || mount -t devpts devpts /dev/pts
	STATUS=0
	printf '%s\n' "$answer" | timeout 60 script -qec \
		"pkram region convert /dev/pmem0 --to devdax" /dev/null >"$OUTPUT" || STATUS=$?
	cat "$OUTPUT"
	[[ $STATUS == "$want" ]] || fail "answered '$answer', it ended with $STATUS"
	says 'Convert /dev/pmem0? [y/N]'
}

refusals() {
	expect 0 mke2fs -q -F -O has_journal,extent /dev/pmem0
	state /dev/pmem0 'raw foreign, ext4'
	refused /dev/pmem0 devdax 'holds ext4'
	mkdir -p /mnt
	mount -t ext4 /dev/pmem0 /mnt
	state /dev/pmem0 'raw busy, is mounted at /mnt'
	refused /dev/pmem0 devdax 'is mounted at /mnt'
	umount /mnt
	expect 0 pkram -r pmem:/dev/pmem0 init --force
	exec 7</dev/pmem0
	refused /dev/pmem0 devdax "is in use by pid $$"
	exec 7<&-
	refused /dev/vda devdax 'nothing to convert'
	ok "a filesystem, a mount, an open file, another disk"
}

# What the kernel does not do, it does not do half.
failures() {
	mount --bind /dev/null /sys/bus/nd/drivers/dax_pmem/bind
	refused /dev/pmem0 devdax 'it is raw again'
	umount /sys/bus/nd/drivers/dax_pmem/bind
	[[ $(identity pmem:/dev/pmem0) == "$container" ]] || fail "the container is another one"
	expect 0 pkram -r pmem:/dev/pmem0 verify
	convert /dev/pmem0 devdax

	# Without a node the block device cannot be written.
	mkdir /run/dev
	cp -a /dev/null /dev/ttyS1 /dev/dax0.0 /run/dev/
	mount --bind /run/dev /dev
	refused /dev/dax0.0 raw 'it is devdax again'
	umount /dev
	[[ $(identity devdax:/dev/dax0.0) == "$container" ]] || fail "the container is another one"
	expect 0 pkram -r devdax:/dev/dax0.0 verify
	ok "a failure on either way puts the old device back"
}

stage_1() {
	local container

	state memmap=128M!512M 'none no-driver'
	load_region_modules
	state /dev/pmem0 'raw empty memmap=128M!512M'
	refusals

	mount_tmpfs /srv/data 100
	make_tree /srv/data 8
	tell_tree before data /srv/data
	expect 0 pkram save /srv/data
	put_stream alpha 3000000
	container=$(identity pmem:/dev/pmem0)
	[[ $container ]] || fail "the container has no identity"

	expect 3 pkram region convert /dev/pmem0 --to devdax
	says 'nothing was changed'
	[[ -e /dev/pmem0 ]] || fail "a plan was carried out"
	answered 3 n
	[[ -e /dev/pmem0 ]] || fail "no was taken for yes"
	answered 0 y
	convert /dev/dax0.0 raw
	expect 0 pkram region convert /dev/pmem0 --to raw --yes
	says 'already'
	ok "asked, and did what the answer was"
	convert /dev/pmem0 devdax
	exec 7</dev/dax0.0
	refused /dev/dax0.0 raw "is in use by pid $$"
	exec 7<&-
	convert /dev/dax0.0 raw
	# It is raw for good: nothing is left that would make another device of it.
	echo namespace0.0 >/sys/bus/nd/drivers/nd_pmem/unbind
	echo namespace0.0 >/sys/bus/nd/drivers/nd_pmem/bind
	await /dev/pmem0
	ok "there and back"

	failures
	jump 2
}

stage_2() {
	local container

	expect 0 pkram ls
	says /srv/data
	container=$(identity devdax:/dev/dax0.0)
	expect 0 pkram restore --mount
	tell_tree after data /srv/data
	get_stream alpha
	container=$(identity devdax:/dev/dax0.0)
	convert /dev/dax0.0 raw
	ok "a jump from the devdax"
}
