# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The part of examples/quickstart that runs inside the virtual machine: stage_1 in the first
# kernel, stage_2 in the one that `pkram kexec` started.

region=512M!4G

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init
	note "pkram init: made a container in /dev/pmem0"

	mount_tmpfs /dev/shm/db 300 nosuid,nodev
	make_tree /dev/shm/db 64
	tell_tree before /dev/shm/db /dev/shm/db
	expect 0 pkram save /dev/shm/db
	note "pkram save: a tree with every type of file"

	put_stream session 20000000 &
	put_stream journal 7654321 &
	put_stream note 42 &
	wait
	note "pkram put: 3 byte streams, written at the same time"
	note "pkram kexec ..."
	jump 2
}

stage_2() {
	mount_tmpfs /dev/shm/db 300 nosuid,nodev
	expect 0 pkram restore
	tell_tree after /dev/shm/db /dev/shm/db
	note "pkram restore: the tree is back"
	get_stream session
	get_stream journal
	get_stream note
	note "pkram get: the streams are back"
}
