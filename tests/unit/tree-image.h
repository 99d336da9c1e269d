/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For the tests of views and restores: images made by mkfs.erofs, which shares no code with
 * pkram, a log to look into, and a comparison of two trees by what the kernel says of them.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "tree.h"

static char last_log[4096];
static char all_log[65536];

static void keep_log(void *userdata, int priority, const char *msg)
{
	size_t used = strlen(all_log);

	(void)userdata;
	(void)priority;
	snprintf(last_log, sizeof(last_log), "%s", msg);
	snprintf(all_log + used, sizeof(all_log) - used, "%s\n", msg);
}

__attribute__((unused)) static struct pkram_ctx *test_ctx(void)
{
	struct pkram_ctx *ctx;

	assert_int_equal(pkram_new(&ctx), 0);
	pkram_set_log_fn(ctx, keep_log, NULL, PKRAM_LOG_INFO);
	last_log[0] = all_log[0] = '\0';
	return ctx;
}

__attribute__((unused)) static int run(const char *fmt, ...)
{
	char line[4096];
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r = system(line);
	return r == -1 ? -1 : WEXITSTATUS(r);
}

struct image {
	char *bytes;
	uint64_t size;
};

static int image_read(void *arg, uint64_t off, size_t len, void *buf)
{
	const struct image *i = arg;

	if (!range_ok(off, len, i->size))
		return -EIO;
	memcpy(buf, i->bytes + off, len);
	return 0;
}

__attribute__((unused)) static struct tree_input image_input(struct image *i)
{
	return (struct tree_input){ .size = i->size, .read = image_read, .arg = i };
}

/* An image of `source`, or fails. In /tmp, as mkfs.erofs cannot copy chunks to other filesystems.
 */
__attribute__((unused)) static struct image image_make(const char *options, const char *source)
{
	char path[] = "/tmp/pkram-image-XXXXXX";
	int fd = mkstemp(path);
	struct image i = { 0 };
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(run("mkfs.erofs -x1 %s %s %s >/dev/null 2>&1", options, path, source), 0);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	i.size = (uint64_t)st.st_size;
	i.bytes = malloc(i.size + 1);
	assert_non_null(i.bytes);
	assert_int_equal(read(fd, i.bytes, i.size), st.st_size);
	close(fd);
	return i;
}

/* A scratch directory in memory where there is room for it. */
__attribute__((unused)) static char *scratch_new(void)
{
	char path[] = "/dev/shm/pkram-test-XXXXXX", other[] = "/tmp/pkram-test-XXXXXX";

	if (mkdtemp(path))
		return strdup(path);
	assert_non_null(mkdtemp(other));
	return strdup(other);
}

__attribute__((unused)) static void scratch_free(char *path)
{
	assert_int_equal(run("chattr -R -ia %s 2>/dev/null; rm -rf %s", path, path), 0);
	free(path);
}

static void compare_xattrs(const char *a, const char *b)
{
	char la[4096], lb[4096], va[4096], vb[4096];
	ssize_t na = llistxattr(a, la, sizeof(la)), nb = llistxattr(b, lb, sizeof(lb));

	assert_int_equal(na, nb);
	for (char *p = la; p < la + MAX(na, (ssize_t)0); p += strlen(p) + 1) {
		ssize_t n = lgetxattr(a, p, va, sizeof(va));

		assert_true(n >= 0);
		assert_int_equal(lgetxattr(b, p, vb, sizeof(vb)), n);
		assert_memory_equal(va, vb, (size_t)n);
	}
}

static void compare_bytes(const char *a, const char *b)
{
	char pa[8192], pb[8192];
	int fa = open(a, O_RDONLY | O_CLOEXEC), fb = open(b, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fa >= 0 && fb >= 0);
	do {
		n = read(fa, pa, sizeof(pa));
		assert_true(n >= 0);
		assert_int_equal(read(fb, pb, sizeof(pb)), n);
		assert_memory_equal(pa, pb, (size_t)n);
	} while (n);
	close(fa);
	close(fb);
}

static void compare_files(const char *a, const char *b)
{
	char ta[4096] = "", tb[4096] = "";
	struct stat sa, sb;

	assert_int_equal(lstat(a, &sa), 0);
	if (lstat(b, &sb) < 0)
		fail_msg("%s is missing", b);
	assert_int_equal(sa.st_mode, sb.st_mode);
	assert_int_equal(sa.st_uid, sb.st_uid);
	assert_int_equal(sa.st_gid, sb.st_gid);
	assert_int_equal(sa.st_mtim.tv_sec, sb.st_mtim.tv_sec);
	assert_int_equal(sa.st_mtim.tv_nsec, sb.st_mtim.tv_nsec);
	assert_int_equal(sa.st_rdev, sb.st_rdev);
	compare_xattrs(a, b);
	if (!S_ISDIR(sa.st_mode)) {
		assert_int_equal(sa.st_nlink, sb.st_nlink);
		assert_int_equal(sa.st_size, sb.st_size);
	}
	if (S_ISREG(sa.st_mode))
		compare_bytes(a, b);
	if (S_ISLNK(sa.st_mode)) {
		assert_int_equal(readlink(a, ta, sizeof(ta)), readlink(b, tb, sizeof(tb)));
		assert_string_equal(ta, tb);
	}
}

/* Everything that is in a is the same in b, and b has no more. */
__attribute__((unused)) static void compare_trees(const char *a, const char *b)
{
	DIR *d;
	unsigned int na = 0, nb = 0;

	compare_files(a, b);
	d = opendir(a);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)); na++) {
		char pa[4096], pb[4096];
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(pa, sizeof(pa), "%s/%s", a, e->d_name);
		snprintf(pb, sizeof(pb), "%s/%s", b, e->d_name);
		assert_int_equal(lstat(pa, &st), 0);
		if (S_ISDIR(st.st_mode))
			compare_trees(pa, pb);
		else
			compare_files(pa, pb);
	}
	closedir(d);
	d = opendir(b);
	assert_non_null(d);
	while (readdir(d))
		nb++;
	closedir(d);
	assert_int_equal(na, nb);
}
