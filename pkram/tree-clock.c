/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the time of a change tells. A file that changes gets the time of the coarse clock's last
 * tick, or the exact one: two changes within a tick may bear the same time, and then a second look
 * does not show the second one.
 */
#include "tree-save.h"

#include <time.h>

/* By so much the clock may be behind the one that files get their times from. */
#define BEHIND_NS (1000 * 1000)
#define SECOND_NS (1000 * 1000 * 1000)

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static struct timespec ctime_of(const struct statx *st)
{
	return (struct timespec){ .tv_sec = st->stx_ctime.tv_sec,
				  .tv_nsec = st->stx_ctime.tv_nsec };
}

void tree_clock_start(struct tree_image *img)
{
	clock_gettime(CLOCK_REALTIME_COARSE, &img->tick);
	clock_gettime(CLOCK_REALTIME, &img->started);
	img->started.tv_nsec += BEHIND_NS;
	if (img->started.tv_nsec >= SECOND_NS) {
		img->started.tv_nsec -= SECOND_NS;
		img->started.tv_sec++;
	}
}

/*
 * Only what changed just before the save is not told from what changes just after it began: nobody
 * else has to wait.
 */
bool tree_clock_wait(const struct tree_image *img, const struct statx *st)
{
	struct timespec ctime = ctime_of(st), step, now;

	if (later(&img->tick, &ctime))
		return false;
	clock_getres(CLOCK_REALTIME_COARSE, &step);
	step.tv_nsec /= 4;
	/* A few ticks at most: the clock may be set back right now. */
	for (int i = 0; i < 20; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (later(&now, &img->started))
			break;
		nanosleep(&step, NULL);
	}
	return true;
}

bool tree_clock_changed(const struct tree_image *img, const struct statx *st)
{
	struct timespec ctime = ctime_of(st), now;

	if (!later(&ctime, &img->started))
		return false;
	/* A clock that was set back makes times of the future: those say nothing. */
	clock_gettime(CLOCK_REALTIME, &now);
	return ctime.tv_sec <= now.tv_sec;
}
