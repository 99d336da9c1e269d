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
		int64_t before;
		struct statx st;

		change();
		before = tree_clock_now();
		st = look();
		assert_true(tree_clock_recent(before, &st));
		tree_clock_wait(before, &st);
		before = tree_clock_now();
		st = look();
		assert_false(tree_clock_recent(before, &st));
		assert_true(next_change_is_later(&st));
	}
}

static void who_never_rests_is_found_out(void **state)
{
	int64_t before = tree_clock_now();
	struct statx st;

	(void)state;
	change();
	st = look();
	tree_clock_wait(before, &st);
	change();
	before = tree_clock_now();
	st = look();
	assert_true(tree_clock_recent(before, &st));
}

static void old_files_cost_no_wait(void **state)
{
	struct statx st;

	(void)state;
	change();
	nap(100);
	st = look();
	assert_false(tree_clock_recent(tree_clock_now(), &st));
}

/* Some filesystems keep whole seconds, or even ones. */
static void whole_seconds(void **state)
{
	int64_t before = tree_clock_now();
	struct statx st;

	(void)state;
	change();
	st = look();
	st.stx_ctime.tv_nsec = 0;
	assert_true(tree_clock_recent(before, &st));
	tree_clock_wait(before, &st);
	assert_true(tree_clock_now() / 1000000000 >= st.stx_ctime.tv_sec + 2);
	assert_false(tree_clock_recent(tree_clock_now(), &st));
}

/* The clock was set back: the next change bears an earlier time. */
static void times_of_the_future(void **state)
{
	struct statx st = look();

	(void)state;
	st.stx_ctime.tv_sec += 3600;
	assert_false(tree_clock_recent(tree_clock_now(), &st));
	st.stx_ctime.tv_sec = INT64_MAX;
	assert_false(tree_clock_recent(tree_clock_now(), &st));
	st.stx_ctime.tv_sec = INT64_MIN;
	assert_false(tree_clock_recent(tree_clock_now(), &st));
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
		cmocka_unit_test(who_never_rests_is_found_out),
		cmocka_unit_test(old_files_cost_no_wait),
		cmocka_unit_test(whole_seconds),
		cmocka_unit_test(times_of_the_future),
	};

	return cmocka_run_group_tests(tests, make_file, NULL);
}
