/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a node: a name and space of its own first, bytes and checksums window by window without
 * any lock, then one commit for a whole set. Until then only the rows of its id are on the medium,
 * and they are void once its writer is gone.
 */
#include "hash.h"
#include "store-internal.h"

struct store_writer {
	struct store *store;
	uint64_t id;
	enum pkram_node_kind kind;
	char *name;
	char *strings[3];	/* own what props points to */
	struct store_props props;
	struct store_node origin; /* likewise: what props needs of it, in `origin_props` */
	void *origin_props;
	uint64_t size, mirrored;
	struct spans extents, mirrors, blocks; /* blocks: the node block's two copies */
	struct spans early;	/* what it had grown to before all of its need was known */
	bool grown;		/* the extents are what store_writer_grow() made them */
	uint64_t block_len;
	pkram_le64 *hashes;
	size_t cap_hashes;
	struct pkram_hole *holes;
	uint64_t n_holes, room_holes;
};

/* Refuses a name that a living writer has. */
static int check_name_free(struct store *s, const char *name)
{
	uint64_t hash = name_hash(name);

	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) != PKRAM_ROW_WRITER || le64toh(row->name_hash) != hash ||
		    !store_writer_lives(s, le64toh(row->id)))
			continue;
		return log_error_errno(s->ctx, -EBUSY,
				       "%s: %s is being written by pid %ju; wait for it or end it",
				       s->region->spec, name, (uintmax_t)le64toh(row->hash));
	}
	return 0;
}

static int writer_register(struct store *s, struct store_writer *w)
{
	struct pkram_row row;
	int k;

	k = store_begin(s, true);
	if (k < 0)
		return k;
	k = check_name_free(s, w->name);
	if (k >= 0)
		k = store_reclaim(s);
	if (k < 0)
		goto end;
	w->id = le64toh(s->sb.next_id);
	if (w->id >= PKRAM_ID_MAX) {
		k = -EOVERFLOW;
		goto end;
	}
	row = row_make(w->id, PKRAM_ROW_WRITER, 0, 0);
	row.hash = htole64((uint64_t)getpid());
	row.name_hash = htole64(name_hash(w->name));
	k = catalog_add(&s->catalog, &row);
	if (k >= 0)
		k = store_hold(s, w->id, true);
	if (k >= 0) {
		s->sb.next_id = htole64(w->id + 1);
		k = store_publish(s);
		if (k < 0)
			store_unhold(s, w->id);
	}
end:
	store_end(s);
	return k;
}

static void writer_free(struct store_writer *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->strings); i++)
		free(w->strings[i]);
	spans_done(&w->extents);
	spans_done(&w->mirrors);
	spans_done(&w->blocks);
	spans_done(&w->early);
	free(w->origin_props);
	free(w->hashes);
	free(w->holes);
	free(w->name);
	free(w);
}

int store_writer_open(struct store *s, const char *name, enum pkram_node_kind kind,
		      struct store_writer **ret)
{
	struct store_writer *w;
	size_t len = strlen(name);
	int k;

	if (len == 0)
		return log_error_errno(s->ctx, -EINVAL, "a node's name cannot be empty");
	if (len > PKRAM_NAME_MAX)
		return log_error_errno(
			s->ctx, -ENAMETOOLONG,
			"%.40s...: %zu bytes are too long for a node's name (limit %u); "
			"give it a shorter one (save: -n)",
			name, len, PKRAM_NAME_MAX);
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->store = s;
	w->kind = kind;
	w->name = strdup(name);
	k = w->name ? writer_register(s, w) : -ENOMEM;
	if (k < 0) {
		writer_free(w);
		return k;
	}
	*ret = w;
	return 0;
}

struct store_writer *store_writer_discard(struct store_writer *w)
{
	struct store *s;

	if (!w)
		return NULL;
	s = w->store;
	if (store_begin(s, true) >= 0) {
		const struct pkram_row *head = catalog_head(&s->catalog, w->id);
		bool writing = head && le32toh(head->kind) == PKRAM_ROW_WRITER;

		store_unhold(s, w->id);
		/* A commit that failed late may have been made all the same. */
		if (writing && (store_drop(s, w->id) < 0 || store_publish(s) < 0))
			pkram_log_debug(s->ctx, "%s: the space of %s comes back later",
					s->region->spec, w->name);
		store_end(s);
	} else {
		pthread_mutex_lock(&s->mutex);
		store_unhold(s, w->id);
		pthread_mutex_unlock(&s->mutex);
	}
	writer_free(w);
	return NULL;
}

/* --- space --- */

/* Rows of the writer's id as its spans say, behind its head row. */
static int write_rows(struct catalog *c, const struct store_writer *w, const struct pkram_row *head)
{
	struct pkram_row keep = *head, row;
	int k;

	catalog_drop(c, w->id);
	k = catalog_add(c, &keep);
	for (size_t i = 0; i < w->blocks.n && k >= 0; i++) {
		/* The head of a node is the row of the first copy. */
		if (i == 0 && le32toh(keep.kind) == PKRAM_ROW_NODE)
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

/* The writer's own head row; -ESTALE when somebody made the container anew. */
static int own_head(struct store *s, const struct store_writer *w, struct pkram_row *ret)
{
	struct pkram_row *head = catalog_head(&s->catalog, w->id);

	if (!head || le32toh(head->kind) != PKRAM_ROW_WRITER)
		return log_error_errno(s->ctx, -ESTALE,
				       "%s: the space of %s was taken away; save again",
				       s->region->spec, w->name);
	*ret = *head;
	return 0;
}

/* Space for the node block's two copies, in different 2 MiB pages. */
static int take_blocks(struct spans *gaps, struct store_writer *w, uint64_t len)
{
	struct spans blocks = {};
	int k;

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
	struct pkram_row head;
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
		k = own_head(s, w, &head);
	return k < 0 ? k : write_rows(&s->catalog, w, &head);
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
		int k = store_drop(s, old.id);

		store_node_done(&old);
		return k < 0 ? k : 1;
	}
	store_node_done(&old);
	return 0;
}

/* @own: bytes that the writers have already. */
static int log_no_space(struct store *s, const char *name, uint64_t need, uint64_t own)
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
		"%s: no room for %s: needs %ju bytes, %ju are free, %zu old node%s hold%s %ju; "
		"%suse a larger region", s->region->spec, name, (uintmax_t)need,
		(uintmax_t)free_bytes, nodes, nodes == 1 ? "" : "s", nodes == 1 ? "s" : "",
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
	uint64_t own = 0;
	int k, given = 0;

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
		own += spans_total(&needs[i].writer->early);
	if (k == -ENOSPC)
		return log_no_space(s, n == 1 ? needs[0].writer->name : "this set of nodes",
				    needs_total(needs, n), own);
	for (size_t i = 0; i < n && k >= 0; i++) {
		struct store_writer *w = needs[i].writer;
		struct pkram_row head;

		k = own_head(s, w, &head);
		if (k >= 0)
			k = write_rows(&s->catalog, w, &head);
		if (k >= 0)
			k = shift_hashes(w);
	}
	if (k < 0)
		return k;
	HOOK("reserve");
	return store_publish(s);
}

static int drop_unread(struct store *s)
{
	int k = 0;

	for (size_t i = 0; i < s->catalog.n && k >= 0;) {
		const struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) != PKRAM_ROW_NODE || !store_unheld(s, le64toh(row->id))) {
			i++;
			continue;
		}
		k = store_drop(s, le64toh(row->id));
		i = 0;
	}
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
	struct pkram_row head;
	int k;

	k = spans_copy(&w->extents, &before);
	if (k >= 0)
		k = own_head(s, w, &head);
	if (k >= 0)
		k = grow_to(s, w, size);
	if (k >= 0)
		k = write_rows(&s->catalog, w, &head);
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
		log_no_space(s, w->name, size, spans_total(&w->extents));
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

/* --- bytes --- */

void *store_writer_window(struct store_writer *w, uint64_t index, size_t len, void *bounce)
{
	uint64_t off = window_offset(w->mirrored, index), at, there;
	struct region *r = w->store->region;

	if (!r->map || !spans_locate(&w->extents, off, &at, &there) || there < len)
		return bounce;
	spans_prepare(r, &w->extents, index, off, true);
	return region_ptr(r, at);
}

static int spread(struct store_writer *w, const struct spans *spans, uint64_t off, size_t len,
		  const uint8_t *bytes)
{
	size_t done = 0;

	while (done < len) {
		uint64_t at, there;
		size_t piece;
		int k;

		if (!spans_locate(spans, off + done, &at, &there))
			return -ERANGE;
		piece = MIN(there, (uint64_t)(len - done));
		if (region_ptr(w->store->region, at) != bytes + done) {
			k = region_write(w->store->region, at, piece, bytes + done);
			if (k < 0)
				return k;
		}
		done += piece;
	}
	return 0;
}

int store_writer_put(struct store_writer *w, uint64_t index, size_t len, void *bytes)
{
	uint64_t off = window_offset(w->mirrored, index);
	size_t padded = ALIGN_UP(len, (size_t)PKRAM_BLOCK);
	int k;

	HOOK("copy");
	if (index >= w->cap_hashes)
		return -ERANGE;
	/* What follows the last byte in its block would else be what the memory held before. */
	memset((uint8_t *)bytes + len, 0, padded - len);
	w->hashes[index] = htole64(XXH3_64bits(bytes, len));
	k = spread(w, &w->extents, off, padded, bytes);
	if (k >= 0 && off < w->mirrored)
		k = spread(w, &w->mirrors, off, padded, bytes);
	return k;
}

/* In steps: what was checksummed is in the cache when it is copied. */
int store_writer_copy(struct store_writer *w, uint64_t index, size_t len, const void *bytes)
{
	uint64_t off = window_offset(w->mirrored, index);
	struct region *r = w->store->region;
	size_t step = r->map ? REGION_STEP : len, piece;
	XXH3_state_t *hash;
	int k = 0;

	HOOK("copy");
	if (index >= w->cap_hashes || !IS_ALIGNED(len, PKRAM_BLOCK) || off < w->mirrored)
		return -ERANGE;
	hash = XXH3_createState();
	if (!hash)
		return -ENOMEM;
	XXH3_64bits_reset(hash);
	spans_prepare(r, &w->extents, index, off, true);
	for (size_t done = 0; done < len && k >= 0; done += piece) {
		const uint8_t *from = (const uint8_t *)bytes + done;

		piece = MIN(len - done, step);
		XXH3_64bits_update(hash, from, piece);
		k = spread(w, &w->extents, off + done, piece, from);
	}
	w->hashes[index] = htole64(XXH3_64bits_digest(hash));
	XXH3_freeState(hash);
	return k;
}

int store_writer_read(struct store_writer *w, uint64_t off, size_t len, void *buf)
{
	_cleanup_free_ uint8_t *block = io_buffer_new(PKRAM_BLOCK);
	size_t done = 0;

	if (!block)
		return -ENOMEM;
	if (!range_ok(off, len, w->size))
		return -ERANGE;
	while (done < len) {
		uint64_t from = ALIGN_DOWN(off + done, (uint64_t)PKRAM_BLOCK), at, there;
		size_t skip = off + done - from, piece = MIN(PKRAM_BLOCK - skip, len - done);
		int k;

		if (!spans_locate(&w->extents, from, &at, &there))
			return -ERANGE;
		k = region_read(w->store->region, at, PKRAM_BLOCK, block);
		if (k < 0)
			return k;
		memcpy((uint8_t *)buf + done, block + skip, piece);
		done += piece;
	}
	return 0;
}

void store_writer_set_size(struct store_writer *w, uint64_t size)
{
	w->size = size;
}

int store_writer_set_holes(struct store_writer *w, const struct pkram_hole *holes, uint64_t n)
{
	struct pkram_hole *copy = NULL;

	if (n) {
		copy = malloc(n * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, holes, n * sizeof(*copy));
	}
	free(w->holes);
	w->holes = copy;
	w->n_holes = n;
	return 0;
}

static int keep_origin(struct store_writer *w, const struct store_node *n)
{
	void *copy = malloc(MAX(n->props_len, (uint64_t)1));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, n->props, n->props_len);
	free(w->origin_props);
	w->origin_props = copy;
	w->origin = (struct store_node){ .props = copy, .props_len = n->props_len,
					 .generation = n->generation };
	w->props.origin = &w->origin;
	return 0;
}

int store_writer_set_props(struct store_writer *w, const struct store_props *p)
{
	const char *from[3] = { p->source, p->fs_type, p->mount_options };
	char *copy[3] = {};

	for (size_t i = 0; i < ARRAY_SIZE(copy); i++) {
		if (from[i] && !(copy[i] = strdup(from[i]))) {
			while (i--)
				free(copy[i]);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(copy); i++) {
		free(w->strings[i]);
		w->strings[i] = copy[i];
	}
	w->props = *p;
	w->props.source = copy[0];
	w->props.fs_type = copy[1];
	w->props.mount_options = copy[2];
	return p->origin ? keep_origin(w, p->origin) : 0;
}

/* --- commit --- */

static int write_blocks(struct store *s, struct store_writer *w, uint64_t set_count,
			uint64_t *ret_hash)
{
	const struct store_node *origin = w->props.origin;
	const struct node_image img = {
		.kind = w->kind, .id = w->id,
		.generation = origin ? origin->generation : le64toh(s->sb.generation) + 1,
		.set_count = origin ? w->props.origin_set : set_count,
		.size = w->size, .mirrored = w->mirrored,
		.extents = &w->extents, .mirrors = &w->mirrors, .hashes = w->hashes,
		.holes = w->holes, .n_holes = w->n_holes, .name = w->name, .props = &w->props,
	};
	_cleanup_free_ struct pkram_node_block *b = NULL;
	int k;

	k = node_block_build(s, &img, w->block_len, &b, ret_hash);
	for (int i = 0; i < 2 && k >= 0; i++) {
		b->self = htole64(w->blocks.v[i].off);
		b->other = htole64(w->blocks.v[!i].off);
		k = region_write(s->region, w->blocks.v[i].off, w->block_len, b);
		HOOK("body");
	}
	return k;
}

static int commit_one(struct store *s, struct store_writer *w, uint64_t set_count)
{
	struct pkram_row head, *old;
	uint64_t length, hash = 0;
	int k;

	k = own_head(s, w, &head);
	if (k < 0)
		return k;
	/* A stream reserved ahead of its end. */
	cut_spans(&w->extents, ALIGN_UP(w->size, (uint64_t)PKRAM_BLOCK));
	length = block_length(w, w->size);
	if (length > w->block_len || !w->blocks.n) {
		struct spans gaps = {};

		/* A stream without a byte has reserved nothing yet. */
		k = space_free(&s->catalog, le64toh(s->sb.size), &gaps);
		if (k >= 0)
			k = take_blocks(&gaps, w, length);
		spans_done(&gaps);
		if (k == -ENOSPC)
			log_no_space(s, w->name, length * 2, 0);
		if (k < 0)
			return k;
	}
	w->block_len = length;
	w->blocks.v[0].len = w->blocks.v[1].len = length;
	k = write_blocks(s, w, set_count, &hash);
	if (k < 0)
		return k;
	old = store_find(s, w->name);
	if (old) {
		k = store_unlink(s, old);
		if (k < 0)
			return k;
	}
	head = row_make(w->id, PKRAM_ROW_NODE, w->blocks.v[0].off, length);
	head.hash = htole64(hash);
	head.name_hash = htole64(name_hash(w->name));
	return write_rows(&s->catalog, w, &head);
}

/* No node is newer than its container. */
static void pass_origins(struct store *s, struct store_writer *const *writers, size_t n)
{
	uint64_t generation = le64toh(s->sb.generation);

	for (size_t i = 0; i < n; i++)
		if (writers[i]->props.origin)
			generation = MAX(generation, writers[i]->props.origin->generation);
	s->sb.generation = htole64(generation);
}

static int unlink_others(struct store *s, struct store_writer *const *writers, size_t n)
{
	int k = 0;

	for (size_t i = 0; i < s->catalog.n && k >= 0;) {
		struct pkram_row *row = &s->catalog.rows[i];
		bool ours = le32toh(row->kind) != PKRAM_ROW_NODE;

		for (size_t j = 0; j < n && !ours; j++)
			ours = le64toh(row->id) == writers[j]->id;
		if (ours) {
			i++;
			continue;
		}
		k = store_unlink(s, row);
		i = 0;
	}
	return k;
}

static int commit(struct store *s, struct store_writer **writers, size_t n, bool alone)
{
	int k;

	k = store_begin(s, true);
	if (k >= 0) {
		pass_origins(s, writers, n);
		for (size_t i = 0; i < n && k >= 0; i++)
			k = commit_one(s, writers[i], n);
		if (k >= 0 && alone)
			k = unlink_others(s, writers, n);
		region_persist(s->region);
		if (k >= 0)
			k = store_publish(s);
		if (k >= 0)
			for (size_t i = 0; i < n; i++)
				store_unhold(s, writers[i]->id);
		store_end(s);
	}
	for (size_t i = 0; i < n; i++) {
		if (k < 0)
			store_writer_discard(writers[i]);
		else
			writer_free(writers[i]);
	}
	return k;
}

int store_commit(struct store *s, struct store_writer **writers, size_t n)
{
	return commit(s, writers, n, false);
}

int store_commit_alone(struct store *s, struct store_writer **writers, size_t n)
{
	return commit(s, writers, n, true);
}
