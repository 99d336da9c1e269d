/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose bytes are these, and who uses the device? Asked before the first write to it.
 */
#include "library.h"
#include "machine.h"

#include <blkid.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define EDGE MIB /* signatures lie this near to the start or the end */
#define LABELS (128 * KIB)

#define SYMBOLS(X)                                                                                 \
	X(blkid_new_probe)                                                                         \
	X(blkid_free_probe)                                                                        \
	X(blkid_probe_set_device)                                                                  \
	X(blkid_probe_enable_superblocks)                                                          \
	X(blkid_probe_set_superblocks_flags)                                                       \
	X(blkid_probe_enable_partitions)                                                           \
	X(blkid_do_fullprobe)                                                                      \
	X(blkid_probe_lookup_value)

LIBRARY(blkid_library, "libblkid.so.1", "blkid", "telling what data of others a device holds",
	"required", SYMBOLS)

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
static int probe_with(const struct blkid_library *l, int fd, char **ret_type)
{
	static const char *const names[] = { "TYPE", "PTTYPE" };
	blkid_probe pr = l->blkid_new_probe();
	int r = -ENOMEM;

	if (!pr)
		return r;
	r = -EIO;
	if (l->blkid_probe_set_device(pr, fd, 0, 0) < 0 ||
	    l->blkid_probe_enable_superblocks(pr, 1) < 0 ||
	    l->blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE) < 0 ||
	    l->blkid_probe_enable_partitions(pr, 1) < 0 || l->blkid_do_fullprobe(pr) < 0)
		goto out;
	r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		const char *value;

		if (l->blkid_probe_lookup_value(pr, names[i], &value, NULL) < 0)
			continue;
		*ret_type = strdup(value);
		r = *ret_type ? 1 : -ENOMEM;
	}
out:
	l->blkid_free_probe(pr);
	return r;
}

static int probe(struct pkram_ctx *ctx, int fd, char **ret_type)
{
	_cleanup_(blkid_library_close) struct blkid_library l = { NULL };
	int r = blkid_library_open(&l);

	if (r == 0)
		return probe_with(&l, fd, ret_type);
	pkram_log_error(ctx, "what data of others there is cannot be told: %s", dlerror());
	return r;
}

/*
 * The ramdax driver keeps the labels of its namespaces in the last 128 KiB of memory that another
 * driver shows as one device.
 */
static int probe_labels(int fd, uint64_t size, char **ret_type)
{
	static const char magic[16] = "NAMESPACE_INDEX";
	char found[sizeof(magic)];
	ssize_t n = size < LABELS ? 0 :
				    pread(fd, found, sizeof(found), (off_t)(size - LABELS));

	if (n < 0)
		return -errno;
	if (n != sizeof(found) || memcmp(found, magic, sizeof(magic)) != 0)
		return 0;
	*ret_type = strdup("NVDIMM namespace labels (ramdax)");
	return *ret_type ? 1 : -ENOMEM;
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
		return -errno;
	r = copy_edge(fd, 0, edge, read, arg);
	if (r == 0 && size > edge)
		r = copy_edge(fd, size - edge, edge, read, arg);
	if (r < 0)
		return r;
	r = probe(ctx, fd, &type);
	if (r == 0)
		r = probe_labels(fd, size, &type);
	if (r < 0)
		return r;
	*ret_type = type;
	return 0;
}

struct mounted {
	dev_t rdev;
	char *point;
};

static int find_mounted(void *arg, const struct machine_mount *m)
{
	struct mounted *d = arg;

	if (m->dev != d->rdev)
		return 0;
	d->point = strdup(m->point);
	return d->point ? 1 : -ENOMEM;
}

static int use_text(char **ret, const char *fmt, const char *what)
{
	char *text;

	if (asprintf(&text, fmt, what) < 0)
		return -ENOMEM;
	*ret = text;
	return 0;
}

/* The first device built on top of this one (dm, md); "" for none. */
static void holder_of(struct pkram_ctx *ctx, dev_t rdev, char *ret, size_t size)
{
	struct dirent *e;
	char path[64];
	DIR *d;

	*ret = '\0';
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(rdev), minor(rdev));
	if (machine_open_dir(ctx, path, &d) < 0)
		return;
	while (!*ret && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(ret, size, "%s", e->d_name);
	closedir(d);
}

static int block_use(struct pkram_ctx *ctx, const char *path, dev_t rdev, char **ret,
		     int *ret_claim)
{
	struct mounted mounted = { .rdev = rdev };
	_cleanup_free_ char *table = NULL, *point = NULL;
	char holder[256];
	int r, fd;

	if (machine_read(ctx, "/proc/self/mountinfo", &table, NULL) == 0) {
		r = machine_mounts(table, find_mounted, &mounted);
		point = mounted.point;
		if (r == 1)
			return use_text(ret, "is mounted at %s; unmount it first", point);
		if (r < 0)
			return log_error_errno(ctx, r, "/proc/self/mountinfo: %m");
	}
	holder_of(ctx, rdev, holder, sizeof(holder));
	if (*holder)
		return use_text(ret, "is part of %s; take that apart first", holder);
	/* The kernel knows the rest: mounts elsewhere, partitions, swap. */
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd >= 0) {
		*ret_claim = fd;
		return 0;
	}
	if (errno == EBUSY)
		return use_text(ret, "is in use (mounted, swap or a partition)%s", "");
	return log_error_errno(ctx, -errno, "%s: cannot open: %m", path);
}

static int devdax_use(struct pkram_ctx *ctx, const char *path, dev_t rdev, char **ret)
{
	struct machine_device dev;
	int r = machine_device_of(ctx, rdev, false, &dev);

	if (r < 0)
		return log_error_errno(ctx, r, "%s is not a devdax device; 'pkram regions' lists "
				       "what there is", path);
	if (!dev.system_ram)
		return 0;
	return use_text(ret, "is lent to the kernel as ordinary memory; take it back first%s", "");
}

static int device_use(struct pkram_ctx *ctx, const char *path, dev_t rdev, bool block,
		      char **ret_use, int *ret_claim)
{
	*ret_use = NULL;
	*ret_claim = -1;
	return block ? block_use(ctx, path, rdev, ret_use, ret_claim) :
		       devdax_use(ctx, path, rdev, ret_use);
}

int machine_device_use(struct pkram_ctx *ctx, const char *path, dev_t rdev, bool block,
		       char **ret_use)
{
	_cleanup_close_ int claim = -1;

	return device_use(ctx, path, rdev, block, ret_use, &claim);
}

int machine_device_unused(struct pkram_ctx *ctx, const char *path, dev_t rdev, bool block,
			  int *ret_claim)
{
	_cleanup_free_ char *use = NULL;
	int r = device_use(ctx, path, rdev, block, &use, ret_claim);

	if (r < 0 || !use)
		return r;
	pkram_log_error(ctx, "%s %s", path, use);
	return -EBUSY;
}
