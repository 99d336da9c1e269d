# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# What `pkram kexec` refuses, each time before anything is loaded.

region=256M!4352M

refused() {
	expect 1 pkram kexec --load-only "$@"
	loaded 0
}

stage_1() {
	local line="console=ttyS0 panic=-1" writer

	expect 0 pkram -r pmem:/dev/pmem0 init
	mount_tmpfs /srv/data 100
	make_tree /srv/data 1
	expect 0 pkram save /srv/data

	refused --command-line "$line"
	refused --command-line "$line memmap=256M!4608M"
	refused --command-line "$line memmap=128M!4352M"
	refused --command-line "$line memmap=512M!4096M"
	refused --command-line "$line -- memmap=256M!4352M"
	refused --command-line "$line memmap=256M!4352M memmap=1M!64M memmap=1M!80M memmap=1M!96M \
memmap=1M!112M"
	ok "no, another, a shrunk, a grown, an ineffective and a fifth memmap="

	expect 0 pkram kexec --load-only
	loaded 1
	expect 0 pkram kexec --cancel
	loaded 0
	ok "loaded and cancelled"

	exec 5>>/srv/data/sizes/size-4096
	refused
	exec 5>&-
	expect 0 pkram kexec --load-only
	expect 0 pkram kexec --cancel
	touch /srv/data/a-new-file
	refused
	expect 0 pkram kexec --load-only --leave-behind /srv/data
	expect 0 pkram kexec --cancel
	expect 0 pkram save /srv/data
	ok "a writer, a changed source"

	pkram put slow < <(sleep 1000) &
	writer=$!
	sleep 1
	refused
	kill $writer
	wait $writer || true
	expect 0 pkram kexec --load-only
	expect 0 pkram kexec --cancel
	ok "a save in flight"

	expect 0 pkram -r file:/dev/shm/region init --size 32M
	expect 1 pkram -r file:/dev/shm/region kexec --load-only
	loaded 0
	ok "a file is no region that survives"

	echo 1 >/proc/sys/kernel/kexec_load_disabled
	refused
	ok "kexec switched off"
}
