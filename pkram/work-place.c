/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work-place.h"

void work_place_choose(struct work_place *p, const struct work_cpus *own,
		       const struct work_cpus *near, unsigned int threads)
{
	unsigned int all, n;

	p->own = *own;
	CPU_AND_S(sizeof(p->near), p->near.bits, own->bits, near->bits);
	all = (unsigned int)CPU_COUNT_S(sizeof(*own), own->bits);
	n = (unsigned int)CPU_COUNT_S(sizeof(p->near), p->near.bits);
	/* What the node has no CPU for runs wherever the scheduler finds one. */
	p->bound = n < all && threads < all ? MIN(n, threads) : 0;
}

void work_place_plan(struct work_place *p, const struct work_cpus *near, unsigned int threads)
{
	struct work_cpus own;

	p->bound = 0;
	if (near && sched_getaffinity(0, sizeof(own), own.bits) == 0)
		work_place_choose(p, &own, near, threads);
}

/*
 * It is a preference: what fails (CPUs that went, a filter for system calls) leaves the thread
 * where it may be.
 */
static void move_to(const struct work_cpus *cpus)
{
	(void)!sched_setaffinity(0, sizeof(*cpus), cpus->bits);
}

void work_place_enter(const struct work_place *p, unsigned int worker)
{
	if (worker < p->bound)
		move_to(&p->near);
}

void work_place_leave(const struct work_place *p)
{
	if (p->bound)
		move_to(&p->own);
}
