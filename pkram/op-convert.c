/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw pmem becomes devdax, and the other way round, with the container in it. That lies at 2 MiB of
 * the one, where the other begins, so that nothing is copied: the kernel is told to show the memory
 * differently.
 */
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "op-memory.h"

#define PAGE (2 * MIB)		/* of the devdax */
#define BUSY_TRIES 10		/* udev looks at each new device, for a moment */

struct convert {
	struct pkram_ctx *ctx;
	enum pkram_memory_mode to;
	struct machine_device dev;
	struct machine_nd nd;
	struct stat st;
	struct op_look look;
};

static const char *mode_name(enum pkram_memory_mode mode)
{
	return mode == PKRAM_MODE_DEVDAX ? "devdax" : "raw";
}

/* --- what speaks against it --- */

static int refuse(const struct convert *c, int error, const char *why)
{
	return log_error_errno(c->ctx, error, "%s %s", c->dev.path, why);
}

static int find_device(struct convert *c, const char *spec)
{
	const char *path;
	bool block;
	int k;

	region_parse_spec(spec, &path);
	if (stat(path, &c->st) < 0)
		return log_error_errno(c->ctx, -errno, "%s: %m%s", path, errno == ENOENT ?
				       "; 'pkram regions' lists what there is" : "");
	block = S_ISBLK(c->st.st_mode);
	if (!block && !S_ISCHR(c->st.st_mode))
		return log_error_errno(c->ctx, -EOPNOTSUPP,
				       "%s is no pmem and no devdax device: nothing to convert",
				       path);
	k = machine_device_of(c->ctx, c->st.st_rdev, block, &c->dev);
	if (k < 0 && k != -ENODEV)
		return log_error_errno(c->ctx, k, "%s: /sys does not tell what it is: %m", path);
	if (k < 0)
		return log_error_errno(c->ctx, -EOPNOTSUPP,
				       "%s is no pmem and no devdax device: nothing to convert",
				       path);
	/* The node that all openers use. */
	if (stat(c->dev.path, &c->st) < 0)
		return log_error_errno(c->ctx, -errno, "%s: %m", c->dev.path);
	return 0;
}

static int check_kind(struct convert *c)
{
	int k;

	if (c->dev.soft_reserved)
		return refuse(c, -EOPNOTSUPP, "is of Soft Reserved memory, which is devdax only");
	if (!c->dev.legacy || c->dev.ramdax)
		return refuse(c, -EOPNOTSUPP, "is of a kind that has labels: "
			      "ndctl create-namespace reconfigures it");
	if (c->dev.fsdax)
		return refuse(c, -EOPNOTSUPP, "is fsdax: its map lies in front of the data, which "
			      "would be elsewhere then");
	if (c->dev.system_ram)
		return refuse(c, -EBUSY, "is lent to the kernel as ordinary memory; take it back "
			      "first");
	if (op_device_mode(&c->dev) == c->to)
		return -EALREADY;
	if (!c->dev.res_phys || !c->dev.phys)
		return refuse(c, -EPERM, "has an address that only root may see");
	k = machine_nd_of(c->ctx, &c->dev, &c->nd);
	return k < 0 ? log_error_errno(c->ctx, k, "%s: /sys does not tell what it is made of: %m",
				       c->dev.path) : 0;
}

/* Where the container would lie, and whether all of it. */
static int check_place(struct convert *c, struct pkram_conversion *ret)
{
	uint64_t size = c->dev.res_size;

	if (!IS_ALIGNED(c->dev.res_phys, PAGE) || size < 2 * PAGE)
		return refuse(c, -EOPNOTSUPP, "does not start at a multiple of 2 MiB: the devdax "
			      "would begin elsewhere than a container on it");
	if (c->to == PKRAM_MODE_RAW && c->dev.phys != c->dev.res_phys + PKRAM_PMEM_BASE)
		return refuse(c, -EOPNOTSUPP, "has its map in the memory itself (-M dev): what "
			      "lies in it would not be where raw pmem has it");
	ret->new_usable = c->to == PKRAM_MODE_RAW ?
				  ALIGN_DOWN(size - PKRAM_PMEM_BASE, (uint64_t)PKRAM_BLOCK) :
				  ALIGN_DOWN(size, PAGE) - PAGE;
	return 0;
}

static int check_content(struct convert *c, struct pkram_conversion *ret)
{
	const char *path = c->dev.path, *detail = c->look.detail ? c->look.detail : "";

	switch (c->look.state) {
	case PKRAM_MEMORY_EMPTY:
		return 0;
	case PKRAM_MEMORY_CONTAINER:
		break;
	case PKRAM_MEMORY_FOREIGN:
		return log_error_errno(c->ctx, -EEXIST,
				       "%s holds %s: only a container survives a conversion; "
				       "wipefs -a %s, if that may go", path, detail, path);
	case PKRAM_MEMORY_UNREADABLE:
		return log_error_errno(c->ctx, -EEXIST,
				       "%s holds a container that cannot be opened (%s): it is "
				       "left as it is", path, detail);
	case PKRAM_MEMORY_BUSY:
		return log_error_errno(c->ctx, -EBUSY, "%s %s", path, detail);
	default:
		return log_error_errno(c->ctx, -EIO, "%s cannot be looked into: %s", path, detail);
	}
	if (c->look.info.size > ret->new_usable)
		return log_error_errno(c->ctx, -EOPNOTSUPP,
				       "%s: its container has %ju bytes, the new device only %ju",
				       path, (uintmax_t)c->look.info.size,
				       (uintmax_t)ret->new_usable);
	ret->container = true;
	op_uuid_text(c->look.info.uuid, ret->uuid);
	ret->generation = c->look.info.generation;
	ret->nodes = c->look.info.nodes;
	return 0;
}

static void no_user(void *arg, pid_t pid, const char *comm)
{
	(void)arg;
	(void)pid;
	(void)comm;
}

static void name_user(void *arg, pid_t pid, const char *comm)
{
	const struct convert *c = arg;

	pkram_log_error(c->ctx, "%s is in use by pid %d (%s): end it first", c->dev.path, (int)pid,
			comm);
}

static int check_users(struct convert *c)
{
	const struct timespec moment = { .tv_nsec = 100000000 };
	int users = 1;

	for (int i = 0; users > 0 && i < BUSY_TRIES; i++) {
		if (i)
			nanosleep(&moment, NULL);
		users = machine_file_users(c->ctx, &c->st, no_user, NULL);
	}
	if (users > 0)
		users = machine_file_users(c->ctx, &c->st, name_user, c);
	return users > 0 ? -EBUSY : users;
}

static void spec_of(const struct machine_device *d, char ret[static 80])
{
	snprintf(ret, 80, "%s:%s", d->kind == MACHINE_DEVICE_PMEM ? "pmem" : "devdax", d->path);
}

static int check(struct convert *c, struct pkram_conversion *ret)
{
	char spec[80];
	int k;

	k = check_kind(c);
	if (k == 0)
		k = check_place(c, ret);
	if (k < 0)
		return k;
	spec_of(&c->dev, spec);
	k = op_look(c->ctx, spec, &c->look);
	if (k == 0)
		k = check_content(c, ret);
	if (k == 0)
		k = check_users(c);
	if (k < 0)
		return k;
	ret->from = op_device_mode(&c->dev);
	ret->to = c->to;
	ret->phys = c->dev.res_phys;
	ret->size = c->dev.res_size;
	ret->usable = c->look.usable;
	strcpy(ret->device, c->dev.path);
	return 0;
}

/* --- doing it --- */

static int run(struct convert *c, enum pkram_memory_mode to, const struct machine_nd *nd,
	       const char *node)
{
	return to == PKRAM_MODE_DEVDAX ? machine_nd_to_devdax(c->ctx, nd, node) :
					 machine_nd_to_raw(c->ctx, nd);
}

/* The device of the same memory that is there now. */
static int find_new(struct convert *c, struct machine_device *ret)
{
	_cleanup_free_ struct machine_device *devices = NULL;
	size_t n;
	int k;

	k = machine_devices(c->ctx, &devices, &n);
	if (k < 0)
		return k;
	for (size_t i = 0; i < n; i++) {
		if (!devices[i].legacy || devices[i].res_phys != c->dev.res_phys)
			continue;
		*ret = devices[i];
		return 0;
	}
	return log_error_errno(c->ctx, -ENODEV, "%s: no device of this memory came",
			       c->nd.region);
}

static int verify(struct convert *c, const struct machine_device *d, struct pkram_conversion *ret)
{
	struct op_look look;
	char spec[80];
	bool same;
	int k;

	if (op_device_mode(d) != c->to || !d->bound)
		return log_error_errno(c->ctx, -ENODEV, "%s came, and is not a %s device that can "
				       "be opened", d->path, mode_name(c->to));
	spec_of(d, spec);
	k = op_look(c->ctx, spec, &look);
	if (k < 0)
		return k;
	same = look.state == c->look.state;
	if (same && ret->container)
		same = memcmp(look.info.uuid, c->look.info.uuid, sizeof(look.info.uuid)) == 0 &&
		       look.info.generation == c->look.info.generation;
	if (!same)
		k = log_error_errno(c->ctx, -EIO,
				    "%s: what was there is not found again%s%s", spec,
				    look.detail ? ": " : "", look.detail ? look.detail : "");
	ret->new_usable = look.usable;
	op_look_done(&look);
	return k;
}

/* What came is not what should have come. */
static int go_back(struct convert *c)
{
	struct machine_nd nd;
	int k = machine_nd_at(c->ctx, c->dev.res_phys, &nd);

	if (k == 0)
		k = run(c, op_device_mode(&c->dev), &nd, NULL);
	if (k == 0 || k == -ENOTRECOVERABLE)
		return k;
	return log_error_errno(c->ctx, -ENOTRECOVERABLE,
			       "%s: the conversion cannot be taken back: %s", c->nd.region,
			       strerror(-k));
}

static int convert(struct convert *c, struct pkram_conversion *ret)
{
	struct machine_device d;
	int k, back;

	k = run(c, c->to, &c->nd, c->dev.path);
	if (k < 0)
		return k;
	k = find_new(c, &d);
	if (k == 0)
		k = verify(c, &d, ret);
	if (k < 0) {
		back = go_back(c);
		return back < 0 ? back : k;
	}
	strcpy(ret->new_device, d.path);
	return 0;
}

/* A signal must not end the process between two steps. */
static int convert_undisturbed(struct convert *c, struct pkram_conversion *ret)
{
	sigset_t all, old;
	int k;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	k = convert(c, ret);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (k < 0 && k != -ENOTRECOVERABLE)
		pkram_log_error(c->ctx, "%s: not converted; it is %s again", c->dev.path,
				mode_name(op_device_mode(&c->dev)));
	return k;
}

int pkram_region_convert(struct pkram_ctx *ctx, const char *device, enum pkram_memory_mode to,
			 uint64_t flags, struct pkram_conversion *ret_conversion)
{
	struct convert c = { .ctx = ctx, .to = to };
	struct pkram_conversion conversion = { .to = to };
	_cleanup_free_ char *spec = NULL;
	const char *from = "";
	int k;

	k = op_check_flags(ctx, "converting", flags, PKRAM_CONVERT_PLAN_ONLY);
	if (k == 0 && to != PKRAM_MODE_RAW && to != PKRAM_MODE_DEVDAX)
		k = log_error_errno(ctx, -EINVAL, "converting: only to raw or to devdax");
	if (k == 0)
		k = op_check_kernel(ctx);
	if (k == 0)
		k = op_resolve_spec(ctx, device, false, &spec, &from);
	if (k == 0)
		k = find_device(&c, spec);
	if (k == 0)
		k = check(&c, &conversion);
	if (k == 0 && !(flags & PKRAM_CONVERT_PLAN_ONLY))
		k = convert_undisturbed(&c, &conversion);
	op_look_done(&c.look);
	if (k == 0)
		*ret_conversion = conversion;
	return k;
}
