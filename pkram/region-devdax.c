/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devdax: reserved memory mapped straight into this process, the fastest way to it. The device has
 * neither read() nor a size of its own: sysfs tells.
 */
#include "region.h"
#include "machine.h"

#include <sys/stat.h>

static int devdax_open(struct region *r)
{
	struct machine_device dev;
	struct stat st;
	int k;

	if (stat(r->path, &st) < 0)
		return log_error_errno(r->ctx, -errno, "%s: %m", r->path);
	k = machine_device_of(r->ctx, st.st_rdev, false, &dev);
	if (k < 0)
		return log_error_errno(r->ctx, k, "%s is not a devdax device; 'pkram "
				       "regions' lists what there is", r->path);
	if (dev.system_ram) {
		pkram_log_error(r->ctx, "%s is lent to the kernel as ordinary memory; take it back "
				"with daxctl reconfigure-device -m devdax --force", r->path);
		return -EBUSY;
	}
	k = region_open_fd(r, S_IFCHR, 0, &st);
	if (k < 0)
		return k;
	r->size = ALIGN_DOWN(dev.size, 4096);
	if (!r->size) {
		pkram_log_error(r->ctx, "%s has no memory", r->path);
		return -ENODATA;
	}
	r->phys = dev.phys;
	r->node = dev.node;
	return region_map(r);
}

const struct region_ops region_ops_devdax = {
	.scheme = "devdax",
	.open = devdax_open,
};
