/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filling pages beside writers: what is done is right, what does not go is left to write(2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "tree-userfault.h"
#include "work.h"

#define SIZE (3 * MIB)
#define PAGE 4096u

struct fixture {
	int uffd, fd;
	char *bytes;
};

static char *pattern(void)
{
	char *bytes = malloc(SIZE);

	assert_non_null(bytes);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i / PAGE + i * 7 + 1);
	return bytes;
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .uffd = userfault_open(), .bytes = pattern(),
			      .fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) };
	*state = &f;
	return f.fd < 0 || ftruncate(f.fd, SIZE + 100) < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_p(&f->uffd);
	close(f->fd);
	free(f->bytes);
	return 0;
}

static void need_userfaults(const struct fixture *f)
{
	if (f->uffd < 0) {
		print_message("SKIP: this kernel gives no userfaultfd(2)\n");
		skip();
	}
}

static void same(int fd, uint64_t from, uint64_t to, const char *want)
{
	_cleanup_free_ char *got = malloc(to - from);

	assert_int_equal(pread(fd, got, to - from, (off_t)from), (ssize_t)(to - from));
	assert_memory_equal(got, want + from, to - from);
}

static void test_whole_pages(void **state)
{
	struct fixture *f = *state;
	char end[100] = { 0 }, none[100] = { 0 };

	need_userfaults(f);
	assert_int_equal(userfault_fill(f->uffd, f->fd, 0, SIZE, f->bytes), SIZE);
	same(f->fd, 0, SIZE, f->bytes);
	assert_int_equal(lseek(f->fd, 0, SEEK_HOLE), SIZE);
	/* A part of a page is nobody's. */
	assert_int_equal(userfault_fill(f->uffd, f->fd, SIZE, 100, f->bytes), 0);
	assert_int_equal(pread(f->fd, end, sizeof(end), SIZE), (ssize_t)sizeof(end));
	assert_memory_equal(end, none, sizeof(end));
}

static void test_what_is_there_stays(void **state)
{
	struct fixture *f = *state;
	char old[PAGE];

	need_userfaults(f);
	memset(old, 'o', sizeof(old));
	assert_int_equal(pwrite(f->fd, old, sizeof(old), 5 * PAGE), PAGE);
	assert_int_equal(userfault_fill(f->uffd, f->fd, 0, SIZE, f->bytes), 5 * PAGE);
	same(f->fd, 0, 5 * PAGE, f->bytes);
	assert_int_equal(userfault_fill(f->uffd, f->fd, 5 * PAGE, SIZE - 5 * PAGE, f->bytes), 0);
	memcpy(f->bytes + 5 * PAGE, old, sizeof(old));
	same(f->fd, 5 * PAGE, 6 * PAGE, f->bytes);
	assert_int_equal(lseek(f->fd, 0, SEEK_HOLE), 6 * PAGE);
}

static void test_where_it_does_not_serve(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int pipe_end = -1;
	int fds[2];

	assert_int_equal(userfault_fill(-1, f->fd, 0, SIZE, f->bytes), 0);
	assert_int_equal(userfault_fill(f->uffd, f->fd, 1, SIZE - PAGE, f->bytes), 0);
	assert_int_equal(userfault_fill(f->uffd, f->fd, 0, PAGE - 1, f->bytes), 0);
	assert_int_equal(userfault_fill(f->uffd, f->fd, 0, PAGE, NULL), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pipe_end = fds[1];
	close(fds[0]);
	assert_int_equal(userfault_fill(f->uffd, pipe_end, 0, SIZE, f->bytes), 0);
	assert_int_equal(lseek(f->fd, 0, SEEK_DATA), -1);
}

/* There, write(2) makes 2 MiB at once. */
static void test_not_on_huge_pages(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = -1;

	need_userfaults(f);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "size=16m,huge=always") < 0) {
		print_message("SKIP: no mount of huge pages\n");
		skip();
	}
	fd = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, SIZE) == 0);
	assert_int_equal(userfault_fill(f->uffd, fd, 0, SIZE, f->bytes), 0);
	assert_int_equal(umount2("/mnt", MNT_DETACH), 0);
}

static int fill_part(void *arg, unsigned int worker, uint64_t index)
{
	struct fixture *f = arg;
	uint64_t off = index * 16 * PAGE;

	(void)worker;
	return userfault_fill(f->uffd, f->fd, off, 16 * PAGE, f->bytes + off) == 16 * PAGE ? 0 :
											      -EIO;
}

static void test_many_at_once(void **state)
{
	struct fixture *f = *state;
	struct pkram_ctx *ctx;

	need_userfaults(f);
	assert_int_equal(pkram_new(&ctx), 0);
	assert_int_equal(work_run(ctx, 4, NULL, SIZE / (16 * PAGE), fill_part, f), 0);
	same(f->fd, 0, SIZE, f->bytes);
	pkram_unref(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_there_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_where_it_does_not_serve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_on_huge_pages, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
