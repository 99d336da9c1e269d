/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a node: a name and space of its own first, bytes and checksums window by window without
 * any lock, then one commit for a whole set. Until then only the rows of its id are on the medium,
 * and they are void once its writer is gone.
 */
#include "hash.h"
#include "store-writer.h"

static int log_busy(struct store *s, const char *name, uint64_t pid)
{
	return log_error_errno(s->ctx, -EBUSY,
			       "%s: %s is being written by pid %ju; wait for it or end it",
			       s->region->spec, name, (uintmax_t)pid);
}

/* Names that are asked for, by hash: no two of them have the same once they are registered. */
struct wanted {
	uint64_t hash;
	const char *name;
};

static int wanted_cmp(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static struct wanted *wanted_new(struct store_writer *const *writers, size_t n)
{
	struct wanted *v = malloc(MAX(n, (size_t)1) * sizeof(*v));

	if (!v)
		return NULL;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct wanted){ .hash = name_hash(writers[i]->name),
					.name = writers[i]->name };
	qsort(v, n, sizeof(*v), wanted_cmp);
	return v;
}

static const struct wanted *wanted_find(const struct wanted *v, size_t n, uint64_t hash)
{
	const struct wanted key = { .hash = hash };

	return bsearch(&key, v, n, sizeof(*v), wanted_cmp);
}

/* Refuses names that a living writer has. */
static int check_names_free(struct store *s, struct store_writer *const *writers, size_t n)
{
	_cleanup_free_ struct wanted *v = wanted_new(writers, n);

	if (!v)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++)
		if (v[i].hash == v[i - 1].hash)
			return log_busy(s, v[i].name, (uint64_t)getpid());
	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];
		const struct wanted *same;

		if (le32toh(row->kind) != PKRAM_ROW_WRITER)
			continue;
		same = wanted_find(v, n, le64toh(row->name_hash));
		if (same && store_writer_lives(s, le64toh(row->id)))
			return log_busy(s, same->name, le64toh(row->hash));
	}
	return 0;
}

static int add_writer(struct store *s, const struct store_writer *w)
{
	struct pkram_row row = row_make(w->id, PKRAM_ROW_WRITER, 0, 0);
	int k;

	row.hash = htole64((uint64_t)getpid());
	row.name_hash = htole64(name_hash(w->name));
	k = catalog_add(&s->catalog, &row);
	return k < 0 ? k : store_hold(s, w->id, true);
}

static int register_locked(struct store *s, struct store_writer *const *writers, size_t n)
{
	uint64_t first = le64toh(s->sb.next_id);
	size_t held = 0;
	int k;

	k = check_names_free(s, writers, n);
	if (k >= 0)
		k = store_reclaim(s);
	if (k >= 0 && (first >= PKRAM_ID_MAX || n > PKRAM_ID_MAX - first))
		k = log_error_errno(s->ctx, -EOVERFLOW, "%s: no id is left: 'pkram init' makes the "
				    "container anew", s->region->spec);
	while (held < n && k >= 0) {
		writers[held]->id = first + held;
		k = add_writer(s, writers[held]);
		held += k >= 0;
	}
	if (k >= 0) {
		s->sb.next_id = htole64(first + n);
		k = store_publish(s);
	}
	while (k < 0 && held)
		store_unhold(s, writers[--held]->id);
	return k;
}

static int writers_register(struct store *s, struct store_writer *const *writers, size_t n)
{
	int k;

	k = store_begin(s, true);
	if (k < 0)
		return k;
	k = register_locked(s, writers, n);
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

static int writer_new(struct store *s, const struct store_claim *claim, struct store_writer **ret)
{
	struct store_writer *w;
	size_t len = strlen(claim->name);

	if (len == 0)
		return log_error_errno(s->ctx, -EINVAL, "a node's name cannot be empty");
	if (len > PKRAM_NAME_MAX)
		return log_error_errno(
			s->ctx, -ENAMETOOLONG,
			"%.40s...: %zu bytes are too long for a node's name (limit %u); "
			"give it a shorter one",
			claim->name, len, PKRAM_NAME_MAX);
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->store = s;
	w->kind = claim->kind;
	w->name = strdup(claim->name);
	if (!w->name) {
		free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

int store_writers_open(struct store *s, const struct store_claim *claims, size_t n,
		       struct store_writer **ret)
{
	size_t made = 0;
	int k = 0;

	if (!n)
		return 0;
	while (made < n && k >= 0) {
		k = writer_new(s, &claims[made], &ret[made]);
		made += k >= 0;
	}
	if (k >= 0)
		k = writers_register(s, ret, n);
	while (k < 0 && made) {
		writer_free(ret[--made]);
		ret[made] = NULL;
	}
	return k;
}

int store_writer_open(struct store *s, const char *name, enum pkram_node_kind kind,
		      struct store_writer **ret)
{
	const struct store_claim claim = { .name = name, .kind = kind };
	struct store_writer *w;
	int k;

	k = store_writers_open(s, &claim, 1, &w);
	if (k >= 0)
		*ret = w;
	return k;
}

static int writer_ids(struct store_writer *const *writers, size_t n, struct ids *ret)
{
	int k = 0;

	for (size_t i = 0; i < n && k >= 0; i++)
		k = ids_add(ret, writers[i]->id);
	ids_sort(ret);
	return k;
}

/* Drops those of them that are writers yet: a commit that failed late may have been made. */
static int drop_writers(struct store *s, struct store_writer *const *writers, size_t n)
{
	struct ids ours = {}, writing = {};
	int k = writer_ids(writers, n, &ours);

	for (size_t i = 0; i < s->catalog.n && k >= 0; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) == PKRAM_ROW_WRITER && ids_have(&ours, le64toh(row->id)))
			k = ids_add(&writing, le64toh(row->id));
	}
	if (k >= 0 && writing.n) {
		k = store_drop(s, &writing);
		if (k >= 0)
			k = store_publish(s);
	}
	ids_done(&ours);
	ids_done(&writing);
	return k;
}

static void unhold_writers(struct store *s, struct store_writer *const *writers, size_t n)
{
	while (n)
		store_unhold(s, writers[--n]->id);
}

void store_writers_discard(struct store_writer **writers, size_t n)
{
	struct store *s;

	if (!n)
		return;
	s = writers[0]->store;
	if (store_begin(s, true) >= 0) {
		unhold_writers(s, writers, n);
		if (drop_writers(s, writers, n) < 0)
			pkram_log_debug(s->ctx, "%s: the space of %s comes back later",
					s->region->spec, n == 1 ? writers[0]->name : "a set");
		store_end(s);
	} else {
		pthread_mutex_lock(&s->mutex);
		unhold_writers(s, writers, n);
		pthread_mutex_unlock(&s->mutex);
	}
	for (size_t i = 0; i < n; i++)
		writer_free(TAKE_PTR(writers[i]));
}

struct store_writer *store_writer_discard(struct store_writer *w)
{
	if (w)
		store_writers_discard(&w, 1);
	return NULL;
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
	_io_aligned_ uint8_t block[PKRAM_BLOCK];
	size_t done = 0;

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

/* In one pass over the rows, whatever the number of names. */
static int unlink_old(struct store *s, struct store_writer *const *writers, size_t n)
{
	_cleanup_free_ struct wanted *v = wanted_new(writers, n);
	struct ids gone = {};
	int k = v ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->catalog.n && k >= 0; i++) {
		struct pkram_row *row = &s->catalog.rows[i];
		const struct wanted *w;

		if (le32toh(row->kind) != PKRAM_ROW_NODE)
			continue;
		w = wanted_find(v, n, le64toh(row->name_hash));
		if (w && store_row_named(s, row, w->name))
			k = store_unlink(s, row, &gone);
	}
	if (k >= 0)
		k = store_drop(s, &gone);
	ids_done(&gone);
	return k;
}

static int commit_set(struct store *s, struct store_writer *const *writers, size_t n)
{
	int k;

	k = writers_heads(s, writers, n);
	for (size_t i = 0; i < n && k >= 0; i++)
		k = writer_settle(s, writers[i]);
	for (size_t i = 0; i < n && k >= 0; i++) {
		struct store_writer *w = writers[i];
		uint64_t hash = 0;

		k = write_blocks(s, w, n, &hash);
		w->head = row_make(w->id, PKRAM_ROW_NODE, w->blocks.v[0].off, w->block_len);
		w->head.hash = htole64(hash);
		w->head.name_hash = htole64(name_hash(w->name));
	}
	if (k >= 0)
		k = unlink_old(s, writers, n);
	return k < 0 ? k : writers_rows(&s->catalog, writers, n);
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

int store_commit_instead(struct store *s, struct store_writer **writers, size_t n,
			 const uint64_t *ids, size_t n_ids)
{
	int k;

	k = store_begin(s, true);
	if (k >= 0) {
		pass_origins(s, writers, n);
		k = commit_set(s, writers, n);
		if (k >= 0)
			k = store_unlink_ids(s, ids, n_ids);
		region_persist(s->region);
		if (k >= 0)
			k = store_publish(s);
		if (k >= 0)
			unhold_writers(s, writers, n);
		store_end(s);
	}
	if (k < 0)
		store_writers_discard(writers, n);
	else
		for (size_t i = 0; i < n; i++)
			writer_free(writers[i]);
	return k;
}

int store_commit(struct store *s, struct store_writer **writers, size_t n)
{
	return store_commit_instead(s, writers, n, NULL, 0);
}
