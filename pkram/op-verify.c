/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading every checksum of a node with all threads, and saying what damage means.
 */
#include <inttypes.h>
#include <stdatomic.h>

#include "op-image.h"
#include "work.h"

struct verify {
	struct pkram_ctx *ctx;
	struct store_reader *reader;
	const char *what;
	uint8_t **bounce;	/* one window per worker */
	uint8_t *damaged;	/* one byte per window */
	_Atomic uint64_t done;
};

static int verify_window(void *arg, unsigned int worker, uint64_t index)
{
	struct verify *v = arg;
	const void *bytes;
	size_t len;
	int k;

	k = store_reader_window(v->reader, index, v->bounce[worker], &bytes, &len);
	if (k == -EBADMSG) {
		v->damaged[index] = 1;
		return 0;
	}
	if (k < 0)
		return k;
	return ctx_progress(v->ctx, v->what, atomic_fetch_add(&v->done, len) + len,
			    store_reader_node(v->reader)->size);
}

/* What names the files: made for the first damaged range of a tree, and kept for the next ones. */
struct damage_log {
	struct pkram_ctx *ctx;
	struct pkram_ctx *quiet; /* the damage is told here, not where it is met again */
	struct store_reader *reader;
	const char *node;
	struct op_image *image;
	struct tree_view *view;
	unsigned int lines;
};

static void damage_log_open(struct damage_log *d, struct pkram_ctx *ctx,
			    struct store_reader *reader)
{
	const struct store_node *n = store_reader_node(reader);
	struct tree_input in;

	*d = (struct damage_log){ .ctx = ctx, .reader = reader, .node = n->name };
	if (n->kind != PKRAM_NODE_KIND_TREE || ctx_quiet(ctx, &d->quiet) < 0)
		return;
	if (op_image_open(d->quiet, reader, &d->image) < 0)
		return;
	in = op_image_input(d->image);
	tree_view_new(d->quiet, &in, n->holes, n->n_holes, &d->view);
}

static void damage_log_end(struct damage_log *d)
{
	if (store_reader_node(d->reader)->kind == PKRAM_NODE_KIND_TREE && !d->view)
		pkram_log_error(d->ctx,
				"%s: the tree's own metadata is damaged: its files cannot be named",
				d->node);
	tree_view_free(d->view);
	op_image_close(d->image);
	pkram_unref(d->quiet);
}

static int log_file(void *arg, const char *path)
{
	struct damage_log *d = arg;

	if (d->lines++ < 20)
		pkram_log_error(d->ctx, "%s: damaged: %s", d->node, path);
	return 0;
}

static void log_range(struct damage_log *d, uint64_t off, uint64_t len)
{
	pkram_log_error(d->ctx,
			"%s: damaged: %" PRIu64 " bytes at %" PRIu64 " (region offset 0x%" PRIx64
			")",
			d->node, len, off, store_reader_offset(d->reader, off));
	if (!d->view)
		return;
	d->lines = 0;
	tree_view_files_at(d->view, off, len, log_file, d);
	if (d->lines > 20)
		pkram_log_error(d->ctx, "%s: damaged: and %u more file%s", d->node, d->lines - 20,
				plural(d->lines - 20));
}

void op_log_damage(struct pkram_ctx *ctx, struct store_reader *reader, uint64_t off, uint64_t len)
{
	struct damage_log d;

	damage_log_open(&d, ctx, reader);
	log_range(&d, off, len);
	damage_log_end(&d);
}

bool op_log_damaged(struct pkram_ctx *ctx, struct store_reader *reader, const uint8_t *damaged)
{
	const struct store_node *n = store_reader_node(reader);
	struct damage_log d;
	bool any = false;

	for (uint64_t i = 0; i < n->windows; i++) {
		uint64_t off = window_offset(n->mirrored, i);

		if (!damaged[i])
			continue;
		if (!any)
			damage_log_open(&d, ctx, reader);
		any = true;
		/* Neighbours are one line. */
		while (i + 1 < n->windows && damaged[i + 1])
			i++;
		log_range(&d, off, window_offset(n->mirrored, i) +
			  window_length(n->size, n->mirrored, i) - off);
	}
	if (any)
		damage_log_end(&d);
	return any;
}

int op_verify_reader(struct pkram_ctx *ctx, struct store_reader *reader, struct pkram_transfer *t)
{
	const struct store_node *n = store_reader_node(reader);
	unsigned int threads = region_threads(store_reader_region(reader), n->windows);
	struct verify v = { .ctx = ctx, .reader = reader, .what = "verify" };
	int k = -ENOMEM;

	v.damaged = calloc(MAX(n->windows, (uint64_t)1), 1);
	v.bounce = work_buffers_new(threads, PKRAM_WINDOW);
	if (v.damaged && v.bounce)
		k = work_run(ctx, threads, store_reader_region(reader)->near, n->windows,
			     verify_window, &v);
	if (k >= 0 && op_log_damaged(ctx, reader, v.damaged))
		k = -EBADMSG;
	t->bytes += v.done;
	t->threads = MAX(t->threads, threads);
	work_buffers_free(v.bounce);
	free(v.damaged);
	return k;
}

/* What is stored twice reads well from either copy: that one is lost has to be looked for. */
static int check_copies(struct pkram_ctx *ctx, struct store_reader *reader)
{
	_cleanup_free_ void *bounce = io_buffer_new(PKRAM_WINDOW);
	int k = bounce ? store_reader_check_copies(reader, bounce) : -ENOMEM;

	if (k == -EBADMSG)
		pkram_log_error(
			ctx,
			"%s: one of the two copies of its metadata is damaged; the other one "
			"serves: save it again",
			store_reader_node(reader)->name);
	return k;
}

int op_verify_name(struct pkram_ctx *ctx, struct store *store, const char *name,
		   struct pkram_transfer *t)
{
	struct store_reader *reader;
	int k;

	k = store_reader_open(store, name, &reader);
	if (k < 0)
		return k;
	k = op_verify_reader(ctx, reader, t);
	if (k >= 0)
		k = check_copies(ctx, reader);
	store_reader_close(reader);
	return k;
}

/* Damage does not keep the others from being verified. */
static int verify_one(struct pkram_region *region, const char *name, struct pkram_transfer *t)
{
	int k = op_verify_name(region->ctx, region->store, name, t);

	if (k < 0 && k != -EBADMSG)
		return k;
	t->nodes++;
	t->damaged += k == -EBADMSG;
	return 0;
}

static int verify_listed(struct pkram_region *region, const struct pkram_node *n,
			 struct pkram_transfer *t)
{
	int k;

	if (n->writing)
		return 0;
	if (n->damaged) {
		pkram_log_error(region->ctx,
				"%s: node %" PRIu64 ": both copies of its block are damaged",
				store_region(region->store)->spec, n->id);
		t->nodes++;
		t->damaged++;
		return 0;
	}
	k = verify_one(region, n->name, t);
	/* Removed since it was listed: nothing of it is left to be damaged. */
	return k == -ENOENT ? 0 : k;
}

int pkram_verify(struct pkram_region *region, const char *const *names, size_t n_names,
		 struct pkram_transfer *ret_transfer)
{
	struct pkram_node_list *list = NULL;
	struct pkram_transfer t = { 0 };
	int64_t start = op_clock();
	int k = 0;

	for (size_t i = 0; i < n_names && k >= 0; i++)
		k = verify_one(region, names[i], &t);
	if (!n_names)
		k = pkram_node_list_new(region, &list);
	for (size_t i = 0; k >= 0 && list && i < pkram_node_list_count(list); i++)
		k = verify_listed(region, pkram_node_list_get(list, i), &t);
	pkram_node_list_free(list);
	if (k < 0)
		return k;
	t.ns = (uint64_t)(op_clock() - start);
	if (ret_transfer)
		*ret_transfer = t;
	return t.damaged ? -EBADMSG : 0;
}
