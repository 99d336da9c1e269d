/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Byte streams as the users of pkram.h meet them, through the shared library alone.
 */
#include "api-fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, MIB - 1, MIB, MIB + 1, 3 * MIB };
	struct fixture *f = *state;
	struct pkram_transfer read;
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%zu", sizes[i]);
		assert_int_equal(put(f->region, name, sizes[i], (uint32_t)i), 0);
		assert_int_equal(holds(f->region, name, sizes[i], (uint32_t)i), 1);
		sum += sizes[i];
	}
	assert_int_equal(pkram_verify(f->region, NULL, 0, &read), 0);
	assert_int_equal(read.bytes, sum);
	/* Replaced by what is shorter and longer. */
	assert_int_equal(put(f->region, "s4097", 10, 90), 0);
	assert_int_equal(holds(f->region, "s4097", 10, 90), 1);
	assert_int_equal(put(f->region, "s1", 2 * MIB + 1, 91), 0);
	assert_int_equal(holds(f->region, "s1", 2 * MIB + 1, 91), 1);
}

static void test_expected(void **state)
{
	static const char sha256_of_abc[] =
		"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
	struct fixture *f = *state;
	struct pkram_stream *s;

	/* In pieces, and to the letter. */
	assert_int_equal(pkram_prepare_save(f->region, "abc", 0, &s), 0);
	assert_int_equal(pkram_expect_bytes(s, 3), 0);
	assert_int_equal(pkram_expect_sha256(s, sha256_of_abc), 0);
	assert_int_equal(pkram_write(s, "a", 1), 0);
	assert_int_equal(pkram_expect_bytes(s, 3), -EINVAL);
	assert_int_equal(pkram_expect_sha256(s, sha256_of_abc), -EINVAL);
	assert_int_equal(pkram_write(s, "bc", 2), 0);
	assert_int_equal(pkram_finish_save(s), 0);

	/* The last one that was said counts. */
	assert_int_equal(pkram_prepare_save(f->region, "abc", 0, &s), 0);
	assert_int_equal(pkram_expect_bytes(s, 3), 0);
	assert_int_equal(pkram_expect_bytes(s, 4), 0);
	assert_int_equal(pkram_write(s, "abc", 3), 0);
	assert_fails(f, pkram_finish_save(s), -EIO, "has 3 bytes, expected were 4; nothing");

	assert_int_equal(pkram_prepare_save(f->region, "abc", 0, &s), 0);
	assert_int_equal(pkram_expect_bytes(s, 0), 0);
	assert_fails(f, pkram_write(s, "a", 1), -EIO, "the input has more than 0 bytes");
	assert_int_equal(pkram_finish_save(s), -EINVAL);

	assert_int_equal(pkram_prepare_save(f->region, "abc", 0, &s), 0);
	assert_fails(f, pkram_expect_sha256(s, sha256_of_abc + 1), -EINVAL, "64 hex digits");
	assert_int_equal(pkram_expect_sha256(s, sha256_of_abc), 0);
	assert_int_equal(pkram_write(s, "abd", 3), 0);
	assert_fails(f, pkram_finish_save(s), -EIO, "expected was BA7816BF");

	assert_int_equal(pkram_prepare_load(f->region, "abc", 0, &s), 0);
	assert_int_equal(pkram_expect_bytes(s, 3), -EINVAL);
	assert_int_equal(pkram_finish_load(s), 0);
}

/* A file says how long it is, and then there is more: its last window has to move. */
static void test_more_than_said(void **state)
{
	static const size_t said[] = { MIB + 1, MIB + 4095, MIB + 4096, 2 * MIB - 1, 2 * MIB };
	static const size_t more[] = { 1, 4095, 4096, MIB, 3 * MIB + 5 };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(said) * ARRAY_SIZE(more); i++) {
		size_t first = said[i / ARRAY_SIZE(more)], all = first + more[i % ARRAY_SIZE(more)];
		int fd = temp_fd(f, first, (uint32_t)i);
		uint8_t *bytes = malloc(all);
		struct pkram_stream *s;

		fill(bytes, all, (uint32_t)i);
		assert_int_equal(pkram_prepare_save(f->region, "more", 0, &s), 0);
		assert_int_equal(pkram_write_from_fd(s, fd), 0);
		assert_int_equal(pkram_write(s, bytes + first, all - first), 0);
		assert_int_equal(pkram_finish_save(s), 0);
		assert_int_equal(holds(f->region, "more", all, (uint32_t)i), 1);
		free(bytes);
		close(fd);
	}
}

/* Where the region has the 4 KiB of a file at @off. */
static off_t find_bytes(int region, int fd, off_t off)
{
	uint8_t want[4096], got[4096];

	assert_int_equal(pread(fd, want, sizeof(want), off), sizeof(want));
	for (off_t at = 0; pread(region, got, sizeof(got), at) == sizeof(got); at += sizeof(got))
		if (memcmp(want, got, sizeof(got)) == 0)
			return at;
	fail();
	return -1;
}

/* A file with a hole is not mapped: windows go by calls, while the stream's other end goes on. */
static void test_not_mapped(void **state)
{
	static const size_t sizes[] = { 0, 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 77 };
	struct fixture *f = *state;
	int fd, region = open(f->file, O_RDWR | O_CLOEXEC);
	const size_t len = 4 * MIB;
	struct pkram_stream *s;
	uint8_t byte = 0x5a;
	struct stat st;
	off_t at;

	assert_int_equal(fallocate(region, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   REGION_SIZE - MIB, MIB), 0);
	assert_int_equal(fstat(region, &st), 0);
	assert_true(st.st_blocks * 512 < st.st_size);
	pkram_region_close(f->region);
	assert_int_equal(pkram_region_open(f->ctx, f->spec, 0, &f->region), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int in = temp_fd(f, sizes[i], (uint32_t)i), out = temp_fd(f, 0, 0);
		uint8_t *want = malloc(sizes[i] + 1), *got = malloc(sizes[i] + 1);

		assert_int_equal(pkram_prepare_save(f->region, "n", 0, &s), 0);
		assert_int_equal(pkram_write_from_fd(s, in), 0);
		assert_int_equal(pkram_stream_threads(s), sizes[i] < MIB ? 1 : 2);
		assert_int_equal(pkram_finish_save(s), 0);
		assert_int_equal(holds(f->region, "n", sizes[i], (uint32_t)i), 1);
		assert_int_equal(pkram_prepare_load(f->region, "n", 0, &s), 0);
		assert_int_equal(pkram_read_to_fd(s, out), 0);
		assert_int_equal(pkram_finish_load(s), 0);
		fill(want, sizes[i], (uint32_t)i);
		assert_int_equal(pread(out, got, sizes[i] + 1, 0), sizes[i]);
		assert_memory_equal(got, want, sizes[i]);
		free(want);
		free(got);
		close(in);
		close(out);
	}

	/* Damage in the third window: the first two are given. */
	fd = temp_fd(f, len, 77);
	assert_int_equal(pkram_prepare_save(f->region, "n", 0, &s), 0);
	assert_int_equal(pkram_write_from_fd(s, fd), 0);
	assert_int_equal(pkram_finish_save(s), 0);
	at = find_bytes(region, fd, 2 * MIB);
	assert_int_equal(pwrite(region, &byte, 1, at + 5), 1);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(pkram_prepare_load(f->region, "n", 0, &s), 0);
	assert_int_equal(pkram_read_to_fd(s, fd), -EBADMSG);
	assert_int_equal(pkram_stream_position(s), 2 * MIB);
	assert_int_equal(pkram_finish_load(s), 0);
	close(fd);
	close(region);
}

static int cut_file(void *userdata, const struct pkram_progress *p)
{
	(void)p;
	return ftruncate(*(int *)userdata, 2 * MIB);
}

static void test_file_cut(void **state)
{
	struct fixture *f = *state;
	int fd = temp_fd(f, 4 * MIB, 6);
	struct pkram_stream *s;

	assert_int_equal(put(f->region, "cut", 100, 1), 0);
	pkram_set_progress_fn(f->ctx, cut_file, &fd);
	assert_int_equal(pkram_prepare_save(f->region, "cut", 0, &s), 0);
	assert_fails(f, pkram_write_from_fd(s, fd), -EIO, "from 4194304 bytes to 2097152");
	pkram_set_progress_fn(f->ctx, NULL, NULL);
	assert_int_equal(pkram_finish_save(s), -EINVAL);
	assert_int_equal(holds(f->region, "cut", 100, 1), 1);
	close(fd);
}

static void test_descriptors(void **state)
{
	struct fixture *f = *state;
	const size_t len = 2 * MIB + 4321;
	int fd = temp_fd(f, len, 5), pipe_fds[2];
	uint8_t *bytes = malloc(len);
	struct pkram_stream *s;
	struct stat st;

	pkram_set_progress_fn(f->ctx, keep_progress, f);
	assert_int_equal(pkram_prepare_save(f->region, "fd", 0, &s), 0);
	assert_int_equal(pkram_write(s, NULL, 0), 0);
	assert_int_equal(pkram_write_from_fd(s, fd), 0);
	assert_int_equal(pkram_stream_position(s), len);
	assert_string_equal(f->last.what, "put");
	assert_int_equal(f->last.done, len);
	assert_int_equal(pkram_finish_save(s), 0);
	assert_int_equal(holds(f->region, "fd", len, 5), 1);

	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(pkram_prepare_load(f->region, "fd", 0, &s), 0);
	assert_int_equal(pkram_read(s, bytes, 100), 100);
	assert_int_equal(pkram_read_to_fd(s, fd), 0);
	assert_int_equal(pkram_stream_position(s), len);
	assert_string_equal(f->last.what, "get");
	assert_int_equal(f->last.total, len);
	assert_int_equal(pkram_read(s, bytes, 1), 0);
	assert_int_equal(pkram_finish_load(s), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, len - 100);
	close(fd);

	/* A reader that went is the caller's to judge, not a message. */
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	close(pipe_fds[0]);
	signal(SIGPIPE, SIG_IGN);
	f->messages = 0;
	assert_int_equal(pkram_prepare_load(f->region, "fd", 0, &s), 0);
	assert_int_equal(pkram_read_to_fd(s, pipe_fds[1]), -EPIPE);
	assert_int_equal(pkram_finish_load(s), 0);
	assert_int_equal(f->messages, 0);
	close(pipe_fds[1]);
	free(bytes);
}

static void test_discard(void **state)
{
	struct fixture *f = *state;
	struct pkram_region_info before, after;
	struct pkram_stream *s;

	assert_int_equal(put(f->region, "kept", 5000, 1), 0);
	assert_int_equal(pkram_region_get_info(f->region, &before), 0);
	assert_int_equal(pkram_prepare_save(f->region, "kept", 0, &s), 0);
	assert_int_equal(pkram_write(s, f, sizeof(*f)), 0);
	assert_int_equal(pkram_region_get_info(f->region, &after), 0);
	assert_int_equal(after.writers, 1);
	assert_null(pkram_discard_save(s));
	assert_int_equal(pkram_region_get_info(f->region, &after), 0);
	assert_int_equal(after.writers, 0);
	assert_int_equal(after.nodes, 1);
	assert_int_equal(after.free, before.free);
	assert_int_equal(holds(f->region, "kept", 5000, 1), 1);
}

static void test_misuse(void **state)
{
	struct fixture *f = *state;
	struct pkram_stream *s = UNTOUCHED;
	char name[300], byte;

	assert_fails(f, pkram_prepare_save(f->region, "x", 1 << 30, &s), -EINVAL, "0x40000000");
	assert_fails(f, pkram_prepare_load(f->region, "x", 1 << 30, &s), -EINVAL, "0x40000000");
	assert_fails(f, pkram_prepare_save(f->region, "", 0, &s), -EINVAL, "empty");
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_fails(f, pkram_prepare_save(f->region, name, 0, &s), -ENAMETOOLONG, "256");
	assert_fails(f, pkram_prepare_load(f->region, "none", 0, &s), -ENOENT, "none");
	assert_ptr_equal(s, UNTOUCHED);
	name[255] = '\0';
	assert_int_equal(put(f->region, name, 7, 7), 0);
	assert_int_equal(holds(f->region, name, 7, 7), 1);

	/* Writing to what is read, reading what is written. */
	assert_int_equal(pkram_prepare_load(f->region, name, 0, &s), 0);
	assert_int_equal(pkram_write(s, "", 1), -EINVAL);
	assert_int_equal(pkram_finish_save(s), -EINVAL);
	assert_int_equal(pkram_prepare_save(f->region, "x", 0, &s), 0);
	assert_int_equal(pkram_read(s, &byte, 1), -EINVAL);
	assert_int_equal(pkram_finish_load(s), 0);
	assert_int_equal(holds(f->region, "x", 0, 0), -ENOENT);
}

static void nothing(int sig)
{
	(void)sig;
}

/* A descriptor that does not block is waited for, whatever signals come meanwhile. */
static void test_signals_while_waiting(void **state)
{
	const struct itimerval often = { .it_interval.tv_usec = 2000, .it_value.tv_usec = 2000 };
	const struct itimerval never = { 0 };
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = SA_RESTART }, old;
	struct fixture *f = *state;
	struct pkram_stream *s;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	pid = fork();
	if (pid == 0) {
		usleep(100000);
		_exit(write(ends[1], "late", 4) == 4 ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(sigaction(SIGALRM, &sa, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(pkram_prepare_save(f->region, "late", 0, &s), 0);
	assert_int_equal(pkram_write_from_fd(s, ends[0]), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	assert_int_equal(pkram_finish_save(s), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ends[0]);
}

/* A stream with a gap is never committed, whatever its user overlooks. */
static void test_failed_stream(void **state)
{
	struct fixture *f = *state;
	struct pkram_stream *s;
	uint8_t *much = calloc(1, REGION_SIZE);

	assert_int_equal(put(f->region, "old", 100, 3), 0);
	assert_int_equal(pkram_prepare_save(f->region, "old", 0, &s), 0);
	assert_fails(f, pkram_write(s, much, REGION_SIZE), -ENOSPC, "old");
	assert_int_equal(pkram_write(s, much, 1), -EINVAL);
	assert_int_equal(pkram_write_from_fd(s, 0), -EINVAL);
	assert_int_equal(pkram_finish_save(s), -EINVAL);
	assert_int_equal(holds(f->region, "old", 100, 3), 1);

	assert_int_equal(pkram_prepare_save(f->region, "old", PKRAM_PUT_TREE, &s), 0);
	assert_int_equal(pkram_write(s, much, MIB), 0);
	assert_true(pkram_finish_save(s) < 0);
	assert_int_equal(holds(f->region, "old", 100, 3), 1);
	free(much);
}

static void test_busy(void **state)
{
	struct fixture *f = *state;
	struct pkram_stream *first, *second = UNTOUCHED;
	const struct pkram_save_item item = { .path = f->tree, .name = "name" };
	char pid[32];

	snprintf(pid, sizeof(pid), "pid %d", getpid());
	assert_int_equal(pkram_prepare_save(f->region, "name", 0, &first), 0);
	assert_fails(f, pkram_prepare_save(f->region, "name", 0, &second), -EBUSY, pid);
	assert_ptr_equal(second, UNTOUCHED);
	assert_fails(f, pkram_save_trees(f->region, &item, 1, NULL, NULL), -EBUSY, pid);
	assert_int_equal(pkram_finish_save(first), 0);
	assert_int_equal(put(f->region, "name", 1, 1), 0);
}

struct writer {
	struct pkram_region *region;
	const char *name;
	uint32_t seed;
	int result;
};

static void *write_streams(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < 4 && w->result == 0; i++) {
		w->result = put(w->region, w->name, 3 * MIB + w->seed, w->seed);
		if (w->result == 0 && holds(w->region, w->name, 3 * MIB + w->seed, w->seed) != 1)
			w->result = -EBADMSG;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *f = *state;
	struct writer w[] = { { f->region, "one", 11, 0 }, { f->region, "two", 22, 0 } };
	pthread_t threads[ARRAY_SIZE(w)];
	struct pkram_region_info info;
	struct pkram_node_list *list;

	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_streams, &w[i]), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pkram_region_get_info(f->region, &info), 0);
		assert_true(info.writers <= 2);
		assert_int_equal(pkram_node_list_new(f->region, &list), 0);
		assert_true(pkram_node_list_count(list) <= 4);
		pkram_node_list_free(list);
		assert_int_equal(pkram_verify(f->region, NULL, 0, NULL), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(w[i].result, 0);
	}
	assert_int_equal(pkram_region_get_info(f->region, &info), 0);
	assert_int_equal(info.nodes, 2);
	assert_int_equal(info.writers, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sizes),
		TEST(test_expected),
		TEST(test_more_than_said),
		TEST(test_not_mapped),
		TEST(test_file_cut),
		TEST(test_descriptors),
		TEST(test_discard),
		TEST(test_misuse),
		TEST(test_signals_while_waiting),
		TEST(test_failed_stream),
		TEST(test_busy),
		TEST(test_threads),
	};

	return cmocka_run_group_tests_name("api-stream", tests, NULL, NULL);
}
