# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For scenarios in a whole system: its units, how it leaves for another kernel, and the services of
# examples/, which the scenario's function extra has to bring.

# What the last boot has said is read by the next one.
keep_journal() {
	mkdir -p /var/log/journal
	systemctl restart systemd-journald
}

# add_cache SIZE: a tmpfs at /srv/cache, in fstab, mounted; units that were written are read with it.
add_cache() {
	mkdir -p /srv/cache
	printf 'tmpfs /srv/cache tmpfs size=%s,mode=755 0 0\n' "$1" >>/etc/fstab
	systemctl daemon-reload
	systemctl start srv-cache.mount
}

# expect_unit NAME TEXT: whatever has been lost, the unit is there to save; its journal has the text.
expect_unit() {
	local name=$1 says=$2

	[[ $(systemctl is-active "$name") == active ]] || fail "$name is not active: $(systemctl status "$name" | tail -n 5)"
	run journalctl -b -o cat -u "$name"
	says "$says"
}

# leave STAGE COMMAND...: which shuts the system down.
leave() {
	say "next $1"
	run "${@:2}"
	[[ $STATUS == 0 ]] || fail "'${*:2}' ended with $STATUS: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
	sleep 200
	fail "'${*:2}' did not take the machine down"
}

# All jobs of this boot are done.
await_boot() {
	LIMIT=400 run systemctl is-system-running --wait
	note "this boot is done: $(<"$OUTPUT")"
}

# set_up NAME: a service of examples/, by the commands that its README has, as they stand there.
set_up() {
	cd "/extra/examples/$1" || fail "there is no example '$1'"
	LIMIT=400 expect 0 bash -euxc "$(awk '/^## / { on = /^## Setting it up/ } on && sub(/^    /, "")' README.md)"
	cd /
}

# prove NAME load|check ARGUMENT...: the note to stdout, what it says to $OUTPUT.
prove() {
	"/extra/examples/$1/prove" "${@:2}" 2>"$OUTPUT"
}

# load NAME DIR: the files there become items of the service; the note of what it has is ITEMS.NAME.
ITEMS=/var/lib/items
load() {
	prove "$1" load "${@:2}" >"$ITEMS.$1" || fail "$(<"$OUTPUT")"
	note "loaded: $(<"$OUTPUT")"
}

# tell_items before|after NAME
tell_items() {
	"$1" "items:$2" "$(sha256sum <"$ITEMS.$2" | cut -c 1-64)"
}

check_warm() {
	prove "$1" check "$ITEMS.$1" >/run/items || fail "$(<"$OUTPUT")"
	mv /run/items "$ITEMS.$1"
	note "came back: $(tr '\n' ' ' <"$OUTPUT")"
}

check_cold() {
	! prove "$1" check "$ITEMS.$1" >/run/items || fail "$1 is warm where it should be cold"
	says "$1: 0 of "
}
