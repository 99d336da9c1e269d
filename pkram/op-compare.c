/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Comparing a tree's source with what was saved of it. On tmpfs a process that maps a file, stores,
 * and goes changes no time of it, so times cannot prove that nothing would be lost: only the bytes
 * can. An image is a function of its tree, so the source is laid out again and its windows are
 * compared by their checksums.
 */
#include <stdatomic.h>

#include "op.h"
#include "tree.h"
#include "work.h"

struct compare {
	struct pkram_ctx *ctx;
	const struct store_node *node;
	struct tree_image *image;
	uint8_t **bounce;
	_Atomic uint64_t done;
};

static int compare_window(void *arg, unsigned int worker, uint64_t index)
{
	struct compare *c = arg;
	uint64_t off = window_offset(c->node->mirrored, index);
	size_t len = window_length(c->node->size, c->node->mirrored, index);
	int k;

	k = tree_image_fill(c->image, off, len, c->bounce[worker]);
	if (k < 0)
		return k;
	if (!store_node_window_is(c->node, index, c->bounce[worker], len))
		return -ESTALE;
	return ctx_progress(c->ctx, "compare", atomic_fetch_add(&c->done, len) + len,
			    c->node->size);
}

static int compare_image(struct compare *c)
{
	unsigned int threads = ctx_threads(c->ctx, c->node->windows);
	struct tree_image_info info;
	bool live;
	int k;

	tree_image_info(c->image, &info);
	if (info.size != c->node->size || info.meta_size != c->node->mirrored)
		return -ESTALE;
	c->bounce = op_bounce_new(threads);
	k = c->bounce ? work_run(c->ctx, threads, c->node->windows, compare_window, c) : -ENOMEM;
	op_bounce_free(c->bounce);
	return k < 0 ? k : tree_image_finish(c->image, &live);
}

int op_compare_source(struct pkram_ctx *ctx, const struct store_node *n)
{
	/* The lowest bit of a fingerprint says how the tree was scanned (tree.h). */
	const struct tree_scan_options o = { .allow_lossy = true,
					     .cross_mounts = n->fingerprint & 1 };
	struct compare c = { .ctx = ctx, .node = n };
	struct pkram_ctx *quiet;
	int k;

	/* What the source cannot carry was said when it was saved. */
	k = ctx_quiet(ctx, &quiet);
	if (k < 0)
		return k;
	k = tree_image_scan(quiet, n->source, &o, &c.image);
	if (k >= 0)
		k = compare_image(&c);
	tree_image_free(c.image);
	pkram_unref(quiet);
	return k;
}
