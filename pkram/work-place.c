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
	p->dealt = p->bound ? p->bound : threads > 1 && threads <= all ? threads : 0;
}

void work_place_plan(struct work_place *p, const struct work_cpus *near, unsigned int threads)
{
	static const struct work_cpus nowhere;
	struct work_cpus own;
	int cpu = sched_getcpu();

	p->bound = p->dealt = 0;
	if ((threads < 2 && !near) || cpu < 0 ||
	    sched_getaffinity(0, sizeof(own), own.bits) < 0)
		return;
	p->first = (unsigned int)cpu;
	work_place_choose(p, &own, near ? near : &nowhere, threads);
}

void work_place_deal(const struct work_place *p, unsigned int worker, struct work_cpus *ret)
{
	const struct work_cpus *all = p->bound ? &p->near : &p->own;
	unsigned int turn = 0, cpus = 8 * sizeof(all->bits);

	CPU_ZERO_S(sizeof(*ret), ret->bits);
	for (unsigned int i = 0; i < cpus; i++) {
		unsigned int cpu = (p->first + i) % cpus;

		if (CPU_ISSET_S(cpu, sizeof(*all), all->bits) && turn++ % p->dealt == worker)
			CPU_SET_S(cpu, sizeof(*ret), ret->bits);
	}
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
	struct work_cpus cpus;

	if (worker >= p->dealt)
		return;
	work_place_deal(p, worker, &cpus);
	move_to(&cpus);
}

void work_place_leave(const struct work_place *p)
{
	if (p->dealt)
		move_to(&p->own);
}
