/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-room.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "machine.h"

#define INODE_MEMORY 1024u /* of an inode with its name in kernel memory */

uint64_t tree_room_hugetlb(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	return (uint64_t)fs.f_bsize;
}

/* Where it is the holes, other pages help more than a larger target. */
static int too_small_for_holes(struct pkram_ctx *ctx, const struct tree_room *need, uint64_t has,
			       const char *what)
{
	uint64_t less = need->bytes - need->holes;

	pkram_log_error(ctx,
			"%s: the tree needs %" PRIu64 ".%" PRIu64 " MiB where huge pages fill its "
			"holes, %s has %" PRIu64 ".%" PRIu64 " MiB; with huge=never (of --mount, "
			"or remounted) it needs %" PRIu64 ".%" PRIu64 " MiB",
			need->target, need->bytes / MIB, need->bytes % MIB * 10 / MIB, what,
			has / MIB, has % MIB * 10 / MIB, less / MIB, less % MIB * 10 / MIB);
	return -ENOSPC;
}

static int too_small(struct pkram_ctx *ctx, const struct tree_room *need, uint64_t bytes,
		     uint64_t has, const char *what, const char *hint)
{
	if (need->holes)
		return too_small_for_holes(ctx, need, has, what);
	pkram_log_error(ctx,
			"%s: the tree needs %" PRIu64 ".%" PRIu64 " MiB, %s has %" PRIu64
			".%" PRIu64 " MiB; %s",
			need->target, bytes / MIB, bytes % MIB * 10 / MIB, what, has / MIB,
			has % MIB * 10 / MIB, hint);
	return -ENOSPC;
}

static int check_memory(struct pkram_ctx *ctx, const struct tree_room *need)
{
	uint64_t available, left, bytes;
	int r;

	if (mul_overflows(need->inodes, (uint64_t)INODE_MEMORY, &bytes) ||
	    add_overflows(bytes, need->bytes, &bytes))
		return -EOVERFLOW;
	r = machine_memory(ctx, &available, &left);
	if (r < 0)
		return r;
	if (bytes > available)
		return too_small(ctx, need, bytes, available, "this machine's memory",
				 "free some (MemAvailable in /proc/meminfo)");
	if (bytes > left)
		return too_small(ctx, need, bytes, left, "this process's cgroup",
				 "raise its memory.max");
	return 0;
}

static int check_pool(struct pkram_ctx *ctx, uint64_t page_size, const struct tree_room *need)
{
	uint64_t left;
	int r = machine_hugepages_free(ctx, page_size, &left);

	if (r < 0)
		return r;
	if (need->bytes > left)
		return too_small(ctx, need, need->bytes, left, "the pool of huge pages",
				 "raise nr_hugepages");
	return 0;
}

static const char *remedy(const struct tree_room *need, const struct statfs *fs, const char *fresh,
			  const char *mounted)
{
	if (fs->f_type != TMPFS_MAGIC)
		return "make room or use --to";
	return need->fresh ? fresh : mounted;
}

static int check_inodes(struct pkram_ctx *ctx, const struct statfs *fs,
			const struct tree_room *need)
{
	/* No limit is 0, or all ones on hugetlbfs. */
	if (!fs->f_files || (uint64_t)fs->f_files == UINT64_MAX || need->inodes <= fs->f_ffree)
		return 0;
	pkram_log_error(ctx,
			"%s: the tree needs %" PRIu64 " inodes, its filesystem has %" PRIu64 "; %s",
			need->target, need->inodes, (uint64_t)fs->f_ffree,
			remedy(need, fs, "--mount=nr_inodes=... allows more",
			       "mount -o remount,nr_inodes=... allows more"));
	return -ENOSPC;
}

int tree_room_check(struct pkram_ctx *ctx, int fd, const struct tree_room *need)
{
	struct statfs fs;
	uint64_t left;
	bool tmpfs;
	int r;

	if (fstatfs(fd, &fs) < 0)
		return log_error_errno(ctx, -errno,
				       "%s: cannot tell the room of its filesystem: %m",
				       need->target);
	tmpfs = fs.f_type == TMPFS_MAGIC;
	left = (uint64_t)(geteuid() == 0 || tmpfs ? fs.f_bfree : fs.f_bavail);
	if (mul_overflows(left, (uint64_t)fs.f_bsize, &left))
		left = UINT64_MAX;
	if (fs.f_blocks && need->bytes > left)
		return too_small(ctx, need, need->bytes, left, "its filesystem",
				 remedy(need, &fs, "--mount=size=... makes it larger",
					"mount -o remount,size=... enlarges it"));
	r = check_inodes(ctx, &fs, need);
	if (r < 0)
		return r;
	if (fs.f_type == HUGETLBFS_MAGIC)
		return check_pool(ctx, (uint64_t)fs.f_bsize, need);
	return tmpfs || fs.f_type == RAMFS_MAGIC ? check_memory(ctx, need) : 0;
}
