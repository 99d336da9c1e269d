/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose bytes are these, and who uses the device? Asked before the first write to it.
 */
#include "machine.h"

#include <blkid.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define EDGE MIB /* signatures lie this near to the start or the end */

static int copy_edge(int fd, uint64_t off, size_t len,
		     int (*read_fn)(void *arg, uint64_t off, size_t len, void *buf), void *arg)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(len);
	int r;

	if (!buf)
		return -ENOMEM;
	r = read_fn(arg, off, len, buf);
	if (r < 0)
		return r;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, buf + done, len - done, (off_t)(off + done));

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

/* 1: found, 0: nothing. */
static int probe(int fd, char **ret_type)
{
	static const char *const names[] = { "TYPE", "PTTYPE" };
	blkid_probe pr = blkid_new_probe();
	int r = -ENOMEM;

	if (!pr)
		return r;
	r = -EIO;
	if (blkid_probe_set_device(pr, fd, 0, 0) < 0 ||
	    blkid_probe_enable_superblocks(pr, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE) < 0 ||
	    blkid_probe_enable_partitions(pr, 1) < 0 || blkid_do_fullprobe(pr) < 0)
		goto out;
	r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		const char *value;

		if (blkid_probe_lookup_value(pr, names[i], &value, NULL) < 0)
			continue;
		*ret_type = strdup(value);
		r = *ret_type ? 1 : -ENOMEM;
	}
out:
	blkid_free_probe(pr);
	return r;
}

int machine_signature(struct pkram_ctx *ctx, uint64_t size,
		      int (*read)(void *arg, uint64_t off, size_t len, void *buf), void *arg,
		      char **ret_type)
{
	_cleanup_close_ int fd = memfd_create("pkram-signature", MFD_CLOEXEC);
	size_t edge = (size_t)MIN(size, (uint64_t)EDGE);
	char *type = NULL;
	int r;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return log_error_errno(ctx, -errno, "cannot make a copy to look at: %m");
	r = copy_edge(fd, 0, edge, read, arg);
	if (r == 0 && size > edge)
		r = copy_edge(fd, size - edge, edge, read, arg);
	if (r < 0)
		return r;
	r = probe(fd, &type);
	if (r < 0)
		return log_error_errno(ctx, r, "libblkid cannot look for signatures: %m");
	*ret_type = type;
	return 0;
}

struct mounted {
	struct pkram_ctx *ctx;
	const char *path;
	dev_t rdev;
};

static int refuse_mounted(void *arg, const struct machine_mount *m)
{
	const struct mounted *d = arg;

	if (m->dev != d->rdev)
		return 0;
	pkram_log_error(d->ctx, "%s is mounted at %s; unmount it first", d->path, m->point);
	return -EBUSY;
}

/* The first device built on top of this one (dm, md); "" for none. */
static void holder_of(struct pkram_ctx *ctx, dev_t rdev, char *ret, size_t size)
{
	struct dirent *e;
	char path[64];
	DIR *d;
	int fd;

	*ret = '\0';
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(rdev), minor(rdev));
	fd = machine_open(ctx, path, O_RDONLY | O_DIRECTORY);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		close_p(&fd);
		return;
	}
	while (!*ret && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(ret, size, "%s", e->d_name);
	closedir(d);
}

static int block_unused(struct pkram_ctx *ctx, const char *path, dev_t rdev)
{
	struct mounted mounted = { .ctx = ctx, .path = path, .rdev = rdev };
	_cleanup_free_ char *table = NULL;
	_cleanup_close_ int fd = -1;
	char holder[256];
	int r;

	if (machine_read(ctx, "/proc/self/mountinfo", &table, NULL) == 0) {
		r = machine_mounts(table, refuse_mounted, &mounted);
		if (r == -EBUSY)
			return r;
		if (r < 0)
			return log_error_errno(ctx, r, "/proc/self/mountinfo: %m");
	}
	holder_of(ctx, rdev, holder, sizeof(holder));
	if (*holder) {
		pkram_log_error(ctx, "%s is part of %s; take that apart first", path, holder);
		return -EBUSY;
	}
	/* The kernel knows the rest: mounts elsewhere, partitions, swap. */
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	if (errno == EBUSY)
		return log_error_errno(ctx, -EBUSY, "%s is in use (mounted, swap or a partition)",
				       path);
	return log_error_errno(ctx, -errno, "%s: cannot open: %m", path);
}

int machine_device_unused(struct pkram_ctx *ctx, const char *path, dev_t rdev, bool block)
{
	struct machine_device dev;
	int r;

	if (block)
		return block_unused(ctx, path, rdev);
	r = machine_device_of(ctx, rdev, false, &dev);
	if (r < 0)
		return log_error_errno(ctx, r, "%s is not a devdax device", path);
	if (!dev.system_ram)
		return 0;
	pkram_log_error(ctx, "%s is lent to the kernel as ordinary memory; take it back first",
			path);
	return -EBUSY;
}
