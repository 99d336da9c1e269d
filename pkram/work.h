/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parallel work is a claim loop over a finished array: every thread takes the next index until none
 * is left or one failed. The caller works too; one thread runs the same code without a second one.
 */
#pragma once

#include "ctx.h"

struct work_cpus;

/* fn(arg, worker, index): one piece of work; negative stops the others. */
typedef int (*work_fn)(void *arg, unsigned int worker, uint64_t index);

/*
 * Threads that wait for work: for many short rounds of it. In them all signals but SIGBUS are
 * blocked.
 */
struct work_pool;

/*
 * `threads` with the caller; fewer may come (they do the same work, only later). Where it matters
 * they run on the CPUs `near` the memory that the work is about (work-place.h; NULL: all alike).
 */
int work_pool_new(struct pkram_ctx *ctx, unsigned int threads, const struct work_cpus *near,
		  struct work_pool **ret);
struct work_pool *work_pool_free(struct work_pool *p);
DEFINE_CLEANUP(struct work_pool *, work_pool_free)
/* At most so many workers; of a pool that was asked for more, what came. */
unsigned int work_pool_threads(const struct work_pool *p);

/*
 * Calls fn(arg, worker, index) once for each index in [0, n), with worker in [0, threads). All
 * that was written before is seen in fn, and all that fn wrote after. The first negative return
 * stops the others; it is the result (of several, one of them). For the thread that made the pool:
 * it works as worker 0, and has its own affinity again afterwards.
 */
int work_pool_run(struct work_pool *p, uint64_t n, work_fn fn, void *arg);
/*
 * The two halves of it. Between them the caller does something else, which must not touch what fn
 * does; then it helps with the rest.
 */
void work_pool_start(struct work_pool *p, uint64_t n, work_fn fn, void *arg);
/* One piece that is worth waking somebody for. */
void work_pool_start_one(struct work_pool *p, work_fn fn, void *arg);
int work_pool_finish(struct work_pool *p);

/* The same for one round, from up to `threads` threads. */
int work_run(struct pkram_ctx *ctx, unsigned int threads, const struct work_cpus *near, uint64_t n,
	     work_fn fn, void *arg);

/* A buffer for each worker, for I/O that bypasses the page cache, too; and their end. */
uint8_t **work_buffers_new(unsigned int threads, size_t len);
void work_buffers_free(uint8_t **buffers);
