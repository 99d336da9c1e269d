/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pmem: a region on a block device, read and written with O_DIRECT. Its mapping would be the page
 * cache, whose dirty pages a jump loses; direct I/O reaches the memory itself.
 */
#include "region.h"
#include "machine.h"
#include "pkram-format.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int check_block_size(struct region *r)
{
	int block;

	if (ioctl(r->fd, BLKSSZGET, &block) < 0)
		return log_error_errno(r->ctx, -errno, "%s: cannot ask for its block size: %m",
				       r->path);
	if (block <= (int)PKRAM_BLOCK)
		return 0;
	pkram_log_error(r->ctx, "%s has blocks of %d bytes; at most %u can be used", r->path, block,
			PKRAM_BLOCK);
	return -EINVAL;
}

static int pmem_open(struct region *r)
{
	struct machine_device dev;
	struct stat st;
	uint64_t bytes;
	int k;

	k = region_open_fd(r, S_IFBLK, O_DIRECT, &st);
	if (k < 0)
		return k;
	k = check_block_size(r);
	if (k < 0)
		return k;
	if (ioctl(r->fd, BLKGETSIZE64, &bytes) < 0)
		return log_error_errno(r->ctx, -errno, "%s: cannot ask for its size: %m", r->path);
	if (bytes < PKRAM_PMEM_BASE + PKRAM_BLOCK) {
		pkram_log_error(r->ctx, "%s is too small to hold a container: %llu bytes", r->path,
				(unsigned long long)bytes);
		return -ENODATA;
	}
	r->base = PKRAM_PMEM_BASE;
	r->size = ALIGN_DOWN(bytes - PKRAM_PMEM_BASE, PKRAM_BLOCK);
	if (machine_device_of(r->ctx, st.st_rdev, true, &dev) < 0)
		return 0;
	if (dev.phys)
		r->phys = dev.phys + r->base;
	r->node = dev.node;
	return 0;
}

/* One message per failure: the place on the device, as a memory error's report would give it. */
static int io_failed(struct region *r, const char *what, uint64_t pos, int error)
{
	return log_error_errno(r->ctx, error, "%s: cannot %s at byte %llu: %m", r->path, what,
			       (unsigned long long)pos);
}

static int pmem_read(struct region *r, uint64_t off, size_t len, void *buf)
{
	uint8_t *p = buf;
	uint64_t pos = r->base + off;

	while (len) {
		ssize_t n = pread(r->fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_failed(r, "read", pos, n < 0 ? -errno : -EIO);
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int pmem_write(struct region *r, uint64_t off, size_t len, const void *buf)
{
	const uint8_t *p = buf;
	uint64_t pos = r->base + off;

	while (len) {
		ssize_t n = pwrite(r->fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return io_failed(r, "write", pos, n < 0 ? -errno : -EIO);
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

const struct region_ops region_ops_pmem = {
	.scheme = "pmem",
	.open = pmem_open,
	.read = pmem_read,
	.write = pmem_write,
};
