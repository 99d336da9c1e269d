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
	uint8_t *early;		/* one byte per window: the scan gave it, and it is the same */
	_Atomic uint64_t done;
};

static int compare_bytes(struct compare *c, uint64_t index, size_t len, const void *bytes)
{
	if (!store_node_window_is(c->node, index, bytes, len))
		return -ESTALE;
	return ctx_progress(c->ctx, "compare", atomic_fetch_add(&c->done, len) + len,
			    c->node->size);
}

static int early_room(void *arg, uint64_t size)
{
	const struct compare *c = arg;

	/* Any window is in the node, whatever is found to follow it. */
	return c->node->mirrored <= c->node->size &&
	       size <= ALIGN_DOWN(c->node->size - c->node->mirrored, PKRAM_WINDOW);
}

static int early_put(void *arg, uint64_t data_index, const void *bytes)
{
	struct compare *c = arg;
	uint64_t index = window_front(c->node->mirrored) + data_index;

	c->early[index] = 1;
	return compare_bytes(c, index, PKRAM_WINDOW, bytes);
}

/* Without a copy, where the image lends the bytes: 1 when they are the same. */
static int compare_lent(struct compare *c, uint64_t index, uint64_t off, size_t len)
{
	struct tree_loan loan;
	int k = tree_image_lend(c->image, off, len, &loan);

	if (k <= 0)
		return k;
	k = compare_bytes(c, index, len, loan.bytes);
	if (!tree_image_take_back(c->image, &loan))
		return 0;
	return k < 0 ? k : 1;
}

static int compare_window(void *arg, unsigned int worker, uint64_t index)
{
	struct compare *c = arg;
	uint64_t off = window_offset(c->node->mirrored, index);
	size_t len = window_length(c->node->size, c->node->mirrored, index);
	int k;

	if (c->early[index])
		return 0;
	k = compare_lent(c, index, off, len);
	if (k != 0)
		return MIN(k, 0);
	k = tree_image_fill(c->image, off, len, c->bounce[worker]);
	return k < 0 ? k : compare_bytes(c, index, len, c->bounce[worker]);
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
	c->bounce = work_buffers_new(threads, PKRAM_WINDOW);
	k = c->bounce ? work_run(c->ctx, threads, NULL, c->node->windows, compare_window, c) :
			-ENOMEM;
	work_buffers_free(c->bounce);
	return k < 0 ? k : tree_image_finish(c->image, &live);
}

int op_compare_source(struct pkram_ctx *ctx, const struct store_node *n)
{
	/* The lowest bit of a fingerprint says how the tree was scanned (tree.h). */
	const struct tree_scan_options o = { .allow_lossy = true,
					     .cross_mounts = n->fingerprint & 1 };
	struct compare c = { .node = n };
	const struct tree_sink sink = { .room = early_room, .put = early_put, .arg = &c };
	int k;

	/* What the source cannot carry was said when it was saved. */
	k = ctx_quiet(ctx, &c.ctx);
	if (k < 0)
		return k;
	c.early = calloc(MAX(n->windows, UINT64_C(1)), 1);
	k = c.early ? tree_image_new(c.ctx, n->source, &o, &c.image) : -ENOMEM;
	if (k >= 0)
		k = tree_image_scan(c.image, &sink);
	if (k >= 0)
		k = compare_image(&c);
	tree_image_free(c.image);
	free(c.early);
	pkram_unref(c.ctx);
	return k;
}
