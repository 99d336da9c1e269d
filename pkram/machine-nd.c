/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Namespaces of libnvdimm, seen and reconfigured through sysfs.
 *
 * libndctl could do it, too, but for these few writes it would bring udev along, into an initramfs
 * as well; it goes back from no step that fails; and no recorded machine could show it.
 *
 *	/sys/bus/nd/devices/region0		dax_seed: the device to be configured next
 *	/sys/bus/nd/devices/namespace0.0	holder, force_raw (info block or not)
 *	/sys/bus/nd/devices/dax0.0		mode, align, uuid, namespace
 *	/sys/bus/nd/drivers/nd_pmem, dax_pmem	bind
 *
 * What a namespace is when its driver binds follows from the info block in its memory, at 4 KiB. So
 * it outlives a kexec, as the memory does.
 */
#include "machine.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>

#define ND_DEVICES "/sys/bus/nd/devices"
#define INFO_OFF 4096
#define INFO_SIZE 4096

static int write_file(struct pkram_ctx *ctx, const char *path, const char *text)
{
	_cleanup_close_ int fd = machine_open(ctx, path, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, text, strlen(text));
	return n < 0 ? -errno : (size_t)n == strlen(text) ? 0 : -EIO;
}

static int set_attr(struct pkram_ctx *ctx, const char *dev, const char *attr, const char *text)
{
	char path[160];
	int r;

	snprintf(path, sizeof(path), ND_DEVICES "/%s/%s", dev, attr);
	r = write_file(ctx, path, text);
	/* Their newline is no part of the message. */
	if (r < 0)
		return log_error_errno(ctx, r, "%s: cannot set it to \"%.*s\": %m", path,
				       (int)strcspn(text, "\n"), text);
	return 0;
}

/* A word of sysfs; -ENOENT for what has none or is too long to be one of libnvdimm's names. */
static int get_name(struct pkram_ctx *ctx, const char *dev, const char *attr, char ret[static 32])
{
	_cleanup_free_ char *text = NULL;
	char path[160];
	int r;

	snprintf(path, sizeof(path), ND_DEVICES "/%s/%s", dev, attr);
	r = machine_read(ctx, path, &text, NULL);
	if (r < 0)
		return r;
	if (!*text || strlen(text) >= 32 || strchr(text, '/'))
		return -ENOENT;
	strcpy(ret, text);
	return 0;
}

static uint64_t get_u64(struct pkram_ctx *ctx, const char *dev, const char *attr)
{
	char path[160];
	uint64_t v;

	snprintf(path, sizeof(path), ND_DEVICES "/%s/%s", dev, attr);
	return machine_read_u64(ctx, path, &v) < 0 ? 0 : v;
}

static bool is_bound(struct pkram_ctx *ctx, const char *dev)
{
	char path[96];

	snprintf(path, sizeof(path), ND_DEVICES "/%s/driver", dev);
	return machine_exists(ctx, path);
}

static int bind(struct pkram_ctx *ctx, const char *driver, const char *dev)
{
	char path[96];
	int r;

	snprintf(path, sizeof(path), "/sys/bus/nd/drivers/%s/bind", driver);
	r = write_file(ctx, path, dev);
	machine_wait_for_devices(ctx);
	if (r == 0 && !is_bound(ctx, dev))
		r = -ENXIO;
	if (r < 0)
		log_error_errno(ctx, r, "%s: the driver %s does not take it: %m", dev, driver);
	return r;
}

static int unbind(struct pkram_ctx *ctx, const char *dev)
{
	char path[96];
	int r;

	if (!is_bound(ctx, dev))
		return 0;
	snprintf(path, sizeof(path), ND_DEVICES "/%s/driver/unbind", dev);
	r = write_file(ctx, path, dev);
	return r < 0 ? log_error_errno(ctx, r, "%s: its driver keeps it: %m", dev) : 0;
}

/* --- what is there --- */

struct search {
	const char *prefix;
	bool (*fits)(struct pkram_ctx *ctx, const char *name, void *arg);
	void *arg;
};

/* The first device with this prefix that fits. */
static int find_device(struct pkram_ctx *ctx, const struct search *s, char ret[static 32])
{
	struct dirent *e;
	DIR *d;
	int r;

	r = machine_open_dir(ctx, ND_DEVICES, &d);
	if (r < 0)
		return r;
	r = -ENOENT;
	while (r < 0 && (e = readdir(d))) {
		if (strncmp(e->d_name, s->prefix, strlen(s->prefix)) != 0 ||
		    strlen(e->d_name) >= 32 || !s->fits(ctx, e->d_name, s->arg))
			continue;
		strcpy(ret, e->d_name);
		r = 0;
	}
	closedir(d);
	return r;
}

static bool starts_at(struct pkram_ctx *ctx, const char *name, void *arg)
{
	return get_u64(ctx, name, "resource") == *(uint64_t *)arg;
}

/* namespace0.1 is of region0. One without memory is the seed of the next. */
static bool is_of_region(struct pkram_ctx *ctx, const char *name, void *arg)
{
	const char *number = (const char *)arg + strlen("region");
	size_t n = strlen(number);

	name += strlen("namespace");
	if (strncmp(name, number, n) != 0 || name[n] != '.')
		return false;
	return get_u64(ctx, name - strlen("namespace"), "size") != 0;
}

static int find_namespace(struct pkram_ctx *ctx, struct machine_nd *nd)
{
	const struct search search = { "namespace", is_of_region, nd->region };
	int r = find_device(ctx, &search, nd->ns);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = get_name(ctx, nd->ns, "holder", nd->holder);
	return r == -ENOENT ? 0 : r;
}

int machine_nd_at(struct pkram_ctx *ctx, uint64_t phys, struct machine_nd *ret)
{
	const struct search search = { "region", starts_at, &phys };
	struct machine_nd nd = { .ns = "" };
	int r;

	r = phys ? find_device(ctx, &search, nd.region) : -ENOENT;
	if (r == 0)
		r = find_namespace(ctx, &nd);
	if (r == 0)
		*ret = nd;
	return r;
}

int machine_nd_of(struct pkram_ctx *ctx, const struct machine_device *d, struct machine_nd *ret)
{
	struct machine_nd nd = { .ns = "" };
	int r;

	if (!*d->nd_name || !*d->nd_region)
		return -ENOENT;
	strcpy(nd.region, d->nd_region);
	if (d->kind == MACHINE_DEVICE_PMEM && !d->fsdax) {
		strcpy(nd.ns, d->nd_name);
	} else {
		strcpy(nd.holder, d->nd_name);
		r = get_name(ctx, nd.holder, "namespace", nd.ns);
		if (r < 0)
			return r;
	}
	*ret = nd;
	return 0;
}

/* --- the steps --- */

/* The block device of the bound, raw namespace: /dev/pmem0 of namespace0.0. */
static int raw_node(struct pkram_ctx *ctx, const char *ns, char ret[static 48])
{
	char path[96];
	struct dirent *e;
	DIR *d;
	int r;

	snprintf(path, sizeof(path), ND_DEVICES "/%s/block", ns);
	r = machine_open_dir(ctx, path, &d);
	if (r < 0)
		return r;
	r = -ENODEV;
	while (r < 0 && (e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(e->d_name) < 40) {
			snprintf(ret, 48, "/dev/%.40s", e->d_name);
			r = 0;
		}
	closedir(d);
	return r;
}

static int exchange(int fd, uint8_t *old, const uint8_t *new)
{
	if (old && pread(fd, old, INFO_SIZE, INFO_OFF) != INFO_SIZE)
		return errno ? -errno : -EIO;
	if (new && pwrite(fd, new, INFO_SIZE, INFO_OFF) != INFO_SIZE)
		return errno ? -errno : -EIO;
	/* The page cache is not the memory. */
	return new && fsync(fd) < 0 ? -errno : 0;
}

/*
 * Writes the info block of a namespace that nothing holds, and keeps the old one in `old` (may be
 * NULL). The namespace is left without a driver.
 */
static int write_info(struct pkram_ctx *ctx, const char *ns, const uint8_t *new, uint8_t *old)
{
	_cleanup_close_ int fd = -1;
	char node[48];
	int r, k;

	r = set_attr(ctx, ns, "force_raw", "1\n");
	if (r < 0)
		return r;
	r = bind(ctx, "nd_pmem", ns);
	if (r == 0) {
		r = raw_node(ctx, ns, node);
		fd = r < 0 ? r : machine_open(ctx, node, O_RDWR | O_EXCL);
		errno = 0;
		r = fd < 0 ? fd : exchange(fd, old, new);
		if (r < 0)
			log_error_errno(ctx, r, "%s: cannot write its info block: %m", ns);
	}
	k = unbind(ctx, ns);
	r = r < 0 ? r : k;
	k = set_attr(ctx, ns, "force_raw", "0\n");
	return r < 0 ? r : k;
}

static int new_uuid(char text[static 40])
{
	uint8_t u[16];

	if (getrandom(u, sizeof(u), 0) != sizeof(u))
		return -errno;
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
	for (size_t i = 0, at = 0; i < sizeof(u); i++)
		at += (size_t)sprintf(text + at, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	strcat(text, "\n");
	return 0;
}

static int configure(struct pkram_ctx *ctx, const char *dax, const char *ns)
{
	char uuid[40];
	int r = new_uuid(uuid);

	if (r < 0)
		return log_error_errno(ctx, r, "no random numbers: %m");
	r = set_attr(ctx, dax, "mode", "ram\n");
	if (r == 0)
		r = set_attr(ctx, dax, "align", "2097152\n");
	if (r == 0)
		r = set_attr(ctx, dax, "uuid", uuid);
	if (r == 0)
		r = set_attr(ctx, dax, "namespace", ns);
	return r;
}

static int lost(struct pkram_ctx *ctx, const char *ns)
{
	pkram_log_error(ctx, "%s: the old state cannot be put back; its memory is as it was, apart "
			"from the 4 KiB at 4 KiB: ndctl enable-namespace %s makes a device of it",
			ns, ns);
	return -ENOTRECOVERABLE;
}

/* From wherever the way to devdax ended. */
static int back_to_raw(struct pkram_ctx *ctx, const char *ns, const char *dax, const uint8_t *info)
{
	int r;

	r = unbind(ctx, dax);
	/* Clears all that was set. */
	if (r == 0)
		r = set_attr(ctx, dax, "namespace", "\n");
	if (r == 0)
		r = write_info(ctx, ns, info, NULL);
	if (r == 0)
		r = bind(ctx, "nd_pmem", ns);
	return r < 0 ? lost(ctx, ns) : 0;
}

int machine_nd_to_devdax(struct pkram_ctx *ctx, const struct machine_nd *nd, const char *node)
{
	_cleanup_close_ int fd = -1;
	uint8_t info[INFO_SIZE] = { 0 };
	char dax[32];
	int r, k;

	machine_load_devdax(ctx);
	r = get_name(ctx, nd->region, "dax_seed", dax);
	if (r < 0)
		return log_error_errno(ctx, r, "%s: this kernel makes no devdax of it: %m",
				       nd->region);
	if (node) {
		/* Held until the device is gone, so that nobody mounts it meanwhile. */
		fd = machine_open(ctx, node, O_RDONLY | O_EXCL);
		errno = 0;
		r = fd < 0 ? fd : exchange(fd, info, NULL);
		if (r < 0)
			return log_error_errno(ctx, r, "%s: %m", node);
	}
	r = unbind(ctx, nd->ns);
	if (r < 0)
		return r;
	close_p(&fd);
	fd = -1;
	r = configure(ctx, dax, nd->ns);
	if (r == 0)
		r = bind(ctx, "dax_pmem", dax);
	if (r == 0)
		return 0;
	k = back_to_raw(ctx, nd->ns, dax, info);
	return k < 0 ? k : r;
}

/* The driver looks at the info block and, having found it, leaves the namespace to its holder. */
static int find_again(struct pkram_ctx *ctx, const char *ns)
{
	char holder[32];

	(void)write_file(ctx, "/sys/bus/nd/drivers/nd_pmem/bind", ns);
	machine_wait_for_devices(ctx);
	return get_name(ctx, ns, "holder", holder) < 0 || !is_bound(ctx, holder) ? -ENXIO : 0;
}

int machine_nd_to_raw(struct pkram_ctx *ctx, const struct machine_nd *nd)
{
	static const uint8_t zero[INFO_SIZE];
	uint8_t info[INFO_SIZE] = { 0 };
	bool written = false;
	int r, k;

	r = unbind(ctx, nd->holder);
	if (r < 0)
		return r;
	r = set_attr(ctx, nd->holder, "namespace", "\n");
	if (r < 0) {
		k = bind(ctx, "dax_pmem", nd->holder);
		return k < 0 ? lost(ctx, nd->ns) : r;
	}
	r = write_info(ctx, nd->ns, zero, info);
	written = memcmp(info, zero, sizeof(info)) != 0;
	if (r == 0)
		r = bind(ctx, "nd_pmem", nd->ns);
	if (r == 0)
		return 0;
	k = unbind(ctx, nd->ns);
	if (k == 0 && written)
		k = write_info(ctx, nd->ns, info, NULL);
	if (k == 0)
		k = find_again(ctx, nd->ns);
	return k < 0 ? lost(ctx, nd->ns) : r;
}
