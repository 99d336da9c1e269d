# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# What is marked as early is restored by the initramfs, of initramfs-tools and of dracut (with and without
# systemd in it): it is there, identical, before the system's first unit has done anything, on a root that
# is still read-only; the unit of systemd takes it for restored, and saves it again. A kexec by hand that
# reuses the command line, a crash, and a first boot restore nothing.

region=256M!4352M
system=debian
packages=dracut-core
seconds=1500
when=all
variants="initramfs dracut"
variants_all="dracut-plain"
# As on an installed system, and unlike what comes before it: the last one counts.
append="ro systemd.show_status=no"

DIRS="fstab plain"

debian() {
	local root=$1 wants=$1/etc/systemd/system dir

	for dir in $DIRS; do
		mkdir "$root/srv/$dir"
		printf 'path = /srv/%s\n' "$dir"
	done >"$root/etc/pkram.d/warm.conf"
	printf 'early = yes\n' >>"$root/etc/pkram.d/warm.conf"
	cat >"$root/etc/fstab" <<-END
		/dev/vda / ext4 defaults 0 0
		tmpfs /srv/fstab tmpfs size=60M,mode=711 0 0
	END
	# Before anything else that the system does.
	cat >"$wants/look.service" <<-END
		[Unit]
		DefaultDependencies=no
		Before=systemd-remount-fs.service local-fs-pre.target sysinit.target
		[Service]
		Type=oneshot
		ExecStart=sh -c 'findmnt -n -o OPTIONS / >/run/seen-root; for d in $DIRS; do oracle list /srv/\$\$d >/run/seen-\$\$d; done'
	END
	mkdir -p "$wants/sysinit.target.wants"
	ln -s ../look.service "$wants/sysinit.target.wants/"
	ln -s /usr/lib/systemd/system/pkram@.service "$wants/multi-user.target.wants/pkram@warm.service"
	debian_initrd "$root" "$(basename "$root"/lib/modules/*)" >"${root%/*}/initrd.log" 2>&1
}

debian_initrd() {
	local -a dracut=(dracut --force --no-hostonly --compress zstd --kver "$2" "/boot/initrd.img-$2")

	case $variant in
	initramfs) vm_debian_inside "$1" update-initramfs -u -k "$2" ;;
	dracut) vm_debian_inside "$1" "${dracut[@]}" ;;
	dracut-plain) vm_debian_inside "$1" "${dracut[@]}" --omit systemd ;;
	esac
}

seen() {
	sha256sum <"/run/seen-$1" | cut -c1-64
}

# What the initramfs had to say.
kernel_log() {
	run journalctl -q -b -o cat -t pkram _TRANSPORT=kernel
}

# expect_unit STATUS TEXT: how its restore has ended, which is not how it stands, and what it says.
expect_unit() {
	[[ $(systemctl is-active pkram@warm.service) == active ]] ||
		fail "the unit is not active: $(systemctl status pkram@warm.service | tail -n 5)"
	run systemctl show -P ExecMainStatus pkram@warm.service
	says "$1"
	run journalctl -b -o cat -u pkram@warm.service
	says "$2"
}

expect_cold() {
	local dir

	for dir in $DIRS; do
		[[ $(wc -l <"/run/seen-$dir") == 1 && ! $(ls -A "/srv/$dir") ]] || fail "/srv/$dir is not empty"
	done
	expect_unit 3 "$1"
}

# Both, as they were when the system started, and now.
expect_warm() {
	local dir

	[[ $(</run/seen-root) == ro,* ]] || fail "the root was not read-only when the system started"
	for dir in $DIRS; do
		after "seen:$1:$dir" "$(seen "$dir")"
		tell_tree after "$1:$dir" "/srv/$dir"
		expect 0 findmnt -n -o FSTYPE "/srv/$dir"
		says tmpfs
	done
	kernel_log
	says "restored 2 nodes"
	expect_unit 0 "/srv/plain: was restored in this boot already"
}

tell_before() {
	local dir

	for dir in $DIRS; do
		tell_tree before "$1:$dir" "/srv/$dir"
		before "seen:$1:$dir" "$(oracle list "/srv/$dir" | sha256sum | cut -c1-64)"
	done
}

leave() {
	# The next kernel has restored, and noted that it has, before the host can look.
	region_will_be any
	say "next $1"
	run "${@:2}"
	[[ $STATUS == 0 ]] || fail "'${*:2}' ended with $STATUS: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
	sleep 300
	fail "'${*:2}' did not take the machine down"
}

stage_1() {
	expect_cold "no region of this machine holds a container"
	kernel_log
	[[ ! -s $OUTPUT ]] || fail "a cold start is not silent: $(cat "$OUTPUT")"
	ok "silent and cold at first"
	expect 0 pkram init pmem:/dev/pmem0
	mount_tmpfs /srv/plain 40 nosuid
	make_tree /srv/fstab/tree 10
	make_tree /srv/plain/tree 10 1
	tell_before first
	cp /etc/pkram.d/warm.conf /run/warm.conf
	echo "threads = 1" >>/etc/pkram.d/warm.conf
	expect 0 pkram check
	says "holds /etc/pkram.d/warm.conf as it was before it changed"
	cp /run/warm.conf /etc/pkram.d/warm.conf
	expect 0 pkram check
	says "restores by itself: pkram is inside"
	leave 2 pkram kexec
}

stage_2() {
	expect_warm first
	expect 0 pkram report
	ok "there before the system has started, identical"
	make_tree /srv/plain/more 2 2
	echo after >/srv/fstab/file
	tell_before second
	leave 3 pkram kexec
}

# What the initramfs has mounted was saved before it was unmounted.
stage_3() {
	expect_warm second
	ok "and again"
	say "next 4"
	hand_load 4 6.12 -s
	sync
	kexec -e
	fail "kexec -e came back"
}

stage_4() {
	expect_cold "was saved for an earlier boot, and is not restored"
	kernel_log
	says "/srv/plain: was saved for an earlier boot, and is not restored"
	ok "cold after a kexec by hand"
	say "next 5"
	sync
	journalctl --sync
	echo c >/proc/sysrq-trigger
}

stage_5() {
	expect_cold "was saved for an earlier boot, and is not restored"
	kernel_log
	[[ ! -s $OUTPUT ]] || fail "a cold start is not silent: $(cat "$OUTPUT")"
	ok "silent and cold after the crash"
}
