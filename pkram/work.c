/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work.h"
#include "work-place.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

/* What all threads of a save or restore have open at most, and some. */
#define OPEN_FILES 4096u

struct work {
	uint64_t n;
	work_fn fn;
	void *arg;
	_Atomic uint64_t next;
	atomic_int error;
};

struct worker {
	struct work_pool *pool;
	unsigned int index;
	pthread_t thread;
};

struct work_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	unsigned int round;	/* counts the rounds, so that each thread does each once */
	unsigned int busy;	/* threads that are at the present round */
	bool stop;
	struct work work;
	struct work_place place;
	struct worker *workers;	/* beside the caller */
	unsigned int started;
};

static void work_loop(struct work *work, unsigned int worker)
{
	while (atomic_load_explicit(&work->error, memory_order_relaxed) == 0) {
		uint64_t i = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
		int r, zero = 0;

		if (i >= work->n)
			break;
		r = work->fn(work->arg, worker, i);
		if (r < 0)
			atomic_compare_exchange_strong(&work->error, &zero, r);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct work_pool *p = w->pool;
	unsigned int round = 0;

	work_place_enter(&p->place, w->index);
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->stop && p->round == round)
			pthread_cond_wait(&p->wake, &p->lock);
		if (p->stop)
			break;
		round = p->round;
		pthread_mutex_unlock(&p->lock);
		work_loop(&p->work, w->index);
		pthread_mutex_lock(&p->lock);
		if (--p->busy == 0)
			pthread_cond_signal(&p->idle);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/*
 * Threads share a table of open files. To enlarge one that is shared, the kernel waits until every
 * CPU has passed by (synchronize_rcu): some ms, in which no thread opens anything, each time that
 * it doubles. So it is made large enough while there are no threads.
 */
static void enlarge_files(void)
{
	struct rlimit files = { .rlim_cur = 1 };
	int fd = open("/", O_PATH | O_CLOEXEC), last;

	getrlimit(RLIMIT_NOFILE, &files);
	last = (int)MIN(files.rlim_cur, (rlim_t)OPEN_FILES) - 1;
	close_p(&(int){ fcntl(fd, F_DUPFD_CLOEXEC, last) });
	close_p(&fd);
}

static void start_workers(struct pkram_ctx *ctx, struct work_pool *p, unsigned int n)
{
	sigset_t all, old;

	/* A lease break is a signal to the process: no handler of the caller's may run here. */
	sigfillset(&all);
	/* It would end the process at once, where its handler may have a word to say. */
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; p->started < n; p->started++) {
		struct worker *w = &p->workers[p->started];

		*w = (struct worker){ .pool = p, .index = p->started + 1 };
		if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (p->started < n)
		pkram_log_debug(ctx, "started %u of %u threads", p->started + 1, n + 1);
}

int work_pool_new(struct pkram_ctx *ctx, unsigned int threads, const struct work_cpus *near,
		  struct work_pool **ret)
{
	struct work_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	pthread_cond_init(&p->idle, NULL);
	work_place_plan(&p->place, near, threads);
	if (threads > 1) {
		p->workers = calloc(threads - 1, sizeof(*p->workers));
		if (!p->workers) {
			work_pool_free(p);
			return -ENOMEM;
		}
		enlarge_files();
		start_workers(ctx, p, threads - 1);
	}
	*ret = p;
	return 0;
}

struct work_pool *work_pool_free(struct work_pool *p)
{
	if (!p)
		return NULL;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->started; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->idle);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
	return NULL;
}

unsigned int work_pool_threads(const struct work_pool *p)
{
	return p->started + 1;
}

static void set_work(struct work_pool *p, uint64_t n, work_fn fn, void *arg)
{
	p->work.n = n;
	p->work.fn = fn;
	p->work.arg = arg;
	atomic_store(&p->work.next, 0);
	atomic_store(&p->work.error, 0);
}

static void wake(struct work_pool *p)
{
	if (!p->started)
		return;
	pthread_mutex_lock(&p->lock);
	p->busy = p->started;
	p->round++;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

void work_pool_start(struct work_pool *p, uint64_t n, work_fn fn, void *arg)
{
	set_work(p, n, fn, arg);
	/* One small piece is not worth it. */
	if (n > 1)
		wake(p);
}

void work_pool_start_one(struct work_pool *p, work_fn fn, void *arg)
{
	set_work(p, 1, fn, arg);
	wake(p);
}

int work_pool_finish(struct work_pool *p)
{
	work_place_enter(&p->place, 0);
	work_loop(&p->work, 0);
	work_place_leave(&p->place);
	pthread_mutex_lock(&p->lock);
	while (p->busy)
		pthread_cond_wait(&p->idle, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return atomic_load(&p->work.error);
}

int work_pool_run(struct work_pool *p, uint64_t n, work_fn fn, void *arg)
{
	work_pool_start(p, n, fn, arg);
	return work_pool_finish(p);
}

int work_run(struct pkram_ctx *ctx, unsigned int threads, const struct work_cpus *near, uint64_t n,
	     work_fn fn, void *arg)
{
	_cleanup_(work_pool_free_p) struct work_pool *pool = NULL;
	int k;

	k = work_pool_new(ctx, threads, near, &pool);
	return k < 0 ? k : work_pool_run(pool, n, fn, arg);
}

uint8_t **work_buffers_new(unsigned int threads, size_t len)
{
	uint8_t **v = calloc(threads + 1, sizeof(*v));

	for (unsigned int i = 0; v && i < threads; i++) {
		v[i] = large_buffer_new(len);
		if (!v[i]) {
			work_buffers_free(v);
			return NULL;
		}
	}
	return v;
}

void work_buffers_free(uint8_t **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}
