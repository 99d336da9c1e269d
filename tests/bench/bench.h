/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the measuring programs share: threads that start together and are timed as one, a copy that
 * goes past the caches, and the line in which every measurement is told:
 *
 *	seconds  minor faults  major faults  peak RSS in KiB  peak of its anonymous part in KiB
 */
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MIB (1ULL << 20)
#define MAX_THREADS 256

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void print_sample(double seconds, const struct rusage *ru, long anon, FILE *f)
{
	fprintf(f, "%.9f\t%ld\t%ld\t%ld\t%ld\n", seconds, ru->ru_minflt, ru->ru_majflt,
		ru->ru_maxrss, anon);
}

/* Numbers come from the script; a wrong one is a mistake in it. */
static inline uint64_t number(const char *s)
{
	char *end;
	unsigned long long n = strtoull(s, &end, 10);

	if (end == s || *end)
		errx(1, "not a number: '%s'", s);
	return n;
}

static inline unsigned int thread_count(const char *s)
{
	uint64_t n = number(s);

	if (n < 1 || n > MAX_THREADS)
		errx(1, "threads: 1 to %d, not %s", MAX_THREADS, s);
	return (unsigned int)n;
}

struct crew {
	void (*work)(void *arg, unsigned int index, unsigned int threads);
	void *arg;
	unsigned int threads;
	pthread_barrier_t start;
};

struct crew_member {
	struct crew *crew;
	unsigned int index;
	pthread_t thread;
};

static inline void *crew_member_main(void *p)
{
	struct crew_member *m = p;

	pthread_barrier_wait(&m->crew->start);
	m->crew->work(m->crew->arg, m->index, m->crew->threads);
	return NULL;
}

/* Seconds from the common start to the end of the last. Making the threads is not counted. */
static inline double crew_run(unsigned int threads, void *arg,
			      void (*work)(void *arg, unsigned int index, unsigned int threads))
{
	struct crew crew = { .work = work, .arg = arg, .threads = threads };
	struct crew_member members[MAX_THREADS];
	double start;

	pthread_barrier_init(&crew.start, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++) {
		members[i] = (struct crew_member){ .crew = &crew, .index = i };
		if (pthread_create(&members[i].thread, NULL, crew_member_main, &members[i]) != 0)
			errx(1, "cannot start %u threads", threads);
	}
	start = now();
	pthread_barrier_wait(&crew.start);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(members[i].thread, NULL);
	pthread_barrier_destroy(&crew.start);
	return now() - start;
}

/* Both begin on 16 bytes. The destination is not read into the cache first. */
static inline void copy_nontemporal(void *dst, const void *src, size_t size)
{
#ifdef __SSE2__
	size_t whole = size & ~(size_t)63;
	const char *s = src;
	char *d = dst;

	for (size_t at = 0; at < whole; at += 64) {
		for (size_t i = 0; i < 64; i += 16)
			_mm_stream_si128((__m128i *)(d + at + i),
					 _mm_load_si128((const __m128i *)(s + at + i)));
	}
	_mm_sfence();
	memcpy(d + whole, s + whole, size - whole);
#else
	memcpy(dst, src, size);
#endif
}
