/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many descriptors with few calls: all of them are closed, and none that lies between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tree-closer.h"
#include "util.h"

/* Before the C library's: counts, and may be of a kernel older than Linux 5.9. */

static bool old_kernel;
static unsigned int calls;

int close_range(unsigned int first, unsigned int last, int flags)
{
	calls++;
	if (!old_kernel)
		return (int)syscall(SYS_close_range, first, last, flags);
	errno = ENOSYS;
	return -1;
}

#define FILES 600u

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void close_but(unsigned int gap)
{
	struct closer c;
	int fds[FILES];

	calls = 0;
	for (size_t i = 0; i < FILES; i++) {
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	closer_init(&c);
	assert_int_equal(c.max, CLOSER_MAX);
	/* Not in their order, as threads would mix them. */
	for (size_t i = FILES; i-- > 0;)
		if (i % gap)
			closer_add(&c, fds[i]);
	assert_int_equal(c.n, (FILES - (FILES + gap - 1) / gap) % CLOSER_MAX);
	closer_done(&c);
	for (size_t i = 0; i < FILES; i++) {
		assert_int_equal(is_open(fds[i]), i % gap == 0);
		if (i % gap == 0)
			close(fds[i]);
	}
}

static void whole_rows(void **state)
{
	(void)state;
	close_but(FILES);
	/* They may have been opened around one that was there. */
	assert_in_range(calls, 5, 8);
}

static void rows_with_gaps(void **state)
{
	(void)state;
	close_but(9);
	assert_true(calls > 0);
	close_but(2);
	assert_int_equal(calls, 0);
}

static void before_linux_5_9(void **state)
{
	old_kernel = true;
	rows_with_gaps(state);
	old_kernel = false;
}

static void few_descriptors(void **state)
{
	struct rlimit limit, few;
	struct closer c;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	closer_init(&c);
	assert_int_equal(c.max, 12);
	for (unsigned int i = 0; i < 1000; i++) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		closer_add(&c, fd);
	}
	closer_done(&c);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* As many as are opened here. */
static void raise_limit(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = MIN(MAX(files.rlim_cur, (rlim_t)2048), files.rlim_max);
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_rows),
		cmocka_unit_test(rows_with_gaps),
		cmocka_unit_test(before_linux_5_9),
		cmocka_unit_test(few_descriptors),
	};

	raise_limit();
	return cmocka_run_group_tests_name("tree-closer", tests, NULL, NULL);
}
