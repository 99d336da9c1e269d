/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The claim loop: each index once, errors stop it, one thread does the same work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "work.h"

#define N 1000

struct job {
	_Atomic unsigned int done[N];
	_Atomic unsigned int workers;	/* bits */
	uint64_t fail_at;
};

static int mark(void *arg, unsigned int worker, uint64_t index)
{
	struct job *job = arg;

	atomic_fetch_or(&job->workers, 1u << worker);
	atomic_fetch_add(&job->done[index], 1);
	return index == job->fail_at ? -EIO : 0;
}

static void test_each_once(void **state)
{
	static const unsigned int threads[] = { 1, 2, 7 };
	struct pkram_ctx *ctx;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	for (size_t t = 0; t < ARRAY_SIZE(threads); t++) {
		struct job job = { .fail_at = UINT64_MAX };

		assert_int_equal(work_run(ctx, threads[t], NULL, N, mark, &job), 0);
		for (size_t i = 0; i < N; i++)
			assert_int_equal(job.done[i], 1);
		assert_int_equal(job.workers >> threads[t], 0);
	}
	pkram_unref(ctx);
}

static int blocks_signals(void *arg, unsigned int worker, uint64_t index)
{
	sigset_t blocked;

	(void)index;
	pthread_barrier_wait(arg);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	/* An error of the memory is told by the handler, in whichever thread it is met. */
	if (worker && (!sigismember(&blocked, SIGURG) || !sigismember(&blocked, SIGINT) ||
		       sigismember(&blocked, SIGBUS)))
		return -EINVAL;
	return 0;
}

static void test_signals(void **state)
{
	pthread_barrier_t all;
	struct pkram_ctx *ctx;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(pthread_barrier_init(&all, NULL, 3), 0);
	assert_int_equal(work_run(ctx, 3, NULL, 3, blocks_signals, &all), 0);
	pthread_barrier_destroy(&all);
	pkram_unref(ctx);
}

static void test_first_error_stops(void **state)
{
	struct job job = { .fail_at = 10 };
	struct pkram_ctx *ctx;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(work_run(ctx, 1, NULL, N, mark, &job), -EIO);
	assert_int_equal(job.done[10], 1);
	assert_int_equal(job.done[11], 0);
	assert_int_equal(work_run(ctx, 3, NULL, 0, mark, &job), 0);
	pkram_unref(ctx);
}

/* Many rounds of one pool: none is begun before the last one is over. */
static int count_round(void *arg, unsigned int worker, uint64_t index)
{
	unsigned int *seen = arg;

	(void)worker;
	seen[index]++;
	return 0;
}

static void test_rounds(void **state)
{
	unsigned int seen[40] = { 0 };
	struct work_pool *pool;
	struct pkram_ctx *ctx;
	struct job job = { .fail_at = 3 };

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(work_pool_new(ctx, 4, NULL, &pool), 0);
	assert_in_range(work_pool_threads(pool), 1, 4);
	for (unsigned int i = 0; i < 500; i++)
		assert_int_equal(work_pool_run(pool, i % ARRAY_SIZE(seen), count_round, seen), 0);
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		assert_int_equal(seen[i], 500 / ARRAY_SIZE(seen) * (ARRAY_SIZE(seen) - 1 - i) +
					  (i < 500 % ARRAY_SIZE(seen) ?
					   500 % ARRAY_SIZE(seen) - 1 - i : 0));
	assert_int_equal(work_pool_run(pool, N, mark, &job), -EIO);
	/* What failed is forgotten. */
	assert_int_equal(work_pool_run(pool, 2, count_round, seen), 0);
	work_pool_free(pool);
	pkram_unref(ctx);
}

/* Between the halves of a round its caller goes its own way. */
static void test_halves(void **state)
{
	unsigned int seen[40] = { 0 }, own = 0;
	struct job job = { .fail_at = 3 };
	struct work_pool *pool;
	struct pkram_ctx *ctx;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	for (unsigned int threads = 1; threads <= 4; threads++) {
		assert_int_equal(work_pool_new(ctx, threads, NULL, &pool), 0);
		for (uint64_t n = 0; n < ARRAY_SIZE(seen); n++) {
			memset(seen, 0, sizeof(seen));
			work_pool_start(pool, n, count_round, seen);
			own++;
			assert_int_equal(work_pool_finish(pool), 0);
			for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
				assert_int_equal(seen[i], i < n);
		}
		work_pool_start(pool, N, mark, &job);
		assert_int_equal(work_pool_finish(pool), -EIO);
		work_pool_free(pool);
	}
	assert_int_equal(own, 4 * ARRAY_SIZE(seen));
	pkram_unref(ctx);
}

static int ring(void *arg, unsigned int worker, uint64_t index)
{
	(void)worker;
	(void)index;
	sem_post(arg);
	return -EIO;
}

/* One piece that was given away is done without its caller, where there is somebody else. */
static void test_one(void **state)
{
	struct work_pool *pool;
	struct pkram_ctx *ctx;
	int rung;
	sem_t bell;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	sem_init(&bell, 0, 0);
	for (unsigned int threads = 1; threads <= 3; threads++) {
		assert_int_equal(work_pool_new(ctx, threads, NULL, &pool), 0);
		for (int i = 0; i < 100; i++) {
			work_pool_start_one(pool, ring, &bell);
			if (work_pool_threads(pool) > 1)
				assert_int_equal(sem_wait(&bell), 0);
			assert_int_equal(work_pool_finish(pool), -EIO);
		}
		sem_getvalue(&bell, &rung);
		assert_int_equal(rung, work_pool_threads(pool) > 1 ? 0 : 100);
		while (sem_trywait(&bell) == 0)
			;
		work_pool_free(pool);
	}
	sem_destroy(&bell);
	pkram_unref(ctx);
}

static void test_threads(void **state)
{
	struct pkram_ctx *ctx;
	cpu_set_t all;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(ctx_threads(ctx, 0), 1);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(ctx_threads(ctx, UINT64_MAX), CPU_COUNT(&all));
	pkram_set_threads(ctx, 5);
	assert_int_equal(ctx_threads(ctx, 100), 5);
	assert_int_equal(ctx_threads(ctx, 3), 3);
	pkram_unref(ctx);
}

static void count_line(void *userdata, int priority, const char *msg)
{
	(void)priority;
	(void)msg;
	++*(unsigned int *)userdata;
}

static void test_quiet(void **state)
{
	struct pkram_ctx *ctx, *quiet;
	unsigned int lines = 0;

	(void)state;
	assert_int_equal(pkram_new(&ctx), 0);
	pkram_set_log_fn(ctx, count_line, &lines, PKRAM_LOG_DEBUG);
	pkram_set_threads(ctx, 5);
	assert_int_equal(pkram_set_sysroot(ctx, "/machine"), 0);
	assert_int_equal(ctx_quiet(ctx, &quiet), 0);
	pkram_log_error(quiet, "a line");
	assert_int_equal(lines, 0);
	assert_int_equal(ctx_threads(quiet, 100), 5);
	assert_string_equal(quiet->sysroot, "/machine");
	pkram_unref(quiet);
	pkram_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_first_error_stops),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
