/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regions on files, on a loop device and on a full file system. What needs root is skipped without
 * it, and says so.
 */
#include "region.h"
#include "pkram-format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define FILE_SIZE (8 * MIB)

struct fixture {
	struct pkram_ctx *ctx;
	char dir[64];
	char file[96];
	char log[512];		/* the last message */
	unsigned int messages;
	int loop_fd;
	char loop[32];
};

static void keep_log(void *userdata, int priority, const char *msg)
{
	struct fixture *f = userdata;

	(void)priority;
	snprintf(f->log, sizeof(f->log), "%s", msg);
	f->messages++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->loop_fd = -1;
	assert_int_equal(pkram_new(&f->ctx), 0);
	pkram_set_log_fn(f->ctx, keep_log, f, PKRAM_LOG_INFO);
	strcpy(f->dir, "/tmp/pkram-region-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/region", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	if (f->loop_fd >= 0) {
		ioctl(f->loop_fd, LOOP_CLR_FD, 0);
		close(f->loop_fd);
	}
	pkram_unref(f->ctx);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

/* A failure is told in exactly one line, which names what it is about. */
#define assert_fails(f, call, error, word)                                                         \
	do {                                                                                       \
		(f)->messages = 0;                                                                 \
		assert_int_equal(call, error);                                                     \
		assert_int_equal((f)->messages, 1);                                                \
		assert_non_null(strstr((f)->log, word));                                           \
	} while (0)

static void make_file(struct fixture *f)
{
	assert_int_equal(region_file_create(f->ctx, f->file, FILE_SIZE), 0);
}

/* A free loop device over f->file; false: not possible here. */
static bool make_loop(struct fixture *f, unsigned int block_size)
{
	struct loop_config cfg = { .block_size = block_size };
	_cleanup_close_ int control = -1, back = -1;

	if (geteuid() != 0) {
		print_message("needs root for a loop device\n");
		return false;
	}
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		print_message("needs /dev/loop-control\n");
		return false;
	}
	make_file(f);
	back = open(f->file, O_RDWR | O_CLOEXEC);
	assert_true(back >= 0);
	cfg.fd = (unsigned int)back;
	/* Somebody else may take the device between the two calls. */
	for (int tries = 0; tries < 16; tries++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		assert_true(n >= 0);
		snprintf(f->loop, sizeof(f->loop), "/dev/loop%d", n);
		f->loop_fd = open(f->loop, O_RDWR | O_CLOEXEC);
		assert_true(f->loop_fd >= 0);
		if (ioctl(f->loop_fd, LOOP_CONFIGURE, &cfg) == 0)
			return true;
		close(f->loop_fd);
		f->loop_fd = -1;
		if (errno == EINVAL)
			return false;
	}
	print_message("no free loop device\n");
	return false;
}

static struct region *open_ok(struct fixture *f, const char *spec, bool read_only)
{
	struct region *r = NULL;

	if (region_open(f->ctx, spec, read_only, &r) < 0)
		fail_msg("%s: %s", spec, f->log);
	return r;
}

static void test_spec(void **state)
{
	struct fixture *f = *state;
	struct region *r = NULL;
	char spec[160], other[160];

	make_file(f);
	r = open_ok(f, f->file, false);
	snprintf(spec, sizeof(spec), "file:%s", f->file);
	assert_string_equal(r->spec, spec);
	assert_int_equal(r->size, FILE_SIZE);
	assert_int_equal(r->base, 0);
	assert_int_equal(r->phys, 0);
	region_close(r);

	snprintf(other, sizeof(other), "%s/link", f->dir);
	assert_int_equal(symlink("region", other), 0);
	r = open_ok(f, other, false);
	assert_string_equal(r->spec, spec);
	region_close(r);
	r = NULL;

	assert_fails(f, region_open(f->ctx, "file:", false, &r), -EINVAL, "names no path");
	assert_fails(f, region_open(f->ctx, "file:/nowhere/x", false, &r), -ENOENT, "/nowhere/x");
	assert_fails(f, region_open(f->ctx, f->dir, false, &r), -EISDIR, f->dir);
	assert_fails(f, region_open(f->ctx, "/dev/null", false, &r), -ENODEV, "not a devdax");
	snprintf(other, sizeof(other), "pmem:%s", f->file);
	assert_fails(f, region_open(f->ctx, other, false, &r), -EINVAL, spec);
	snprintf(other, sizeof(other), "%s/fifo", f->dir);
	assert_int_equal(mkfifo(other, 0600), 0);
	assert_fails(f, region_open(f->ctx, other, false, &r), -EINVAL, other);
	snprintf(other, sizeof(other), "%s/empty", f->dir);
	assert_int_equal(close(creat(other, 0600)), 0);
	assert_fails(f, region_open(f->ctx, other, false, &r), -ENODATA, "empty");
	assert_null(r);
}

static void test_permission(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("needs root to become somebody else\n");
		skip();
	}
	make_file(f);
	chmod(f->dir, 0755);
	pid = fork();
	if (pid == 0) {
		struct region *r = NULL;

		if (setuid(65534) < 0)
			_exit(3);
		_exit(region_open(f->ctx, f->file, false, &r) == -EACCES &&
		      strstr(f->log, f->file) && f->messages == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Everything that reading and writing promise, for either kind of region. */
static void check_io(struct region *r)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(3 * MIB), *back = io_buffer_new(3 * MIB);
	uint64_t end = r->size;

	for (size_t i = 0; i < 3 * MIB; i++)
		buf[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(region_write(r, 4096, 3 * MIB, buf), 0);
	assert_int_equal(region_read(r, 4096, 3 * MIB, back), 0);
	assert_memory_equal(buf, back, 3 * MIB);
	assert_int_equal(region_write(r, end - 4096, 4096, buf), 0);
	assert_int_equal(region_read(r, end - 4096, 4096, back), 0);
	assert_memory_equal(buf, back, 4096);

	assert_int_equal(region_zero(r, 8192, 2 * MIB + 4096), 0);
	assert_int_equal(region_read(r, 4096, 3 * MIB, back), 0);
	memset(buf + 4096, 0, 2 * MIB + 4096);
	assert_memory_equal(buf, back, 3 * MIB);

	assert_int_equal(region_read(r, 512, 4096, back), -EINVAL);
	assert_int_equal(region_read(r, 0, 512, back), -EINVAL);
	assert_int_equal(region_write(r, 1, 4096, buf), -EINVAL);
	assert_int_equal(region_zero(r, 4096, 1), -EINVAL);
	assert_int_equal(region_read(r, end, 4096, back), -ERANGE);
	assert_int_equal(region_write(r, end - 4096, 8192, buf), -ERANGE);
	assert_int_equal(region_write(r, UINT64_MAX - 4095, 8192, buf), -ERANGE);
	assert_int_equal(region_zero(r, 4096, end), -ERANGE);
	assert_int_equal(region_seal_block(r, end, buf), -ERANGE);
	assert_int_equal(region_read(r, end, 0, back), 0);
	assert_int_equal(region_read(r, end + 4096, 0, back), -ERANGE);
}

static void check_seal(struct region *r)
{
	_cleanup_free_ uint8_t *block = io_buffer_new(4096), *back = io_buffer_new(4096);

	for (unsigned int round = 1; round < 4; round++) {
		memset(block, (int)round, 4096);
		assert_int_equal(region_seal_block(r, 2 * MIB, block), 0);
		assert_int_equal(region_read(r, 2 * MIB, 4096, back), 0);
		assert_memory_equal(block, back, 4096);
	}
	memset(block, 0, 4096);
	assert_int_equal(region_seal_block(r, 2 * MIB, block), 0);
	assert_int_equal(region_read(r, 2 * MIB, 4096, back), 0);
	assert_memory_equal(block, back, 4096);
	assert_int_equal(region_seal_block(r, 2 * MIB + 8, block), -EINVAL);
}

static void check_read_only(struct region *r)
{
	_cleanup_free_ uint8_t *block = io_buffer_new(4096);

	memset(block, 0, 4096);
	assert_int_equal(region_read(r, 0, 4096, block), 0);
	assert_int_equal(region_write(r, 0, 4096, block), -EROFS);
	assert_int_equal(region_zero(r, 0, 4096), -EROFS);
	assert_int_equal(region_seal_block(r, 0, block), -EROFS);
	assert_int_equal(region_lock(r, PKRAM_LOCK_CATALOG, REGION_LOCK_EXCLUSIVE, false), -EROFS);
	assert_int_equal(region_lock(r, PKRAM_LOCK_CATALOG, REGION_LOCK_SHARED, false), 0);
}

static void test_file_io(void **state)
{
	struct fixture *f = *state;
	struct region *r;

	make_file(f);
	r = open_ok(f, f->file, false);
	assert_non_null(region_ptr(r, 0));
	check_io(r);
	check_seal(r);
	region_persist(r);
	region_close(r);
	r = open_ok(f, f->file, true);
	check_read_only(r);
	region_close(r);
}

/* Memory that cannot be read is an error, and no signal, also where it is mapped. */
static void test_file_cut(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *buf = io_buffer_new(2 * MIB);
	struct region *r;

	make_file(f);
	r = open_ok(f, f->file, false);
	assert_non_null(region_ptr(r, 0));
	assert_int_equal(truncate(f->file, 3 * MIB), 0);
	assert_int_equal(region_read(r, MIB, 2 * MIB, buf), 0);
	assert_fails(f, region_read(r, 2 * MIB, 2 * MIB, buf), -EIO, "at byte 3145728");
	assert_fails(f, region_read(r, 4 * MIB, 4096, buf), -EIO, "at byte 4194304");
	region_close(r);
}

static void test_file_odd_size(void **state)
{
	struct fixture *f = *state;
	struct region *r;

	make_file(f);
	assert_int_equal(truncate(f->file, (off_t)(3 * 4096 + 100)), 0);
	r = open_ok(f, f->file, false);
	assert_int_equal(r->size, 3 * 4096);
	region_close(r);
	assert_int_equal(truncate(f->file, 4095), 0);
	r = NULL;
	assert_fails(f, region_open(f->ctx, f->file, false, &r), -ENODATA, f->file);
}

static void test_file_create(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *block = io_buffer_new(4096);
	struct stat st;
	struct region *r;

	make_file(f);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_size, FILE_SIZE);
	assert_true((uint64_t)st.st_blocks * 512 >= FILE_SIZE);
	assert_int_equal(st.st_mode & 0777, 0600);

	memset(block, 0x5a, 4096);
	r = open_ok(f, f->file, false);
	assert_int_equal(region_write(r, FILE_SIZE - 4096, 4096, block), 0);
	region_close(r);
	/* Grown, the old bytes stay. */
	assert_int_equal(region_file_create(f->ctx, f->file, FILE_SIZE + MIB), 0);
	r = open_ok(f, f->file, false);
	assert_int_equal(r->size, FILE_SIZE + MIB);
	assert_memory_equal(region_ptr(r, FILE_SIZE - 4096), block, 4096);
	memset(block, 0, 4096);
	assert_memory_equal(region_ptr(r, FILE_SIZE), block, 4096);
	region_close(r);

	assert_fails(f, region_file_create(f->ctx, f->file, FILE_SIZE), -EINVAL, "not shrunk");
	assert_fails(f, region_file_create(f->ctx, f->file, FILE_SIZE * 2 + 1), -EINVAL, "4096");
	assert_fails(f, region_file_create(f->ctx, f->file, 0), -EINVAL, "4096");
	assert_fails(f, region_file_create(f->ctx, f->dir, FILE_SIZE), -EISDIR, f->dir);
	assert_fails(f, region_file_create(f->ctx, "/dev/null", FILE_SIZE), -EINVAL, "/dev/null");
}

/* In a mount namespace of its own, so that nothing is left behind. */
static int with_small_tmpfs(struct fixture *f)
{
	char made[160], old[160];
	struct stat st;
	int fd;

	snprintf(made, sizeof(made), "%s/made", f->dir);
	snprintf(old, sizeof(old), "%s/old", f->dir);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", f->dir, "tmpfs", 0, "size=4m") < 0)
		return 77;
	f->messages = 0;
	if (region_file_create(f->ctx, made, FILE_SIZE) != -ENOSPC || f->messages != 1)
		return 1;
	if (access(made, F_OK) == 0)
		return 2;
	fd = open(old, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "precious", 8) != 8)
		return 3;
	close(fd);
	if (region_file_create(f->ctx, old, FILE_SIZE) != -ENOSPC)
		return 4;
	if (stat(old, &st) < 0 || st.st_size != 8)
		return 5;
	return region_file_create(f->ctx, made, 2 * MIB) == 0 ? 0 : 6;
}

static void test_file_no_space(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		_exit(with_small_tmpfs(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("needs root to mount a tmpfs\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_locks(struct region *a, struct region *b)
{
	const uint64_t byte = PKRAM_LOCK_NODE + PKRAM_ID_MAX;

	assert_int_equal(region_lock(a, byte, REGION_LOCK_EXCLUSIVE, false), 0);
	assert_int_equal(region_lock(b, byte, REGION_LOCK_EXCLUSIVE, false), -EAGAIN);
	assert_int_equal(region_lock(b, byte, REGION_LOCK_SHARED, false), -EAGAIN);
	assert_int_equal(region_lock(b, byte - 1, REGION_LOCK_EXCLUSIVE, true), 0);
	assert_int_equal(region_lock(a, byte, REGION_UNLOCK, false), 0);
	assert_int_equal(region_lock(b, byte, REGION_LOCK_SHARED, true), 0);
	assert_int_equal(region_lock(a, byte, REGION_LOCK_SHARED, false), 0);
	assert_int_equal(region_lock(a, byte, REGION_LOCK_EXCLUSIVE, false), -EAGAIN);
	assert_int_equal(region_lock(a, UINT64_MAX, REGION_LOCK_SHARED, false), -EINVAL);
	assert_int_equal(region_lock(a, byte, REGION_UNLOCK, false), 0);
	assert_int_equal(region_lock(b, byte, REGION_UNLOCK, false), 0);
	assert_int_equal(region_lock(b, byte - 1, REGION_UNLOCK, false), 0);
}

static void test_file_locks(void **state)
{
	struct fixture *f = *state;
	struct region *a, *b;

	make_file(f);
	a = open_ok(f, f->file, false);
	b = open_ok(f, f->file, false);
	check_locks(a, b);
	region_close(b);
	region_close(a);
}

static void test_loop(void **state)
{
	struct fixture *f = *state;
	char spec[64];
	struct region *r;

	if (!make_loop(f, 0))
		skip();
	snprintf(spec, sizeof(spec), "pmem:%s", f->loop);
	r = open_ok(f, spec, false);
	assert_string_equal(r->spec, spec);
	assert_null(region_ptr(r, 0));
	assert_int_equal(r->base, PKRAM_PMEM_BASE);
	assert_int_equal(r->size, FILE_SIZE - PKRAM_PMEM_BASE);
	assert_int_equal(r->phys, 0);
	check_io(r);
	check_seal(r);
	region_close(r);
	r = open_ok(f, f->loop, true);
	check_read_only(r);
	region_close(r);
}

/* What is written through the block device lies 2 MiB further in the file behind it. */
static void test_loop_place(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *block = io_buffer_new(4096), *back = io_buffer_new(4096);
	_cleanup_free_ uint8_t *both = NULL;
	_cleanup_close_ int fd = -1;
	struct region *r;

	if (!make_loop(f, 0))
		skip();
	memset(block, 0x77, 4096);
	r = open_ok(f, f->loop, false);
	assert_int_equal(region_seal_block(r, 4096, block), 0);
	region_close(r);
	fd = open(f->file, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, back, 4096, PKRAM_PMEM_BASE + 4096), 4096);
	assert_memory_equal(block, back, 4096);

	memset(block, 0x33, 4096);
	assert_int_equal(pwrite(fd, block, 4096, PKRAM_PMEM_BASE - 4096), 4096);
	assert_int_equal(fsync(fd), 0);
	r = open_ok(f, f->loop, true);
	both = io_buffer_new(4 * 4096);
	assert_int_equal(region_read_device(r, PKRAM_PMEM_BASE - 4096, 4 * 4096, both), 0);
	assert_int_equal(both[0], 0x33);
	assert_int_equal(both[4096], 0);
	assert_int_equal(both[2 * 4096], 0x77);
	assert_int_equal(region_read_device(r, PKRAM_PMEM_BASE + 4096, 4096, both), 0);
	assert_int_equal(both[0], 0x77);
	assert_int_equal(region_read_device(r, 0, 512, both), -EINVAL);
	assert_int_equal(region_read_device(r, 0, FILE_SIZE + 4096, both), -ERANGE);
	assert_int_equal(region_read_device(r, FILE_SIZE, 4096, both), -ERANGE);
	region_close(r);
}

static void test_loop_other_node(void **state)
{
	struct fixture *f = *state;
	struct region *a, *b, *c;
	char node[96], link[96];
	struct stat st;

	if (!make_loop(f, 0))
		skip();
	snprintf(node, sizeof(node), "%s/node", f->dir);
	snprintf(link, sizeof(link), "%s/link", f->dir);
	assert_int_equal(stat(f->loop, &st), 0);
	if (mknod(node, S_IFBLK | 0600, st.st_rdev) < 0) {
		print_message("needs the right to make a device node\n");
		skip();
	}
	assert_int_equal(symlink("node", link), 0);
	a = open_ok(f, f->loop, false);
	b = open_ok(f, node, false);
	c = open_ok(f, link, false);
	assert_string_equal(a->spec, b->spec);
	assert_string_equal(a->spec, c->spec);
	check_locks(a, b);
	check_locks(b, c);
	region_close(c);
	region_close(b);
	region_close(a);
}

static void test_loop_too_small(void **state)
{
	struct fixture *f = *state;
	struct region *r = NULL;

	if (!make_loop(f, 0))
		skip();
	assert_int_equal(truncate(f->file, PKRAM_PMEM_BASE), 0);
	assert_int_equal(ioctl(f->loop_fd, LOOP_SET_CAPACITY, 0), 0);
	assert_fails(f, region_open(f->ctx, f->loop, false, &r), -ENODATA, "too small");
}

static void test_loop_large_blocks(void **state)
{
	struct fixture *f = *state;
	struct region *r = NULL;

	if (!make_loop(f, 8192)) {
		print_message("needs a kernel with blocks of 8 KiB\n");
		skip();
	}
	assert_fails(f, region_open(f->ctx, f->loop, false, &r), -EINVAL, "8192");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_spec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permission, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_io, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_odd_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_create, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_no_space, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file_locks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_other_node, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_too_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loop_large_blocks, setup, teardown),
	};

	return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
