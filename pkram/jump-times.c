/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The moments of a jump: as they come, and what they say together afterwards.
 */
#include <endian.h>

#include "jump.h"
#include "machine.h"

void jump_staged(struct pkram_ctx *ctx, struct store_jump *j)
{
	j->times = (struct pkram_times){
		.staged = htole64(machine_uptime()),
		.tsc_khz = htole64(machine_tsc_khz(ctx)),
	};
	memcpy(j->times.id, j->record.id, sizeof(j->times.id));
}

void jump_armed(struct pkram_ctx *ctx, struct store_jump *j)
{
	struct machine_stamp now = machine_stamp(ctx);

	j->times.armed = htole64(now.uptime);
	j->times.armed_tsc = htole64(now.tsc);
}

void jump_disarmed(struct store_jump *j)
{
	j->times.armed = j->times.armed_tsc = 0;
}

void jump_claimed(struct pkram_ctx *ctx, struct store_jump *j)
{
	struct machine_stamp now = machine_stamp(ctx);

	j->times.claimed = htole64(now.uptime);
	j->times.claimed_tsc = htole64(now.tsc);
}

/* --- afterwards --- */

/* A new kernel reads the wall clock from one that counts whole seconds. */
#define WALL_UNCERTAIN UINT64_C(1000000000)
/* How well the counter's frequency is known, and more: parts of what it measures. */
#define TSC_UNCERTAIN 10000
/* Longer than any machine runs: sums of some of these do not overflow. */
#define NS_MAX (UINT64_C(1) << 60)

static bool known(const struct pkram_jump *a, const struct pkram_times *t)
{
	return le32toh(a->state) == PKRAM_JUMP_CLAIMED && memcmp(a->id, t->id, 16) == 0 &&
	       t->armed && t->claimed && le64toh(t->staged) < NS_MAX &&
	       le64toh(t->armed) < NS_MAX && le64toh(t->claimed) < NS_MAX;
}

/* False: the counter was not running on: a frequency that none has, or the kernel started before
 * the jump. */
static bool tsc_gap(const struct pkram_times *t, uint64_t *ret)
{
	uint64_t khz = le64toh(t->tsc_khz), from = le64toh(t->armed_tsc),
		 to = le64toh(t->claimed_tsc);
	unsigned __int128 ns;

	if (khz < 1000 || khz > 100000000 || !from || to <= from)
		return false;
	ns = (unsigned __int128)(to - from) * 1000000 / khz;
	if (ns >= NS_MAX || (uint64_t)ns + (uint64_t)ns / 1000 < le64toh(t->claimed))
		return false;
	*ret = MAX((uint64_t)ns, le64toh(t->claimed));
	return true;
}

/* Longer than systemd gives a system to go down, and a kernel to start. */
#define DOWN_MAX (UINT64_C(3600) * 1000000000)

/* The two clocks run apart: where the region is opened late after the start, that grants more. */
bool jump_is_late(const struct store_jump *j)
{
	uint64_t gap, up = le64toh(j->times.claimed);

	return memcmp(j->record.id, j->times.id, 16) == 0 && tsc_gap(&j->times, &gap) &&
	       gap - up > DOWN_MAX + up / 100;
}

/* Within what is uncertain, the new kernel did not start before the jump. */
static uint64_t wall_gap(const struct pkram_jump *a, uint64_t at_least)
{
	int64_t gap;

	if (__builtin_sub_overflow((int64_t)le64toh(a->claimed_at), (int64_t)le64toh(a->armed_at),
				   &gap) ||
	    gap < 0 || (uint64_t)gap >= NS_MAX)
		gap = 0;
	return MAX((uint64_t)gap, at_least);
}

struct jump_timeline jump_timeline(const struct store_info *info)
{
	const struct pkram_times *t = &info->account.last;
	struct jump_timeline line = { .known = known(&info->arrival, t) };

	if (line.known) {
		line.staged = le64toh(t->staged);
		line.armed = le64toh(t->armed);
		line.claimed = le64toh(t->claimed);
	}
	if (line.known && tsc_gap(t, &line.gap)) {
		line.clock = PKRAM_CLOCK_TSC;
		line.tsc_khz = le64toh(t->tsc_khz);
		line.uncertainty = line.gap / TSC_UNCERTAIN;
	} else {
		line.clock = PKRAM_CLOCK_WALL;
		line.gap = wall_gap(&info->arrival, line.claimed);
		line.uncertainty = WALL_UNCERTAIN;
	}
	return line;
}
