/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saving trees: scan and lay out all of a set, reserve for all, fill window by window with all
 * threads, commit once. Windows of small files are filled by the scan already, in space that is
 * taken for them where that costs nobody else's.
 */
#include <stdatomic.h>

#include "machine.h"
#include "op.h"
#include "tree.h"
#include "work.h"

/* Room for data that is found while scanning is taken in steps of at least this. */
#define EARLY_AHEAD (64 * MIB)

struct save_tree {
	struct save *save;
	const char *name;
	struct tree_image *image;
	struct tree_image_info info;
	struct store_writer *writer;
	uint64_t first_window;	/* of this tree in the work array */
	uint8_t *early;		/* one byte per window of data: it was put by the scan */
	uint64_t n_early;
	bool live;
};

struct save {
	struct pkram_region *region;
	struct op_yield yield;
	struct tree_scan_options scan;
	struct save_tree *trees;
	size_t n;
	uint64_t windows, bytes;
	uint64_t began;		/* CLOCK_BOOTTIME, for the account of a jump */
	uint8_t **bounce;
	_Atomic uint64_t done;
};

static void save_done(struct save *s)
{
	for (size_t i = 0; s->trees && i < s->n; i++) {
		store_writer_discard(s->trees[i].writer);
		tree_image_free(s->trees[i].image);
		free(s->trees[i].early);
	}
	free(s->trees);
	tree_dirs_free(s->scan.dirs);
	work_buffers_free(s->bounce);
}

/* Room for data before it is known how much of it there is: never at the cost of an old node. */
static int early_room(void *arg, uint64_t size)
{
	struct save_tree *t = arg;
	uint64_t room = t->n_early * PKRAM_WINDOW;
	uint8_t *early;
	int k;

	if (size <= room)
		return 1;
	k = t->writer ? 0 : store_writer_open(t->save->region->store, t->name,
					      PKRAM_NODE_KIND_TREE, &t->writer);
	if (k >= 0)
		k = store_writer_grow(t->writer, ALIGN_UP(size, PKRAM_WINDOW),
				      ALIGN_UP(size, EARLY_AHEAD), NULL, NULL, &room);
	if (k < 0)
		return k == -ENOSPC ? 0 : k;
	early = realloc(t->early, room / PKRAM_WINDOW);
	if (!early)
		return -ENOMEM;
	memset(early + t->n_early, 0, room / PKRAM_WINDOW - t->n_early);
	t->early = early;
	t->n_early = room / PKRAM_WINDOW;
	return 1;
}

static int early_put(void *arg, uint64_t index, const void *bytes)
{
	struct save_tree *t = arg;
	struct save *s = t->save;
	int k = store_writer_copy(t->writer, index, PKRAM_WINDOW, bytes);

	if (k < 0)
		return k;
	t->early[index] = 1;
	s->done += PKRAM_WINDOW;
	return 0;
}

static int scan_tree(struct save *s, struct save_tree *t)
{
	const struct tree_sink sink = { .room = early_room, .put = early_put, .arg = t };
	int k;

	k = tree_image_scan(t->image, &sink);
	if (k < 0)
		return k;
	tree_image_info(t->image, &t->info);
	t->first_window = s->windows;
	s->windows += window_count(t->info.size, t->info.meta_size);
	s->bytes += t->info.size;
	return 0;
}

/* Writers of the trees that took no room early. */
static int open_writers(struct save *s)
{
	_cleanup_free_ struct store_claim *claims = calloc(s->n, sizeof(*claims));
	_cleanup_free_ struct store_writer **writers = calloc(s->n, sizeof(*writers));
	size_t n = 0;
	int k;

	if (!claims || !writers)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		if (!s->trees[i].writer)
			claims[n++] = (struct store_claim){ .name = s->trees[i].name,
							    .kind = PKRAM_NODE_KIND_TREE };
	k = store_writers_open(s->region->store, claims, n, writers);
	if (k < 0)
		return k;
	for (size_t i = s->n; i-- > 0;)
		if (!s->trees[i].writer)
			s->trees[i].writer = writers[--n];
	return 0;
}

static int save_scan(struct save *s, const struct pkram_save_item *items)
{
	struct pkram_ctx *ctx = s->region->ctx;

	for (size_t i = 0; i < s->n; i++) {
		struct save_tree *t = &s->trees[i];
		int k;

		t->save = s;
		k = tree_image_new(ctx, items[i].path, &s->scan, &t->image);
		if (k < 0)
			return k;
		tree_image_info(t->image, &t->info);
		t->name = items[i].name ? items[i].name : t->info.source;
		if (!items[i].name && strlen(t->name) > PKRAM_NAME_MAX)
			return log_error_errno(ctx, -ENAMETOOLONG,
					       "%.40s...: %zu bytes are too long for a node's name "
					       "(limit %u); give it a shorter one with -n",
					       t->name, strlen(t->name), PKRAM_NAME_MAX);
		for (size_t j = 0; j < i; j++)
			if (strcmp(t->name, s->trees[j].name) == 0)
				return log_error_errno(ctx, -EINVAL, "%s: given twice in one save",
						       t->name);
		k = scan_tree(s, t);
		if (k < 0)
			return k;
	}
	return open_writers(s);
}

static struct store_props tree_props(const struct save_tree *t)
{
	return (struct store_props){
		.source = t->info.source, .fs_type = t->info.fs_type,
		.mount_options = t->info.mount_options, .files = t->info.files,
		.data = t->info.data, .fingerprint = t->info.fingerprint,
		.single = t->info.single, .live = t->live, .began = t->save->began,
	};
}

/* Looks for writers of all files, which else are found when each is read. */
static int check_quiet(struct save *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tree_image_info *info = &s->trees[i].info;
		int k = tree_source_check(s->region->ctx, info->source, info->fingerprint);

		if (k == -ESTALE || k == -ENOENT)
			return log_error_errno(s->region->ctx, -EBUSY,
					       "%s changed while it was saved", info->source);
		if (k < 0)
			return k;
	}
	return 0;
}

static int save_reserve(struct save *s)
{
	_cleanup_free_ struct store_need *needs = calloc(s->n, sizeof(*needs));
	int k;

	if (!needs)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		const struct save_tree *t = &s->trees[i];
		const struct store_props props = tree_props(t);

		k = store_writer_set_props(t->writer, &props);
		if (k >= 0)
			k = store_writer_set_holes(t->writer, t->info.holes, t->info.n_holes);
		if (k < 0)
			return k;
		needs[i] = (struct store_need){ .writer = t->writer,
						.size = t->info.size,
						.mirrored = t->info.meta_size,
						.holes = t->info.n_holes };
	}
	k = store_fits(s->region->store, needs, s->n, false);
	/* An old node is not given up for a save that could have been known to fail. */
	if (k == 0 && !s->yield.keep_old && !s->scan.live)
		k = check_quiet(s);
	if (k < 0)
		return k;
	return op_yield_end(&s->yield,
			    store_reserve(s->region->store, needs, s->n, op_yield, &s->yield));
}

static struct save_tree *tree_of_window(struct save *s, uint64_t window)
{
	size_t lo = 0, hi = s->n;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (s->trees[mid].first_window <= window)
			lo = mid;
		else
			hi = mid;
	}
	return &s->trees[lo];
}

static bool put_early(const struct save_tree *t, uint64_t window)
{
	uint64_t front = window_front(t->info.meta_size);

	return window >= front && window - front < t->n_early && t->early[window - front];
}

/* Straight from the source into the region, where that goes: 1. */
static int copy_window(struct save_tree *t, uint64_t i, uint64_t off, size_t len)
{
	struct tree_loan loan;
	int k = tree_image_lend(t->image, off, len, &loan);

	if (k <= 0)
		return k;
	k = store_writer_copy(t->writer, i, len, loan.bytes);
	if (!tree_image_take_back(t->image, &loan))
		return MIN(k, 0);
	return k < 0 ? k : 1;
}

static int fill_window(struct save_tree *t, uint64_t i, uint64_t off, size_t len, void *bounce)
{
	void *bytes = store_writer_window(t->writer, i, len, bounce);
	int k = tree_image_fill(t->image, off, len, bytes);

	return k < 0 ? k : store_writer_put(t->writer, i, len, bytes);
}

static int save_window(void *arg, unsigned int worker, uint64_t index)
{
	struct save *s = arg;
	struct save_tree *t = tree_of_window(s, index);
	uint64_t i = index - t->first_window, off = window_offset(t->info.meta_size, i);
	size_t len = window_length(t->info.size, t->info.meta_size, i);
	int k;

	if (put_early(t, i))
		return 0;
	k = copy_window(t, i, off, len);
	if (k == 0)
		k = fill_window(t, i, off, len, s->bounce[worker]);
	if (k < 0)
		return k;
	return ctx_progress(s->region->ctx, "save", atomic_fetch_add(&s->done, len) + len,
			    s->bytes);
}

static int save_commit(struct save *s)
{
	_cleanup_free_ struct store_writer **writers = calloc(s->n, sizeof(*writers));
	int k = writers ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->n && k >= 0; i++) {
		struct save_tree *t = &s->trees[i];

		k = tree_image_finish(t->image, &t->live);
		if (k >= 0 && t->live) {
			const struct store_props props = tree_props(t);

			k = store_writer_set_props(t->writer, &props);
		}
	}
	if (k < 0)
		return k;
	for (size_t i = 0; i < s->n; i++)
		writers[i] = TAKE_PTR(s->trees[i].writer);
	return store_commit(s->region->store, writers, s->n);
}

static int save_run(struct save *s, const struct pkram_save_item *items, unsigned int *ret_threads)
{
	struct pkram_ctx *ctx = s->region->ctx;
	int k;

	k = save_scan(s, items);
	if (k >= 0)
		k = save_reserve(s);
	if (k < 0)
		return k;
	*ret_threads = region_threads(store_region(s->region->store), s->windows);
	s->bounce = work_buffers_new(*ret_threads, PKRAM_WINDOW);
	if (!s->bounce)
		return -ENOMEM;
	k = work_run(ctx, *ret_threads, store_region(s->region->store)->near, s->windows,
		     save_window, s);
	return k < 0 ? k : save_commit(s);
}

int pkram_save_trees(struct pkram_region *region, const struct pkram_save_item *items,
		     size_t n_items, const struct pkram_save_options *opts,
		     struct pkram_transfer *ret_transfer)
{
	static const struct pkram_save_options none = { .struct_size = sizeof(none) };
	struct save s = { .region = region, .n = n_items, .began = machine_uptime() };
	int64_t start = op_clock();
	unsigned int threads = 1;
	int k;

	opts = opts ? opts : &none;
	k = op_check_options(region->ctx, "save", opts, sizeof(*opts));
	if (k >= 0)
		k = op_check_flags(region->ctx, "save", opts->flags,
				   PKRAM_SAVE_LIVE | PKRAM_SAVE_ALLOW_LOSSY |
					   PKRAM_SAVE_CROSS_MOUNTS | PKRAM_SAVE_KEEP_OLD);
	if (k >= 0 && !n_items)
		k = log_error_errno(region->ctx, -EINVAL, "save: nothing given to save");
	if (k < 0)
		return k;
	s.scan =
		(struct tree_scan_options){ .live = opts->flags & PKRAM_SAVE_LIVE,
					    .allow_lossy = opts->flags & PKRAM_SAVE_ALLOW_LOSSY,
					    .cross_mounts = opts->flags & PKRAM_SAVE_CROSS_MOUNTS };
	s.yield = (struct op_yield){ .region = region,
				     .keep_old = opts->flags & PKRAM_SAVE_KEEP_OLD };
	s.trees = calloc(n_items, sizeof(*s.trees));
	k = s.trees ? tree_dirs_new(&s.scan.dirs) : -ENOMEM;
	if (k >= 0)
		k = save_run(&s, items, &threads);
	if (k >= 0 && ret_transfer) {
		*ret_transfer = (struct pkram_transfer){ .nodes = n_items, .bytes = s.done,
							 .ns = (uint64_t)(op_clock() - start),
							 .threads = threads };
		for (size_t i = 0; i < n_items; i++)
			ret_transfer->files += s.trees[i].info.files;
	}
	save_done(&s);
	return k;
}
