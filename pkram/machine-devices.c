/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that can hold a region, read from sysfs: what a device is follows from the directories
 * that its own directory lies in, so each is looked at by its real path.
 *
 *	.../ndbus0/region0/namespace0.0/block/pmem0	raw pmem
 *	.../ndbus0/region0/pfn0.0/block/pmem0		pmem with its map in front (fsdax)
 *	.../ndbus0/region0/dax0.0/dax0.0		devdax on pmem
 *	.../hmem.0/dax0.0				devdax on Soft Reserved memory
 *
 * The files that give addresses are for root alone; without them addresses are 0.
 */
#include "machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The real path of a sysfs directory, without the sysroot. */
static int real_dir(struct pkram_ctx *ctx, const char *path, char **ret)
{
	_cleanup_free_ char *full = machine_path(ctx, path), *real = NULL, *root = NULL;
	size_t n = 0;
	char *copy;

	if (!full)
		return -ENOMEM;
	real = realpath(full, NULL);
	if (!real)
		return -errno;
	if (*ctx->sysroot) {
		root = realpath(ctx->sysroot, NULL);
		if (!root)
			return -errno;
		n = strlen(root);
		if (strncmp(real, root, n) != 0 || real[n] != '/')
			return -EXDEV;
	}
	copy = strdup(real + n);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static char *parent_dir(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash && slash != dir ? strndup(dir, (size_t)(slash - dir)) : NULL;
}

static char *join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static int read_attr(struct pkram_ctx *ctx, const char *dir, const char *attr, char **ret)
{
	_cleanup_free_ char *path = join(dir, attr);

	return path ? machine_read(ctx, path, ret, NULL) : -ENOMEM;
}

static uint64_t attr_u64(struct pkram_ctx *ctx, const char *dir, const char *attr)
{
	_cleanup_free_ char *path = join(dir, attr);
	uint64_t v;

	/* An address that the kernel does not know reads as an error or as all ones. */
	if (!path || machine_read_u64(ctx, path, &v) < 0 || v == UINT64_MAX)
		return 0;
	return v;
}

/*
 * The closest node that is in use. The memory's own one (target_node) may not be: reserved as a
 * whole, or memory of a device.
 */
static int attr_node(struct pkram_ctx *ctx, const char *dir)
{
	_cleanup_free_ char *path = join(dir, "numa_node");
	uint64_t v;

	/* "-1" reads as all ones. */
	return path && machine_read_u64(ctx, path, &v) == 0 && v <= INT_MAX ? (int)v : -1;
}

/* DEVNAME of the directory's uevent, as a path in /dev. */
static int node_of_dir(struct pkram_ctx *ctx, const char *dir, char **ret)
{
	static const char key[] = "DEVNAME=";
	_cleanup_free_ char *text = NULL;
	char *line, *save = NULL, *path;
	int r;

	r = read_attr(ctx, dir, "uevent", &text);
	if (r < 0)
		return r;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		if (asprintf(&path, "/dev/%s", line + strlen(key)) < 0)
			return -ENOMEM;
		*ret = path;
		return 0;
	}
	return -ENODEV;
}

/*
 * The reserved memory that the device is a part of, where no directory tells: hmem shows no
 * address, ramdax keeps its labels at the end.
 */
static void find_reserved(struct pkram_ctx *ctx, struct machine_device *d, const char *name)
{
	_cleanup_(machine_ranges_done) struct machine_ranges iomem = { 0 };
	struct pkram_ctx *quiet;

	if (ctx_quiet(ctx, &quiet) < 0)
		return;
	(void)machine_iomem(quiet, &iomem);
	pkram_unref(quiet);
	for (size_t i = 0; i < iomem.n; i++) {
		const struct machine_range *r = &iomem.v[i];

		if (strcmp(r->name, name) != 0 || d->phys < r->start || d->phys > r->end)
			continue;
		d->res_phys = r->start;
		d->res_size = r->end - r->start + 1;
		return;
	}
}

/* A name that does not fit is none of libnvdimm's. */
static void set_name(char *ret, size_t size, const char *name)
{
	if (strlen(name) < size)
		strcpy(ret, name);
}

/* Fills in what the directories above `dir` tell: the bus, the memory around the device. */
static int describe_parents(struct pkram_ctx *ctx, const char *dir, struct machine_device *d)
{
	_cleanup_free_ char *at = parent_dir(dir);

	while (at) {
		const char *name = base_name(at);
		char *up;

		if (strncmp(name, "region", 6) == 0) {
			d->res_phys = attr_u64(ctx, at, "resource");
			d->res_size = attr_u64(ctx, at, "size");
			set_name(d->nd_region, sizeof(d->nd_region), name);
		} else if (strncmp(name, "ndbus", 5) == 0) {
			_cleanup_free_ char *provider = NULL;

			if (read_attr(ctx, at, "provider", &provider) < 0)
				return 0;
			d->ramdax = strcmp(provider, "ramdax") == 0;
			d->legacy = d->ramdax || strcmp(provider, "e820") == 0;
			return 0;
		} else if (strncmp(name, "hmem", 4) == 0) {
			d->soft_reserved = true;
			return 0;
		}
		up = parent_dir(at);
		free(at);
		at = up;
	}
	return d->kind == MACHINE_DEVICE_DEVDAX ? 0 : -ENODEV;
}

static int set_path(struct pkram_ctx *ctx, const char *dir, struct machine_device *d)
{
	_cleanup_free_ char *node = NULL;
	int r = node_of_dir(ctx, dir, &node);

	if (r < 0)
		return r;
	if (strlen(node) >= sizeof(d->path))
		return -ENAMETOOLONG;
	strcpy(d->path, node);
	return 0;
}

/* `dir` is .../namespace0.0/block/pmem0 or .../pfn0.0/block/pmem0. */
static int describe_pmem(struct pkram_ctx *ctx, const char *dir, struct machine_device *ret)
{
	struct machine_device d = { .kind = MACHINE_DEVICE_PMEM };
	_cleanup_free_ char *block = parent_dir(dir), *owner = NULL;
	const char *kind;
	int r;

	owner = block ? parent_dir(block) : NULL;
	if (!owner)
		return -ENODEV;
	kind = base_name(owner);
	/*
	 * Not a partition, nor a btt: that moves its blocks about, so that what it shows does not
	 * lie in memory as it looks.
	 */
	if (strncmp(kind, "namespace", 9) != 0 && strncmp(kind, "pfn", 3) != 0)
		return -ENODEV;
	r = set_path(ctx, dir, &d);
	if (r < 0)
		return r;
	r = describe_parents(ctx, owner, &d);
	if (r < 0)
		return r;
	d.phys = attr_u64(ctx, owner, "resource");
	d.size = attr_u64(ctx, dir, "size") * 512;
	d.node = attr_node(ctx, owner);
	if (d.ramdax)
		find_reserved(ctx, &d, "Persistent Memory (legacy)");
	d.fsdax = *kind == 'p';
	d.align = d.fsdax ? attr_u64(ctx, owner, "align") : 0;
	d.bound = true;
	set_name(d.nd_name, sizeof(d.nd_name), kind);
	*ret = d;
	return 0;
}

static void find_driver(struct pkram_ctx *ctx, const char *dir, struct machine_device *d)
{
	_cleanup_free_ char *link = join(dir, "driver"), *driver = NULL;

	d->bound = link && real_dir(ctx, link, &driver) == 0;
	d->system_ram = d->bound && strcmp(base_name(driver), "kmem") == 0;
}

static int describe_devdax(struct pkram_ctx *ctx, const char *dir, struct machine_device *ret)
{
	struct machine_device d = { .kind = MACHINE_DEVICE_DEVDAX };
	_cleanup_free_ char *link = join(dir, "subsystem"), *subsystem = NULL, *owner = NULL;
	int r;

	if (!link)
		return -ENOMEM;
	r = real_dir(ctx, link, &subsystem);
	if (r < 0 || strcmp(base_name(subsystem), "dax") != 0)
		return -ENODEV;
	r = set_path(ctx, dir, &d);
	if (r < 0)
		return r;
	r = describe_parents(ctx, dir, &d);
	if (r < 0)
		return r;
	d.phys = attr_u64(ctx, dir, "resource");
	d.size = attr_u64(ctx, dir, "size");
	d.align = attr_u64(ctx, dir, "align");
	d.node = attr_node(ctx, dir);
	find_driver(ctx, dir, &d);
	owner = *d.nd_region ? parent_dir(dir) : NULL;
	if (owner)
		set_name(d.nd_name, sizeof(d.nd_name), base_name(owner));
	if (d.soft_reserved) {
		d.res_phys = d.phys;
		d.res_size = d.size;
		find_reserved(ctx, &d, "Soft Reserved");
	} else if (d.ramdax) {
		find_reserved(ctx, &d, "Persistent Memory (legacy)");
	}
	*ret = d;
	return 0;
}

/* One directory of links to devices, such as /sys/class/block. */
struct listing {
	struct machine_device *devices;
	size_t n, cap;
};

static int add_devices(struct pkram_ctx *ctx, const char *dir, const char *prefix,
		       int (*describe)(struct pkram_ctx *, const char *, struct machine_device *),
		       struct listing *list)
{
	struct dirent *e;
	DIR *d;
	int r;

	r = machine_open_dir(ctx, dir, &d);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while (r == 0 && (e = readdir(d))) {
		_cleanup_free_ char *path = NULL, *real = NULL;

		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		path = join(dir, e->d_name);
		if (!path)
			r = -ENOMEM;
		else
			r = array_grow(&list->devices, &list->cap, list->n + 1,
				       sizeof(*list->devices));
		if (r < 0)
			break;
		/* A device may go while it is looked at, and not every match is memory. */
		if (real_dir(ctx, path, &real) == 0 &&
		    describe(ctx, real, &list->devices[list->n]) == 0)
			list->n++;
	}
	closedir(d);
	return r;
}

static int by_path(const void *a, const void *b)
{
	const struct machine_device *x = a, *y = b;

	return strverscmp(x->path, y->path);
}

int machine_devices(struct pkram_ctx *ctx, struct machine_device **ret, size_t *ret_n)
{
	struct listing list = { NULL };
	int r;

	r = add_devices(ctx, "/sys/class/block", "pmem", describe_pmem, &list);
	if (r == 0)
		r = add_devices(ctx, "/sys/bus/dax/devices", "dax", describe_devdax, &list);
	if (r < 0) {
		free(list.devices);
		return log_error_errno(ctx, r, "cannot list the devices in /sys: %m");
	}
	if (list.n)
		qsort(list.devices, list.n, sizeof(*list.devices), by_path);
	*ret = list.devices;
	*ret_n = list.n;
	return 0;
}

static int dir_of_rdev(struct pkram_ctx *ctx, dev_t rdev, bool block, char **ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u", block ? "block" : "char", major(rdev),
		 minor(rdev));
	return real_dir(ctx, path, ret);
}

int machine_device_of(struct pkram_ctx *ctx, dev_t rdev, bool block, struct machine_device *ret)
{
	_cleanup_free_ char *dir = NULL;
	int r = dir_of_rdev(ctx, rdev, block, &dir);

	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	return block ? describe_pmem(ctx, dir, ret) : describe_devdax(ctx, dir, ret);
}

int machine_device_node(struct pkram_ctx *ctx, dev_t rdev, bool block, char **ret_path)
{
	_cleanup_free_ char *dir = NULL;
	int r = dir_of_rdev(ctx, rdev, block, &dir);

	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	return node_of_dir(ctx, dir, ret_path);
}
