/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the time of a change tells. All is looked at again at the end of a save: what changed after
 * the first look has another time then, unless that one was of the same moment. A file gets the
 * time of the coarse clock's last tick, or the exact one, as its filesystem keeps it.
 *
 * Times of another machine's clock (a network filesystem) are taken for this one's.
 */
#include "tree-save.h"

#include <time.h>

#define SECOND_NS (INT64_C(1000) * 1000 * 1000)

/* Filesystems keep times by the microsecond and finer; the clocks here may differ by as little. */
#define GRAIN_NS (INT64_C(1000) * 1000)
/* ... or by whole or even seconds. */
#define WHOLE_NS (2 * SECOND_NS)

/* Beyond that the clock stands still. */
#define WAIT_NS (WHOLE_NS + SECOND_NS)

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

int64_t tree_clock_now(void)
{
	return read_clock(CLOCK_REALTIME_COARSE);
}

/* A change that bears this time or a later one is told from what was seen. */
static int64_t next_time(const struct statx *st)
{
	/* Some filesystems hand out whatever they are told. */
	const int64_t most = INT64_MAX / SECOND_NS - 4;
	int64_t sec = MAX(MIN((int64_t)st->stx_ctime.tv_sec, most), -most);

	return sec * SECOND_NS + st->stx_ctime.tv_nsec +
	       (st->stx_ctime.tv_nsec ? GRAIN_NS : WHOLE_NS);
}

bool tree_clock_recent(int64_t before, const struct statx *st)
{
	int64_t next = next_time(st);

	/* The clock was set back: what changes now gets an earlier time. */
	return before <= next && next <= read_clock(CLOCK_REALTIME) + WHOLE_NS;
}

void tree_clock_wait(int64_t before, const struct statx *st)
{
	int64_t next = next_time(st), end = read_clock(CLOCK_MONOTONIC) + WAIT_NS, now;
	struct timespec step;

	clock_getres(CLOCK_REALTIME_COARSE, &step);
	step.tv_nsec /= 4;
	do {
		nanosleep(&step, NULL);
		now = tree_clock_now();
	} while (now <= next && now >= before && read_clock(CLOCK_MONOTONIC) < end);
}
