/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CPUs of a memory node.
 *
 * A device's node is the one that its memory begins on. A region may span two where the firmware
 * describes both by one range, but where the border lies in it is told by no file of /sys: reserved
 * memory is in no zone and no memory block. It would have to be read from the firmware's own table,
 * for a case that two regions, one on each node, serve better.
 */
#include "machine.h"
#include "work-place.h"

#define NODES "/sys/devices/system/node"

/* A list as the kernel writes it, "0-3,8", of CPUs or of nodes (there are fewer of these). */
static int read_list(struct pkram_ctx *ctx, const char *path, struct work_cpus *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = machine_read(ctx, path, &text, NULL);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	for (const char *p = text; *p;) {
		unsigned int first, last, n;
		int len = 0;

		n = (unsigned int)sscanf(p, "%u%n-%u%n", &first, &len, &last, &len);
		if (n == 1)
			last = first;
		p += len;
		if (n < 1 || first > last || last >= 8 * sizeof(*ret) || (*p && *p++ != ','))
			return -EINVAL;
		for (; first <= last; first++)
			CPU_SET_S(first, sizeof(*ret), ret->bits);
	}
	return 0;
}

int machine_node_cpus(struct pkram_ctx *ctx, int node, struct work_cpus *ret)
{
	struct work_cpus nodes, cpus;
	char path[64];
	int r;

	if (node < 0)
		return -ENODATA;
	r = read_list(ctx, NODES "/has_cpu", &nodes);
	if (r < 0)
		return r;
	if (!CPU_ISSET_S((unsigned int)node, sizeof(nodes), nodes.bits) ||
	    CPU_COUNT_S(sizeof(nodes), nodes.bits) < 2)
		return -ENODATA;
	snprintf(path, sizeof(path), NODES "/node%d/cpulist", node);
	r = read_list(ctx, path, &cpus);
	if (r < 0)
		return r;
	*ret = cpus;
	return 0;
}
