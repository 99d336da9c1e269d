/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the jump records mean: who may claim it, and which nodes it makes fresh.
 */
#pragma once

#include "store.h"

/*
 * Claims an armed jump for this boot when this kernel came by it: its id is on the command line,
 * the machine says that kexec started it, soon enough after the jump, and this is no kdump kernel.
 * Otherwise changes nothing. 1: claimed just now; 0.
 */
int jump_claim(struct store *s);

/* For those who edit a store_jump, once its record is edited: what time it is (jump-times.c). */
void jump_staged(struct pkram_ctx *ctx, struct store_jump *j);
void jump_armed(struct pkram_ctx *ctx, struct store_jump *j);
void jump_disarmed(struct store_jump *j);
void jump_claimed(struct pkram_ctx *ctx, struct store_jump *j);
/*
 * Of one that is being claimed: whether this kernel started so long after it was armed that another
 * one must have run in between. Known only where the time stamp counter ran on.
 */
bool jump_is_late(const struct store_jump *j);

/* Of a node that `saved` saved, after this arrival, seen from boot `now`. */
enum pkram_freshness jump_freshness(const struct pkram_jump *arrival, const uint8_t now[16],
				    const uint8_t saved[16]);

/* Where the jumps stand, seen from boot `now` with a kernel loaded or not, and since when (ns). */
enum pkram_jump_status jump_status(const struct store_info *info, const uint8_t now[16],
				   bool loaded, int64_t *ret_at);

/* What the record of the next jump is by itself. */
enum pkram_jump_status jump_next(const struct store_info *info, const uint8_t now[16],
				 bool loaded, int64_t *ret_at);

/* How the clocks of the kernels before and after the last arrival lie to each other, in ns. */
struct jump_timeline {
	enum pkram_clock clock;
	uint64_t tsc_khz;
	uint64_t uncertainty;
	bool known;		/* there is an account: what follows `gap` holds */
	uint64_t gap;		/* from the jump to the claim */
	uint64_t staged, armed;	/* by the old kernel's CLOCK_BOOTTIME */
	uint64_t claimed;	/* by the new one's */
};

/* What stands in the container may be anything: what cannot be is as good as not there. */
struct jump_timeline jump_timeline(const struct store_info *info);
