/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the time of a change tells: of what was looked at, every later change shows, also one within
 * the same tick.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "tree-save.h"

#define ROUNDS 50

static int file;

static void change(void)
{
	assert_int_equal(pwrite(file, "x", 1, 0), 1);
}

static struct statx look(void)
{
	struct statx st;

	assert_int_equal(tree_statx(file, "", &st), 0);
	return st;
}

/*
 * Whether a change that comes now bears a later time: Linux before 6.13 takes it from this clock,
 * a newer one does so for what nobody looked at.
 */
static bool next_change_is_later(const struct statx *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec > st->stx_ctime.tv_sec ||
	       (now.tv_sec == st->stx_ctime.tv_sec && now.tv_nsec > st->stx_ctime.tv_nsec);
}

static void nap(long ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000 * 1000 };

	nanosleep(&ts, NULL);
}

static void next_change_shows(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct tree_image img = { 0 };
		struct statx st;

		change();
		tree_clock_start(&img);
		st = look();
		if (tree_clock_wait(&img, &st))
			st = look();
		assert_true(next_change_is_later(&st));
		/* What changed before the save is quiet. */
		assert_false(tree_clock_changed(&img, &st));
	}
}

static void changes_since_the_start(void **state)
{
	struct tree_image img = { 0 };
	struct statx st;

	(void)state;
	tree_clock_start(&img);
	nap(100);
	change();
	st = look();
	assert_true(tree_clock_changed(&img, &st));
}

static void old_files_cost_no_wait(void **state)
{
	struct tree_image img = { 0 };
	struct statx st;

	(void)state;
	change();
	nap(100);
	tree_clock_start(&img);
	st = look();
	assert_false(tree_clock_wait(&img, &st));
	assert_false(tree_clock_changed(&img, &st));
}

/* The clock was set back: they say nothing, and are not waited for. */
static void times_of_the_future(void **state)
{
	struct tree_image img = { 0 };
	struct statx st = look();
	struct timespec from, to;

	(void)state;
	tree_clock_start(&img);
	st.stx_ctime.tv_sec += 3600;
	clock_gettime(CLOCK_MONOTONIC, &from);
	(void)tree_clock_wait(&img, &st);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 10);
	assert_false(tree_clock_changed(&img, &st));
}

static int make_file(void **state)
{
	(void)state;
	/* On tmpfs, as most trees are. */
	file = memfd_create("pkram-clock", MFD_CLOEXEC);
	return file < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_change_shows),
		cmocka_unit_test(changes_since_the_start),
		cmocka_unit_test(old_files_cost_no_wait),
		cmocka_unit_test(times_of_the_future),
	};

	return cmocka_run_group_tests(tests, make_file, NULL);
}
