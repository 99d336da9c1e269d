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

const struct region_ops region_ops_pmem = {
	.scheme = "pmem",
	.open = pmem_open,
	.read = region_pread,
	.write = region_pwrite,
};
