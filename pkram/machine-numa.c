/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The CPUs of a memory node, and its memory.
 *
 * A device's node is the one that its memory begins on. A region may span two where the firmware
 * describes both by one range, but where the border lies in it is told by no file of /sys: reserved
 * memory is in no zone and no memory block. It would have to be read from the firmware's own table,
 * for a case that two regions, one on each node, serve better.
 */
#include "machine.h"
#include "work-place.h"

#include <dirent.h>
#include <fcntl.h>

#define NODES "/sys/devices/system/node"
#define BLOCK_SIZE "/sys/devices/system/memory/block_size_bytes"

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

/* --- whose memory --- */

struct area_list {
	struct machine_area *v;
	size_t n, cap;
};

static int add_area(struct area_list *l, uint64_t start, uint64_t end, int node)
{
	int r = array_grow(&l->v, &l->cap, l->n + 1, sizeof(*l->v));

	if (r == 0)
		l->v[l->n++] = (struct machine_area){ start, end, node };
	return r;
}

/* The blocks of one node: "memory34" begins at 34 times their size. */
static int add_blocks(struct pkram_ctx *ctx, int node, uint64_t block, struct area_list *l)
{
	char path[64];
	struct dirent *e;
	DIR *d;
	int r;

	snprintf(path, sizeof(path), NODES "/node%d", node);
	r = machine_open_dir(ctx, path, &d);
	if (r < 0)
		return r;
	while (r == 0 && (e = readdir(d))) {
		uint64_t start, end;
		unsigned int i;
		int len = 0;

		if (sscanf(e->d_name, "memory%u%n", &i, &len) == 1 && !e->d_name[len] &&
		    !mul_overflows((uint64_t)i, block, &start) &&
		    !add_overflows(start, block, &end))
			r = add_area(l, start, end, node);
	}
	closedir(d);
	return r;
}

static int by_start(const void *pa, const void *pb)
{
	const struct machine_area *a = pa, *b = pb;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Joins what belongs together; of what is listed twice, nothing is left. */
static void merge(struct area_list *l)
{
	size_t n = 0;

	for (size_t i = 0, next; i < l->n; i = next) {
		struct machine_area a = l->v[i];

		for (next = i + 1; next < l->n && l->v[next].start == a.start; next++)
			continue;
		if (next > i + 1)
			continue;
		if (n && l->v[n - 1].end == a.start && l->v[n - 1].node == a.node)
			l->v[n - 1].end = a.end;
		else
			l->v[n++] = a;
	}
	l->n = n;
}

static int read_blocks(struct pkram_ctx *ctx, const struct work_cpus *nodes, struct area_list *l)
{
	_cleanup_free_ char *text = NULL;
	uint64_t block;
	char *end;
	int r = 0;

	/* Without memory blocks nothing is told. */
	if (machine_read(ctx, BLOCK_SIZE, &text, NULL) < 0)
		return 0;
	block = strtoull(text, &end, 16);
	if (end == text || *end || !block)
		return log_error_errno(ctx, -EINVAL, BLOCK_SIZE ": %m");
	for (int i = 0; i < (int)(8 * sizeof(*nodes)) && r == 0; i++)
		if (CPU_ISSET_S((unsigned int)i, sizeof(*nodes), nodes->bits))
			r = add_blocks(ctx, i, block, l);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_start);
	merge(l);
	return r;
}

int machine_node_memory(struct pkram_ctx *ctx, struct machine_area **ret, size_t *ret_n)
{
	struct area_list l = { 0 };
	struct work_cpus nodes;
	int r;

	r = read_list(ctx, NODES "/has_memory", &nodes);
	if (r == -ENOENT) {	/* not built for nodes */
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	if (r == 0 && CPU_COUNT_S(sizeof(nodes), nodes.bits) == 1)
		for (int i = 0; i < (int)(8 * sizeof(nodes)) && r == 0; i++)
			r = CPU_ISSET_S((unsigned int)i, sizeof(nodes), nodes.bits) ?
				    add_area(&l, 0, UINT64_MAX, i) : 0;
	else if (r == 0)
		r = read_blocks(ctx, &nodes, &l);
	if (r < 0) {
		free(l.v);
		return r;
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}
