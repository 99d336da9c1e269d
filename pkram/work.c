/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work.h"

#include <pthread.h>
#include <signal.h>

struct work {
	uint64_t n;
	int (*fn)(void *arg, unsigned int worker, uint64_t index);
	void *arg;
	_Atomic uint64_t next;
	atomic_int error;
};

struct worker {
	struct work *work;
	unsigned int index;
	pthread_t thread;
};

static void worker_loop(struct work *work, unsigned int index)
{
	while (atomic_load_explicit(&work->error, memory_order_relaxed) == 0) {
		uint64_t i = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
		int r, zero = 0;

		if (i >= work->n)
			break;
		r = work->fn(work->arg, index, i);
		if (r < 0)
			atomic_compare_exchange_strong(&work->error, &zero, r);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	worker_loop(w->work, w->index);
	return NULL;
}

int work_run(struct pkram_ctx *ctx, unsigned int threads, uint64_t n,
	     int (*fn)(void *arg, unsigned int worker, uint64_t index), void *arg)
{
	struct work work = { .n = n, .fn = fn, .arg = arg };
	_cleanup_free_ struct worker *workers = NULL;
	unsigned int started = 0;
	sigset_t all, old;

	if (threads > 1) {
		workers = calloc(threads - 1, sizeof(*workers));
		if (!workers)
			return -ENOMEM;
		/* A lease break is a SIGURG to the process: no handler of the caller's may run
		 * here. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		for (; started < threads - 1; started++) {
			workers[started] = (struct worker){ .work = &work, .index = started + 1 };
			/* Fewer threads than wished do the same work, only later. */
			if (pthread_create(&workers[started].thread, NULL, worker_main,
					   &workers[started]) != 0)
				break;
		}
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		if (started < threads - 1)
			pkram_log_debug(ctx, "started %u of %u threads", started + 1, threads);
	}
	worker_loop(&work, 0);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	return atomic_load(&work.error);
}
