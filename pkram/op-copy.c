/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op-copy.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "work.h"

/* No container has seen as many changes; the target goes on counting from it. */
#define GENERATION_MAX (UINT64_C(1) << 62)

struct op_copy_node {
	struct store_reader *reader;
	uint64_t first_window;	/* in the work array */
	uint8_t *damaged;	/* a byte for each window */
};

void op_copy_undo(struct op_copy *c)
{
	if (c->writing)
		store_writers_discard(c->writers, c->n);
	c->writing = false;
}

void op_copy_done(struct op_copy *c)
{
	op_copy_undo(c);
	for (size_t i = 0; i < c->n; i++) {
		store_reader_close(c->nodes[i].reader);
		free(c->nodes[i].damaged);
	}
	free(c->nodes);
	free(c->writers);
	free(c->needs);
	*c = (struct op_copy){ 0 };
}

/* --- what there is --- */

static int add_node(struct op_copy *c, const struct store_node *listed)
{
	struct op_copy_node *node = &c->nodes[c->n];
	const struct store_node *n;
	int k;

	if (listed->damaged)
		return log_error_errno(c->ctx, -EBADMSG,
				       "%s: node %" PRIu64 ": both copies of its block are "
				       "damaged; without it ('pkram rm' of its name), the others "
				       "can be copied",
				       store_region(c->from)->spec, listed->id);
	k = store_reader_open(c->from, listed->name, &node->reader);
	if (k < 0)
		return k;
	c->n++;
	n = store_reader_node(node->reader);
	if (n->id != listed->id)
		return log_error_errno(c->ctx, -EBUSY,
				       "%s: %s was replaced just now; try again",
				       store_region(c->from)->spec, n->name);
	if (!n->generation || n->generation > GENERATION_MAX)
		return log_error_errno(c->ctx, -EBADMSG,
				       "%s: %s: cannot be of change %" PRIu64 " of a container",
				       store_region(c->from)->spec, n->name, n->generation);
	node->damaged = calloc(MAX(n->windows, (uint64_t)1), 1);
	node->first_window = c->windows;
	c->windows += n->windows;
	c->bytes += n->size;
	c->files += n->files;
	c->stored += n->stored;
	c->large += n->size >= PKRAM_HUGE;
	return node->damaged ? 0 : -ENOMEM;
}

static int add_nodes(struct op_copy *c, const struct store_node *list, size_t n)
{
	int k = 0;

	c->nodes = calloc(MAX(n, (size_t)1), sizeof(*c->nodes));
	c->writers = calloc(MAX(n, (size_t)1), sizeof(*c->writers));
	c->needs = calloc(MAX(n, (size_t)1), sizeof(*c->needs));
	if (!c->nodes || !c->writers || !c->needs)
		return -ENOMEM;
	for (size_t i = 0; i < n && k >= 0; i++)
		if (!list[i].writing)
			k = add_node(c, &list[i]);
	if (k >= 0 && !c->n)
		k = log_error_errno(c->ctx, -ENODATA, "%s: has no nodes",
				    store_region(c->from)->spec);
	return k;
}

int op_copy_open(struct pkram_ctx *ctx, struct store *from, const char *what, struct op_copy *ret)
{
	struct op_copy c = { .ctx = ctx, .from = from, .what = what };
	struct store_node *list;
	size_t n;
	int k;

	k = store_nodes(from, &list, &n);
	if (k < 0)
		return k;
	k = add_nodes(&c, list, n);
	store_nodes_free(list, n);
	if (k < 0) {
		op_copy_done(&c);
		return k;
	}
	*ret = c;
	return 0;
}

/* --- to another container --- */

/* What is copied of a set is all there is of it from then on. */
static uint64_t set_count(const struct op_copy *c, uint64_t generation)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += store_reader_node(c->nodes[i].reader)->generation == generation;
	return n;
}

static int begin_node(struct op_copy *c, size_t i)
{
	const struct store_node *n = store_reader_node(c->nodes[i].reader);
	const struct store_props props = { .origin = n,
					   .origin_set = set_count(c, n->generation) };
	struct store_writer *w = c->writers[i];
	int k;

	k = store_writer_set_props(w, &props);
	if (k >= 0)
		k = store_writer_set_holes(w, n->holes, n->n_holes);
	c->needs[i] = (struct store_need){ .writer = w, .size = n->size, .mirrored = n->mirrored,
					   .holes = n->n_holes };
	return k;
}

int op_copy_begin(struct op_copy *c, struct store *to)
{
	_cleanup_free_ struct store_claim *claims = calloc(c->n, sizeof(*claims));
	int k;

	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		const struct store_node *n = store_reader_node(c->nodes[i].reader);

		claims[i] = (struct store_claim){ .name = n->name, .kind = n->kind };
	}
	k = store_writers_open(to, claims, c->n, c->writers);
	c->writing = k >= 0;
	for (size_t i = 0; i < c->n && k >= 0; i++)
		k = begin_node(c, i);
	return k;
}

static struct op_copy_node *node_of_window(struct op_copy *c, uint64_t window)
{
	size_t lo = 0, hi = c->n;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (c->nodes[mid].first_window <= window)
			lo = mid;
		else
			hi = mid;
	}
	return &c->nodes[lo];
}

/* Putting clears what follows in the last block: so never from where the source lies. */
static int put_window(struct store_writer *w, uint64_t index, const void *bytes, size_t len,
		      void *bounce)
{
	void *to = store_writer_window(w, index, len, bounce);

	if (to != bytes)
		memcpy(to, bytes, len);
	return store_writer_put(w, index, len, to);
}

static int do_window(void *arg, unsigned int worker, uint64_t index)
{
	struct op_copy *c = arg;
	struct op_copy_node *node = node_of_window(c, index);
	uint64_t i = index - node->first_window;
	const void *bytes;
	size_t len;
	int k;

	k = store_reader_window(node->reader, i, c->bounce[worker], &bytes, &len);
	if (k == -EBADMSG) {
		/* Go on: all damage is to be named. */
		node->damaged[i] = 1;
		return 0;
	}
	if (k >= 0 && !c->checking)
		k = put_window(c->writers[node - c->nodes], i, bytes, len, c->bounce[worker]);
	if (k < 0)
		return k;
	return ctx_progress(c->ctx, c->checking ? "verify" : c->what,
			    atomic_fetch_add(&c->done, len) + len, c->bytes);
}

/* Next to the memory that the copy is bound by. `to` NULL: only reads and checks. */
static int do_windows(struct op_copy *c, const struct region *to)
{
	const struct region *from = store_region(c->from);
	unsigned int threads = region_threads(from, c->windows);
	const struct work_cpus *near = from->near;
	bool bad = false;
	int k;

	if (to) {
		threads = MAX(threads, region_threads(to, c->windows));
		near = near ? near : to->near;
	}
	c->bounce = work_buffers_new(threads, PKRAM_WINDOW);
	if (!c->bounce)
		return -ENOMEM;
	c->threads = MAX(c->threads, threads);
	c->checking = !to;
	c->done = 0;
	k = work_run(c->ctx, threads, near, c->windows, do_window, c);
	work_buffers_free(c->bounce);
	for (size_t i = 0; i < c->n && k >= 0; i++)
		bad |= op_log_damaged(c->ctx, c->nodes[i].reader, c->nodes[i].damaged);
	return k < 0 ? k : bad ? -EBADMSG : 0;
}

int op_copy_verify(struct op_copy *c)
{
	return do_windows(c, NULL);
}

int op_copy_run(struct op_copy *c, struct store *to, const uint64_t *ids, size_t n_ids)
{
	int k;

	k = do_windows(c, store_region(to));
	if (k < 0)
		return k;
	/* It frees them, also when it fails. */
	c->writing = false;
	return store_commit_instead(to, c->writers, c->n, ids, n_ids);
}

void op_copy_transfer(const struct op_copy *c, uint64_t ns, struct pkram_transfer *ret)
{
	*ret = (struct pkram_transfer){ .nodes = c->n, .files = c->files, .bytes = c->done,
					.ns = ns, .threads = c->threads };
}
