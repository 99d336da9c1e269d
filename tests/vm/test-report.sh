# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The account of a jump by the counter that runs on across kexec, against the host's clock.

region=256M!4352M
seconds=150
cpu=+invtsc,x-force-features=on
# On a busy host the kernel's watchdog comes late, and blames the counter.
append=tsc=nowatchdog
CLOCK=tsc
# Milliseconds that the report may be wrong by, and what the host sees before the jump.
SLACK=200
EARLIER=5000

stage_1() {
	expect 0 pkram -r pmem:/dev/pmem0 init
	expect 3 pkram report
	mount_tmpfs /srv/data 100
	make_tree /srv/data 20
	expect 0 pkram save /srv/data
	put_stream one 3000000
	put_stream late 300000
	expect 0 pkram kexec --load-only --append vm.stage=2
	expect 3 pkram report
	says "a jump is staged"
	clock down >/dev/null
	pkram kexec </dev/null 2>&1 | tee "$OUTPUT" || true
	fail "pkram kexec came back: $(tail -n 3 "$OUTPUT" | tr '\n' ' ')"
}

stage_2() {
	local down told

	expect 0 pkram report
	says "3 came by it, 0 restored"
	sleep 2
	mount_tmpfs /srv/data 100
	expect 0 pkram restore
	get_stream one
	down=$(clock down)
	expect 0 pkram report
	says "/srv/data"
	expect 0 pkram report --json
	check_report "$down"
	expect 0 pkram kexec --load-only
	expect 0 pkram report --json
	says '"next": "staged"'
	check_report "$down"
	told=$(value downtime)
	get_stream late
	expect 0 pkram report
	says "3 came by it, 3 restored"
	ok "$CLOCK: $down ms by the host, $told s by the report"
}

value() {
	sed -n "s/^ *\"$1\": \"*\([^\",]*\).*/\1/p" "$OUTPUT" | head -n 1
}

# Phases in order; what is there must be there; the sum is what the host has seen.
check_report() {
	[[ $(value clock) == "$CLOCK" ]] || fail "the clock is $(value clock), not $CLOCK" \
		"($(cat /sys/devices/system/clocksource/*/available_clocksource); $(dmesg | grep -i tsc))"
	[[ $(value state) == arrived ]] || fail "the jump is $(value state)"
	[[ $(sed -n 's/^ *"phase": "\(.*\)",/\1/p' "$OUTPUT" | uniq | tr '\n' ' ') == \
		"save stage down boot wait restore wait restore " ]] ||
		fail "the phases: $(sed -n 's/^ *"phase": //p' "$OUTPUT" | tr '\n' ' ')"
	awk -v host="$1" -v slack="$SLACK" -v earlier="$EARLIER" -v sum="$(value down) $(value boot) $(value wait) \
		$(value restore)" -v all="$(value downtime)" '
		/"start":/ { gsub(",", "", $2); if (n++ && $2 + 0 < last) bad = "order"; last = $2 + 0 }
		/"seconds":/ && $2 + 0 < 0 { bad = "a negative time" }
		END {
			split(sum, s, " ")
			off = all - s[1] - s[2] - s[3] - s[4]
			if (off > 1e-4 || off < -1e-4) bad = "sum"
			if (s[3] < 2 || s[2] <= 0) bad = "wait or boot"
			if (all * 1000 > host + slack || all * 1000 < host - earlier - slack) bad = "downtime"
			if (bad) { print bad; exit 1 }
		}' "$OUTPUT" >/run/verdict || fail "the report: $(cat /run/verdict), $1 ms by the host"
}
