/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Space of nodes that are being written: reserved for a whole set at once where its need is known,
 * grown step by step for a stream. Old nodes of their names are given up only where room lacks.
 */
#include "store-writer.h"

static int add_rows(struct catalog *c, const struct store_writer *w)
{
	struct pkram_row row;
	int k;

	k = catalog_add(c, &w->head);
	for (size_t i = 0; i < w->blocks.n && k >= 0; i++) {
		/* The head of a node is the row of the first copy. */
		if (i == 0 && le32toh(w->head.kind) == PKRAM_ROW_NODE)
			continue;
		row = row_make(w->id, PKRAM_ROW_COPY, w->blocks.v[i].off, w->blocks.v[i].len);
		k = catalog_add(c, &row);
	}
	for (size_t i = 0; i < w->extents.n && k >= 0; i++) {
		row = row_make(w->id, PKRAM_ROW_DATA, w->extents.v[i].off, w->extents.v[i].len);
		k = catalog_add(c, &row);
	}
	for (size_t i = 0; i < w->mirrors.n && k >= 0; i++) {
		row = row_make(w->id, PKRAM_ROW_MIRROR, w->mirrors.v[i].off, w->mirrors.v[i].len);
		k = catalog_add(c, &row);
	}
	return k;
}

int writers_rows(struct catalog *c, struct store_writer *const *writers, size_t n)
{
	struct ids ids = {};
	int k = 0;

	for (size_t i = 0; i < n && k >= 0; i++)
		k = ids_add(&ids, writers[i]->id);
	if (k >= 0) {
		ids_sort(&ids);
		catalog_drop(c, &ids);
	}
	for (size_t i = 0; i < n && k >= 0; i++)
		k = add_rows(c, writers[i]);
	ids_done(&ids);
	return k;
}

static int writer_cmp(const void *a, const void *b)
{
	const struct store_writer *x = *(struct store_writer *const *)a;
	const struct store_writer *y = *(struct store_writer *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

int writers_heads(struct store *s, struct store_writer *const *writers, size_t n)
{
	_cleanup_free_ struct store_writer **by_id = malloc(MAX(n, (size_t)1) * sizeof(*by_id));

	if (!by_id)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		by_id[i] = writers[i];
		by_id[i]->head = (struct pkram_row){};
	}
	qsort(by_id, n, sizeof(*by_id), writer_cmp);
	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];
		const struct store_writer key = { .id = le64toh(row->id) }, *at = &key;
		struct store_writer **w;

		if (le32toh(row->kind) != PKRAM_ROW_WRITER)
			continue;
		w = bsearch(&at, by_id, n, sizeof(*by_id), writer_cmp);
		if (w)
			(*w)->head = *row;
	}
	for (size_t i = 0; i < n; i++)
		if (!writers[i]->head.kind)
			return log_error_errno(s->ctx, -ESTALE,
					       "%s: the space of %s was taken away; save again",
					       s->region->spec, writers[i]->name);
	return 0;
}

/* Space for the node block's two copies, in different 2 MiB pages. */
static int take_blocks(struct spans *gaps, struct store_writer *w, uint64_t len)
{
	struct spans blocks = {};
	int k;

	/* It could be written, but not read. */
	if (len > NODE_BLOCK_MAX)
		return log_error_errno(w->store->ctx, -EFBIG,
				       "%s: %s is too much for one node, which may have 512 MiB of "
				       "checksums (8 bytes for each MiB) and holes (24 for each): "
				       "save it in parts", w->store->region->spec, w->name);
	k = space_take(gaps, len, SPACE_LOW, NULL, &blocks);
	if (k >= 0 && blocks.n != 1)
		k = -ENOSPC;
	if (k >= 0)
		k = space_take(gaps, len, SPACE_HIGH, &blocks, &blocks);
	/* A block that lies in pieces cannot be found by a scan. */
	if (k >= 0 && blocks.n != 2)
		k = -ENOSPC;
	if (k < 0) {
		spans_done(&blocks);
		return k;
	}
	spans_done(&w->blocks);
	w->blocks = blocks;
	w->block_len = len;
	return 0;
}

static uint64_t block_length(const struct store_writer *w, uint64_t size)
{
	return node_block_length(w->extents.n + w->mirrors.n, window_count(size, w->mirrored),
				 MAX(w->n_holes, w->room_holes), &w->props, w->name);
}

static void cut_spans(struct spans *s, uint64_t left)
{
	size_t n = 0;

	for (; n < s->n && left; n++) {
		s->v[n].len = MIN(s->v[n].len, left);
		left -= s->v[n].len;
	}
	s->n = n;
}

static uint64_t need_data(const struct store_need *need)
{
	uint64_t size = ALIGN_UP(need->size, (uint64_t)PKRAM_BLOCK);

	return size - MIN(need->mirrored, size);
}

/* What the writer has grown to is the first of its data; what is too much of it is free again. */
static int keep_early(struct store *s, const struct store_need *need)
{
	struct store_writer *w = need->writer;
	int k;

	if (w->grown) {
		spans_done(&w->early);
		w->early = w->extents;
		w->extents = (struct spans){};
		w->grown = false;
	}
	if (!w->early.n)
		return 0;
	cut_spans(&w->early, need_data(need));
	spans_done(&w->blocks);
	k = spans_copy(&w->early, &w->extents);
	if (k >= 0)
		k = writers_heads(s, &w, 1);
	return k < 0 ? k : writers_rows(&s->catalog, &w, 1);
}

/* Windows that were put before it was known how many stand in front of them. */
static int shift_hashes(struct store_writer *w)
{
	uint64_t front = window_front(w->mirrored), count = window_count(w->size, w->mirrored);
	uint64_t early = window_count(spans_total(&w->early), 0);
	int k = array_grow(&w->hashes, &w->cap_hashes, count, sizeof(*w->hashes));

	if (k >= 0 && early)
		memmove(w->hashes + front, w->hashes,
			MIN(early, count - front) * sizeof(*w->hashes));
	return k;
}

/*
 * The front has a span of its own, so that the data starts on a huge page where it is large. What
 * is stored twice lies apart from itself.
 */
static int take_need(struct spans *gaps, const struct store_need *need)
{
	struct store_writer *w = need->writer;
	uint64_t more = need_data(need) - spans_total(&w->early);
	struct spans front = {};
	int k;

	spans_done(&w->extents);
	spans_done(&w->mirrors);
	w->size = need->size;
	w->mirrored = need->mirrored;
	w->room_holes = need->holes;
	k = space_take(gaps, need->mirrored, SPACE_LOW, NULL, &front);
	if (k >= 0)
		k = space_take(gaps, need->mirrored, SPACE_HIGH, &front, &w->mirrors);
	for (size_t i = 0; i < front.n && k >= 0; i++)
		k = spans_add(&w->extents, front.v[i].off, front.v[i].len);
	for (size_t i = 0; i < w->early.n && k >= 0; i++)
		k = spans_add(&w->extents, w->early.v[i].off, w->early.v[i].len);
	if (w->early.n && k >= 0)
		more -= space_extend(gaps, &w->extents.v[w->extents.n - 1], more);
	if (k >= 0)
		k = space_take(gaps, more, SPACE_LOW, NULL, &w->extents);
	if (k >= 0)
		k = take_blocks(gaps, w, block_length(w, need->size));
	spans_done(&front);
	return k;
}

static int keep_all_early(struct store *s, const struct store_need *needs, size_t n)
{
	int k = 0;

	for (size_t i = 0; i < n && k >= 0; i++)
		k = keep_early(s, &needs[i]);
	return k;
}

static int take_needs(struct store *s, const struct store_need *needs, size_t n)
{
	struct spans gaps = {};
	int k;

	k = space_free(&s->catalog, le64toh(s->sb.size), &gaps);
	for (size_t i = 0; i < n && k >= 0; i++)
		k = take_need(&gaps, &needs[i]);
	spans_done(&gaps);
	return k;
}

/* Gives up the old node of a writer's name, when the caller agrees and nobody reads it. */
static int yield_one(struct store *s, const char *name, store_yield_fn yield, void *arg)
{
	struct pkram_row *head = store_find(s, name);
	struct store_node old;
	bool agreed;

	if (!head || !yield || node_read(s, head, &old) < 0)
		return 0;
	agreed = store_unheld(s, old.id) && yield(arg, &old);
	if (agreed) {
		int k = store_drop_one(s, old.id);

		store_node_done(&old);
		return k < 0 ? k : 1;
	}
	store_node_done(&old);
	return 0;
}

/* @least: "at least " where more may come; @own: bytes that the writers have already. */
static int log_no_space(struct store *s, const char *name, const char *least, uint64_t need,
			uint64_t own)
{
	uint64_t free_bytes = own, old_bytes = 0;
	struct spans gaps = {};
	size_t nodes = 0;

	/* As things stand, not as they were tried. */
	if (store_reload(s) >= 0 && space_free(&s->catalog, le64toh(s->sb.size), &gaps) >= 0)
		free_bytes += spans_total(&gaps);
	spans_done(&gaps);
	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) != PKRAM_ROW_NODE)
			continue;
		nodes++;
		old_bytes += catalog_space(&s->catalog, le64toh(row->id));
	}
	return log_error_errno(s->ctx, -ENOSPC,
		"%s: no room for %s: needs %s%ju bytes, %ju are free, %zu old node%s hold%s %ju; "
		"%suse a larger region", s->region->spec, name, least, (uintmax_t)need,
		(uintmax_t)free_bytes, nodes, plural(nodes), nodes == 1 ? "s" : "",
		(uintmax_t)old_bytes,
		need > free_bytes && need - free_bytes > old_bytes ? "" :
			"remove some with 'pkram rm' or ");
}

static uint64_t needs_total(const struct store_need *needs, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ALIGN_UP(needs[i].size, (uint64_t)PKRAM_BLOCK) + needs[i].mirrored +
		       2 * node_block_length(2, window_count(needs[i].size, needs[i].mirrored),
					     needs[i].holes, &needs[i].writer->props,
					     needs[i].writer->name);
	return sum;
}

static int reserve_locked(struct store *s, const struct store_need *needs, size_t n,
			  store_yield_fn yield, void *arg)
{
	_cleanup_free_ struct store_writer **writers = calloc(MAX(n, (size_t)1), sizeof(*writers));
	uint64_t own = 0;
	int k, given = 0;

	if (!writers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		writers[i] = needs[i].writer;
	k = store_reclaim(s);
	if (k >= 0)
		k = keep_all_early(s, needs, n);
	if (k < 0)
		return k;
	k = take_needs(s, needs, n);
	for (size_t i = 0; i < n && k == -ENOSPC; i++) {
		given = yield_one(s, needs[i].writer->name, yield, arg);
		if (given < 0)
			return given;
		if (given)
			k = take_needs(s, needs, n);
	}
	for (size_t i = 0; i < n; i++)
		own += spans_total(&writers[i]->early);
	if (k == -ENOSPC)
		return log_no_space(s, n == 1 ? needs[0].writer->name : "this set of nodes", "",
				    needs_total(needs, n), own);
	if (k >= 0)
		k = writers_heads(s, writers, n);
	if (k >= 0)
		k = writers_rows(&s->catalog, writers, n);
	for (size_t i = 0; i < n && k >= 0; i++)
		k = shift_hashes(writers[i]);
	if (k < 0)
		return k;
	HOOK("reserve");
	return store_publish(s);
}

static int drop_unread(struct store *s)
{
	struct ids unread = {};
	int k = 0;

	for (size_t i = 0; i < s->catalog.n && k >= 0; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) == PKRAM_ROW_NODE && store_unheld(s, le64toh(row->id)))
			k = ids_add(&unread, le64toh(row->id));
	}
	if (k >= 0)
		k = store_drop(s, &unread);
	ids_done(&unread);
	return k;
}

int store_fits(struct store *s, const struct store_need *needs, size_t n, bool alone)
{
	int k;

	k = store_begin(s, true);
	if (k < 0)
		return k;
	/* Tried in memory alone, and forgotten. */
	k = store_reclaim(s);
	if (k >= 0 && alone)
		k = drop_unread(s);
	if (k >= 0)
		k = keep_all_early(s, needs, n);
	if (k >= 0)
		k = take_needs(s, needs, n);
	store_end(s);
	return k == -ENOSPC ? 0 : k < 0 ? k : 1;
}

int store_reserve(struct store *s, const struct store_need *needs, size_t n, store_yield_fn yield,
		  void *arg)
{
	int k;

	for (size_t i = 0; i < n; i++)
		if (needs[i].size > PKRAM_MAX_SIZE ||
		    needs[i].mirrored > needs[i].size + PKRAM_BLOCK)
			return -EFBIG;
	k = store_begin(s, true);
	if (k < 0)
		return k;
	k = reserve_locked(s, needs, n, yield, arg);
	store_end(s);
	return k;
}

/* Makes the extents hold `size` bytes, the last one longer in place where that goes. */
static int grow_to(struct store *s, struct store_writer *w, uint64_t size)
{
	uint64_t have = spans_total(&w->extents), more = size - have, got, need;
	struct spans gaps = {};
	int k;

	k = space_free(&s->catalog, le64toh(s->sb.size), &gaps);
	if (k < 0)
		return k;
	if (w->extents.n) {
		got = space_extend(&gaps, &w->extents.v[w->extents.n - 1], more);
		more -= got;
	}
	k = space_take(&gaps, more, SPACE_LOW, NULL, &w->extents);
	need = block_length(w, size);
	if (k >= 0 && need > w->block_len)
		k = take_blocks(&gaps, w, need + 4 * PKRAM_BLOCK);
	spans_done(&gaps);
	return k;
}

static int grow_try(struct store *s, struct store_writer *w, uint64_t size)
{
	struct spans before = {};
	int k;

	k = spans_copy(&w->extents, &before);
	if (k >= 0)
		k = writers_heads(s, &w, 1);
	if (k >= 0)
		k = grow_to(s, w, size);
	if (k >= 0)
		k = writers_rows(&s->catalog, &w, 1);
	if (k < 0) {
		spans_done(&w->extents);
		w->extents = before;
		return k;
	}
	spans_done(&before);
	return 0;
}

static int grow_locked(struct store *s, struct store_writer *w, uint64_t size, uint64_t ahead,
		       store_yield_fn yield, void *arg)
{
	int k, given;

	k = store_reclaim(s);
	if (k < 0)
		return k;
	k = grow_try(s, w, ALIGN_UP(size + ahead, (uint64_t)PKRAM_BLOCK));
	if (k == -ENOSPC)
		k = grow_try(s, w, ALIGN_UP(size, (uint64_t)PKRAM_BLOCK));
	if (k == -ENOSPC) {
		given = yield_one(s, w->name, yield, arg);
		if (given < 0)
			return given;
		if (given)
			k = grow_try(s, w, ALIGN_UP(size, (uint64_t)PKRAM_BLOCK));
	}
	if (k == -ENOSPC && yield)
		log_no_space(s, w->name, "at least ", size + 2 * block_length(w, size),
			     spans_total(&w->extents) + 2 * w->block_len);
	if (k < 0)
		return k;
	HOOK("reserve");
	return store_publish(s);
}

int store_writer_grow(struct store_writer *w, uint64_t size, uint64_t ahead, store_yield_fn yield,
		      void *arg, uint64_t *ret_capacity)
{
	struct store *s = w->store;
	uint64_t capacity = spans_total(&w->extents);
	int k;

	if (size > PKRAM_MAX_SIZE || ahead > PKRAM_MAX_SIZE)
		return -EFBIG;
	if (size > capacity) {
		k = store_begin(s, true);
		if (k < 0)
			return k;
		k = grow_locked(s, w, size, ahead, yield, arg);
		store_end(s);
		if (k < 0)
			return k;
		w->grown = true;
		capacity = spans_total(&w->extents);
	}
	k = array_grow(&w->hashes, &w->cap_hashes, window_count(capacity, 0), sizeof(*w->hashes));
	if (k < 0)
		return k;
	*ret_capacity = capacity;
	return 0;
}

int writer_settle(struct store *s, struct store_writer *w)
{
	uint64_t length;
	int k = 0;

	cut_spans(&w->extents, ALIGN_UP(w->size, (uint64_t)PKRAM_BLOCK));
	length = block_length(w, w->size);
	/* A stream without a byte has reserved nothing yet. */
	if (length > w->block_len || !w->blocks.n) {
		struct spans gaps = {};

		k = space_free(&s->catalog, le64toh(s->sb.size), &gaps);
		if (k >= 0)
			k = take_blocks(&gaps, w, length);
		spans_done(&gaps);
		if (k == -ENOSPC)
			log_no_space(s, w->name, "", length * 2, 0);
		/* The next one of its set does not take them, too. */
		if (k >= 0)
			k = writers_rows(&s->catalog, &w, 1);
		if (k < 0)
			return k;
	}
	w->block_len = length;
	w->blocks.v[0].len = w->blocks.v[1].len = length;
	return 0;
}
