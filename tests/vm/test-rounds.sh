# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# Rounds of save, jump and restore with data that fills 70 % of the region: each save must give
# up the space of a node that was restored already.

region=64M!4352M
seconds=900
variants=3
variants_all=10
ROUNDS=${variant:-3}

stage() {
	if ((STAGE == 1)); then
		expect 0 pkram -r pmem:/dev/pmem0 init
	fi
	mount_tmpfs /srv/data 80
	if ((STAGE > 1)); then
		expect 0 pkram restore
		after "round-$((STAGE - 1))" "$(oracle hash /srv/data)"
		((STAGE <= ROUNDS)) || return 0
		oracle unlock /srv/data
		rm -rf /srv/data/*
	fi
	make_tree /srv/data 20 "$STAGE"
	before "round-$STAGE" "$(oracle hash /srv/data)"
	expect 0 pkram save /srv/data
	jump $((STAGE + 1))
}
