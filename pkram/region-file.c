/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file: a region in an ordinary file, mapped. It does not survive a jump; it is for tests and for
 * trying things out. Its blocks are allocated up front, because a store into a mapped hole of a
 * full file system is a SIGBUS; one with holes is not mapped.
 */
#include "region.h"

#include <fcntl.h>
#include <sys/stat.h>

static int file_io_open(struct region *r)
{
	struct stat st;
	int k;

	k = region_open_fd(r, S_IFREG, 0, &st);
	if (k < 0)
		return k;
	r->size = ALIGN_DOWN((uint64_t)st.st_size, 4096);
	if (!r->size) {
		pkram_log_error(r->ctx, "%s %s; give it a size with init --size", r->path,
				st.st_size ? "has too few bytes for a region" : "is empty");
		return -ENODATA;
	}
	return 0;
}

static int file_open(struct region *r)
{
	int k = file_io_open(r);

	return k < 0 ? k : region_map(r);
}

const struct region_ops region_ops_file = {
	.scheme = "file",
	.open = file_open,
};

const struct region_ops region_ops_file_io = {
	.scheme = "file",
	.open = file_io_open,
	.read = region_pread,
	.write = region_pwrite,
};

static int open_or_create(const char *path, bool *ret_made)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);

	*ret_made = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int grow(struct pkram_ctx *ctx, const char *path, int fd, uint64_t size)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return log_error_errno(ctx, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode)) {
		pkram_log_error(ctx, "%s is not a regular file; only a file takes a size", path);
		return -EINVAL;
	}
	if (size < (uint64_t)st.st_size) {
		pkram_log_error(ctx,
				"%s has %llu bytes already and is not shrunk to %llu; remove it "
				"first, or give a larger size",
				path, (unsigned long long)st.st_size, (unsigned long long)size);
		return -EINVAL;
	}
	do
		r = fallocate(fd, 0, 0, (off_t)size) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == 0)
		return 0;
	/* Some file systems keep what they had allocated when they ran out. */
	if (ftruncate(fd, st.st_size) < 0)
		pkram_log_warning(ctx, "%s: cannot set its old size again: %m", path);
	return log_error_errno(ctx, r, "%s: cannot allocate %llu bytes: %m", path,
			       (unsigned long long)size);
}

int region_file_create(struct pkram_ctx *ctx, const char *path, uint64_t size)
{
	_cleanup_close_ int fd = -1;
	bool made;
	int r;

	if (!size || !IS_ALIGNED(size, 4096) || size > INT64_MAX) {
		pkram_log_error(ctx, "%s: a region's size is a multiple of 4096, not %llu", path,
				(unsigned long long)size);
		return -EINVAL;
	}
	fd = open_or_create(path, &made);
	if (fd < 0)
		return log_error_errno(ctx, fd, "%s: cannot make the file: %m%s", path,
				       error_hint(fd));
	r = grow(ctx, path, fd, size);
	if (r < 0 && made)
		unlink(path);
	return r;
}
