/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clocks: the wall's, this boot's, and the counter that runs on from one kernel to the next.
 */
#include "machine.h"

#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define NS_PER_S INT64_C(1000000000)
#define CLOCKSOURCES "/sys/devices/system/clocksource/clocksource0/available_clocksource"

/* Long enough for 10 parts in a million, short beside what a jump takes. */
#define MEASURE_NS (10 * INT64_C(1000000))

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t machine_now(void)
{
	return now(CLOCK_REALTIME);
}

uint64_t machine_uptime(void)
{
	return (uint64_t)now(CLOCK_BOOTTIME);
}

static uint64_t read_tsc(void)
{
#if defined(__x86_64__)
	_mm_lfence();
	return __rdtsc();
#else
	return 0;
#endif
}

/* CPUID's word for it: the counter's pace depends on nothing. */
static bool cpu_says_invariant(void)
{
#if defined(__x86_64__)
	unsigned int a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8;
#else
	return false;
#endif
}

/*
 * The kernel watches the counter, and offers it as a clock as long as it has found nothing wrong
 * with it (firmware may write it, sockets may disagree). At first it is called tsc-early.
 */
static bool tsc_is_invariant(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *clocks = NULL;
	char *word, *rest;

	if (!cpu_says_invariant() || machine_read(ctx, CLOCKSOURCES, &clocks, NULL) < 0)
		return false;
	for (word = strtok_r(clocks, " \n", &rest); word;
	     word = strtok_r(NULL, " \n", &rest))
		if (strcmp(word, "tsc") == 0 || strcmp(word, "tsc-early") == 0)
			return true;
	return false;
}

struct machine_stamp machine_stamp(struct pkram_ctx *ctx)
{
	bool invariant = tsc_is_invariant(ctx);
	struct machine_stamp s = { .uptime = machine_uptime() };

	s.tsc = invariant ? read_tsc() : 0;
	return s;
}

struct pair {
	int64_t ns;
	uint64_t tsc;
};

/* The closest of some tries: anything may come in between the two. */
static struct pair read_pair(void)
{
	uint64_t best = UINT64_MAX;
	struct pair p = { 0 };

	for (int i = 0; i < 8; i++) {
		uint64_t before = read_tsc(), after;
		int64_t ns = now(CLOCK_MONOTONIC_RAW);

		after = read_tsc();
		if (after - before >= best)
			continue;
		best = after - before;
		p = (struct pair){ .ns = ns, .tsc = before + best / 2 };
	}
	return p;
}

uint64_t machine_tsc_khz(struct pkram_ctx *ctx)
{
	const struct timespec wait = { .tv_nsec = MEASURE_NS };
	struct pair a, b;

	if (!tsc_is_invariant(ctx))
		return 0;
	a = read_pair();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
	b = read_pair();
	if (b.ns <= a.ns || b.tsc <= a.tsc)
		return 0;
	return (uint64_t)((unsigned __int128)(b.tsc - a.tsc) * 1000000 / (uint64_t)(b.ns - a.ns));
}
