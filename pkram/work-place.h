/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which CPUs the threads of one piece of work run on.
 *
 * The caller's CPUs are dealt out among the threads, if there are enough. Rounds of work may be
 * short, and who is woken is often put where its waker runs: above all in a guest of KVM, which
 * takes a CPU that sleeps for one that is preempted (vcpu_is_preempted). Two threads then share a
 * CPU for tens of ms, until the kernel balances its load, while another one does nothing.
 *
 * Where the machine has several memory nodes, fewer threads than CPUs run next to the region: a
 * copy from or to it reads or writes its memory once and other memory once, and so its half of
 * the way is short; left to itself the kernel puts them where the caller happens to be. What
 * they allocate then lies there, too, unless a memory policy (numactl, the cpuset, mpol= of the
 * tmpfs) says where: the kernel applies it whichever CPU writes.
 *
 * With a thread for each CPU nothing is bound to a node. All CPUs have work anyway, and a
 * restored tree, whose pages the kernel takes from the node of the CPU that writes them first,
 * spreads over the nodes by itself: bound to the region's node it would fill that one's memory
 * alone, with the other cores and memory controllers idle.
 *
 * The caller's own affinity is the frame: it is only ever narrowed, and not at all where it leaves
 * no CPU next to the region. So `numactl --cpunodebind=1 --membind=1` (or a unit's AllowedCPUs= and
 * AllowedMemoryNodes=) moves the whole work and its result to a node, and there is no option of our
 * own for it.
 */
#pragma once

#include <sched.h>

#include "ctx.h"

/* As many CPUs as any kernel can be built for. */
struct work_cpus {
	cpu_set_t bits[8192 / CPU_SETSIZE];
};

struct work_place {
	struct work_cpus own, near;
	unsigned int bound;	/* the workers below this one run on `near` */
	unsigned int dealt;	/* among the workers below this one the CPUs are dealt out */
	unsigned int first;	/* CPU that worker 0 gets, if it is one of these */
};

/* By what the caller may use (`own`) and what lies near; pure. */
void work_place_choose(struct work_place *p, const struct work_cpus *own,
		       const struct work_cpus *near, unsigned int threads);
/* For the calling thread and those that it will start; near NULL: anywhere. */
void work_place_plan(struct work_place *p, const struct work_cpus *near, unsigned int threads);

/*
 * The share of a worker below `dealt`: every so many-th CPU, so that each gets some of every part
 * of the machine. Pure.
 */
void work_place_deal(const struct work_place *p, unsigned int worker, struct work_cpus *ret);
/* Moves the calling thread to the place of this worker. */
void work_place_enter(const struct work_place *p, unsigned int worker);
/* The thread that is worker 0 only for a while goes back. */
void work_place_leave(const struct work_place *p);
