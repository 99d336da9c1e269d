/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the nodes again when the newest superblock or its catalog is damaged.
 *
 * A scan finds every block that reads as a node block of this container. One that lies inside the
 * bytes of another node is that node's payload (a saved file may hold a perfect copy of a node
 * block), and one whose space belongs to a better candidate is a leftover.
 */
#include <search.h>

#include "store-internal.h"

struct candidate {
	struct store_node node;
	uint64_t at, other, length, hash;
	struct candidate *same_id; /* the first that was found of its id: itself, mostly */
	bool trusted;	/* the last valid catalog names it */
	bool payload;	/* lies inside another one's verified bytes */
	bool whole;	/* so is its set, or it was once */
	bool superseded; /* a newer node has its name */
	bool id_taken;	/* one of its id was accepted; of same_id alone */
};

/* As they were found, by offset, until accept() has its own order of them. */
struct candidates {
	struct candidate **v;
	size_t n, cap;
	void *ids, *copies; /* trees of them: the first one of each id; where the other copy is */
};

/* The rows of the last valid state by id, and of one id in their order. */
struct base {
	const struct catalog *rows;
	const struct pkram_row **v;
	size_t n;
};

/* What the accepted nodes own, each span malloc'ed: a tree in which overlapping is being equal. */
struct taken {
	void *spans;
	uint64_t size; /* of the container */
};

/* What is in a tree belongs to the array. */
static void keep(void *p)
{
	(void)p;
}

static struct candidate *candidate_free(struct candidate *cand)
{
	if (cand)
		store_node_done(&cand->node);
	free(cand);
	return NULL;
}
DEFINE_CLEANUP(struct candidate *, candidate_free)

static void candidates_done(struct candidates *c)
{
	tdestroy(c->ids, keep);
	tdestroy(c->copies, keep);
	for (size_t i = 0; i < c->n; i++)
		candidate_free(c->v[i]);
	free(c->v);
}

static int u64_cmp(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

/* --- the last valid state --- */

static int base_cmp(const void *a, const void *b)
{
	const struct pkram_row *x = *(const struct pkram_row *const *)a;
	const struct pkram_row *y = *(const struct pkram_row *const *)b;
	int k = u64_cmp(le64toh(x->id), le64toh(y->id));

	return k ? k : (x > y) - (x < y);
}

static int base_new(const struct catalog *rows, struct base *ret)
{
	const struct pkram_row **v = malloc(MAX(rows->n, (size_t)1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < rows->n; i++)
		v[i] = &rows->rows[i];
	if (rows->n)
		qsort(v, rows->n, sizeof(*v), base_cmp);
	*ret = (struct base){ .rows = rows, .v = v, .n = rows->n };
	return 0;
}

/* Where the rows of an id begin; base_next() goes through them. */
static size_t base_find(const struct base *b, uint64_t id)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (le64toh(b->v[mid]->id) < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct pkram_row *base_next(const struct base *b, uint64_t id, size_t *i)
{
	return *i < b->n && le64toh(b->v[*i]->id) == id ? b->v[(*i)++] : NULL;
}

/* The row of a node, NULL where that state has none of this id. */
static const struct pkram_row *base_node(const struct base *b, uint64_t id)
{
	const struct pkram_row *row;
	size_t i = base_find(b, id);

	while ((row = base_next(b, id, &i)))
		if (le32toh(row->kind) == PKRAM_ROW_NODE)
			return row;
	return NULL;
}

/* --- the scan --- */

static int id_cmp(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return u64_cmp(x->node.id, y->node.id);
}

static int copy_cmp(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int k = u64_cmp(x->other, y->other);

	k = k ? k : u64_cmp(x->node.id, y->node.id);
	return k ? k : u64_cmp(x->hash, y->hash);
}

static bool is_second_copy(const struct candidates *c, const struct candidate *cand)
{
	const struct candidate first = { .node.id = cand->node.id, .hash = cand->hash,
					 .other = cand->at };

	return tfind(&first, &c->copies, copy_cmp) != NULL;
}

/* The candidate belongs to them, also when it fails. */
static int add_candidate(struct candidates *c, struct candidate *cand)
{
	struct candidate **first;
	int k;

	k = array_grow(&c->v, &c->cap, c->n + 1, sizeof(*c->v));
	if (k < 0) {
		candidate_free(cand);
		return k;
	}
	c->v[c->n++] = cand;
	first = tsearch(cand, &c->ids, id_cmp);
	if (!first || !tsearch(cand, &c->copies, copy_cmp))
		return -ENOMEM;
	cand->same_id = *first;
	return 0;
}

static int consider(struct region *r, const uint8_t key[16], uint64_t size, uint64_t at,
		    const struct base *base, struct candidates *c)
{
	_cleanup_(candidate_free_p) struct candidate *cand = calloc(1, sizeof(*cand));
	const struct pkram_node_block *b;
	const struct pkram_row *row;
	int k;

	if (!cand)
		return -ENOMEM;
	k = node_block_read(r, key, size, at, &cand->node, &cand->hash);
	if (k == -EBADMSG)
		return 0;
	if (k < 0)
		return k;
	b = cand->node.block;
	cand->at = at;
	cand->other = le64toh(b->other);
	cand->length = le64toh(b->length);
	if (is_second_copy(c, cand))
		return 0;
	row = base_node(base, cand->node.id);
	cand->trusted = row && le64toh(row->hash) == cand->hash;
	return add_candidate(c, TAKE_PTR(cand));
}

/* Bytes to look through; blocks that cannot be read are passed over as zeroes. */
static int scan_bytes(struct region *r, uint64_t off, size_t len, uint8_t *buf)
{
	int k = read_bytes(r, off, len, buf);

	if (k != -EBADMSG)
		return k;
	for (size_t i = 0; i < len; i += PKRAM_BLOCK) {
		k = read_bytes(r, off + i, PKRAM_BLOCK, buf + i);
		if (k == -EBADMSG)
			memset(buf + i, 0, PKRAM_BLOCK);
		else if (k < 0)
			return k;
	}
	return 0;
}

static int scan(struct region *r, const uint8_t key[16], uint64_t size, const struct base *base,
		struct candidates *c)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(PKRAM_WINDOW);
	uint64_t end = size - PKRAM_TAIL_SIZE;

	if (!buf)
		return -ENOMEM;
	for (uint64_t off = PKRAM_PAYLOAD_START; off < end; off += PKRAM_WINDOW) {
		size_t len = MIN((uint64_t)PKRAM_WINDOW, end - off);
		int k;

		k = scan_bytes(r, off, len, buf);
		if (k < 0)
			return k;
		for (size_t i = 0; i < len; i += PKRAM_BLOCK) {
			if (memcmp(buf + i, PKRAM_NODE_MAGIC, 8) != 0)
				continue;
			k = consider(r, key, size, off + i, base, c);
			if (k < 0)
				return k;
		}
	}
	return 0;
}

/* Whether container offset `at` lies in these spans, in a window of the node whose checksum holds.
 */
static bool holds(struct region *r, const struct store_node *n, const struct spans *s, uint64_t at,
		  uint8_t *buf)
{
	uint64_t logical = 0;

	for (size_t i = 0; i < s->n; logical += s->v[i++].len) {
		uint64_t index;
		size_t len;

		if (at < s->v[i].off || at - s->v[i].off >= s->v[i].len)
			continue;
		index = window_index(n->mirrored, logical + (at - s->v[i].off));
		if (index >= n->windows)
			return false;
		len = window_length(n->size, n->mirrored, index);
		return spans_read(r, s, window_offset(n->mirrored, index), len, buf) >= 0 &&
		       store_node_window_is(n, index, buf, len);
	}
	return false;
}

static bool holds_payload(struct region *r, const struct store_node *n, uint64_t at, uint8_t *buf)
{
	struct spans extents = {}, mirrors = {};
	bool yes;

	yes = spans_of_extents(n->extents, n->n_extents, &extents) >= 0 &&
	      spans_of_extents(n->mirrors, n->n_mirrors, &mirrors) >= 0 &&
	      (holds(r, n, &extents, at, buf) || holds(r, n, &mirrors, at, buf));
	spans_done(&extents);
	spans_done(&mirrors);
	return yes;
}

/* A piece of the payload that a candidate claims. */
struct claim {
	uint64_t off, end;
	struct candidate *by;
};

struct claims {
	struct claim *v;
	size_t n, cap;
};

static int claim_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return u64_cmp(x->off, y->off);
}

static int claim_extents(struct claims *claims, struct candidate *by, const struct pkram_extent *e,
			 uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t off = le64toh(e[i].off);
		int k = array_grow(&claims->v, &claims->cap, claims->n + 1, sizeof(*claims->v));

		if (k < 0)
			return k;
		claims->v[claims->n++] = (struct claim){ .off = off, .by = by,
							 .end = off + le64toh(e[i].len) };
	}
	return 0;
}

static int claims_new(const struct candidates *c, struct claims *ret)
{
	int k = 0;

	for (size_t i = 0; i < c->n && k >= 0; i++) {
		const struct store_node *n = &c->v[i]->node;

		k = claim_extents(ret, c->v[i], n->extents, n->n_extents);
		if (k >= 0)
			k = claim_extents(ret, c->v[i], n->mirrors, n->n_mirrors);
	}
	if (k >= 0 && ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), claim_cmp);
	return k;
}

/* Through candidates and claims by offset at once: v[0..open) are those that reach so far. */
static int mark_payload(struct region *r, struct candidates *c)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(PKRAM_WINDOW);
	struct claims claims = {};
	size_t open = 0, next = 0;
	int k;

	if (!buf)
		return -ENOMEM;
	k = claims_new(c, &claims);
	for (size_t i = 0; i < c->n && k >= 0; i++) {
		struct candidate *cand = c->v[i];
		size_t still = 0;

		while (next < claims.n && claims.v[next].off <= cand->at)
			claims.v[open++] = claims.v[next++];
		for (size_t j = 0; j < open; j++)
			if (claims.v[j].end > cand->at)
				claims.v[still++] = claims.v[j];
		open = still;
		for (size_t j = 0; j < open && !cand->payload && !cand->trusted; j++)
			if (claims.v[j].by != cand)
				cand->payload = holds_payload(r, &claims.v[j].by->node, cand->at,
							      buf);
	}
	free(claims.v);
	return k;
}

/* --- what of it counts --- */

static int generation_cmp(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;

	return u64_cmp(x->node.generation, y->node.generation);
}

static int name_cmp(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;
	int k = strcmp(x->node.name, y->node.name);

	return k ? k : generation_cmp(a, b);
}

/* Best first: what the catalog names, then what is newer. */
static int best_cmp(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;
	int k;

	if (x->trusted != y->trusted)
		return x->trusted ? -1 : 1;
	k = generation_cmp(b, a);
	return k ? k : u64_cmp(x->at, y->at);
}

/*
 * A set that is not whole and newer than all others was never committed: none of it counts. An
 * older one was, and what is missing of it was removed or replaced since.
 */
static void mark_whole(struct candidates *c)
{
	uint64_t newest = 0;
	size_t end;

	qsort(c->v, c->n, sizeof(*c->v), generation_cmp);
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i]->payload)
			newest = MAX(newest, c->v[i]->node.generation);
	for (size_t i = 0; i < c->n; i = end) {
		uint64_t generation = c->v[i]->node.generation, found = 0;

		for (end = i; end < c->n && c->v[end]->node.generation == generation; end++)
			found += !c->v[end]->payload;
		for (size_t j = i; j < end; j++)
			c->v[j]->whole = c->v[j]->trusted || found >= c->v[j]->node.set_count ||
					 generation < newest;
	}
}

/* A newer node of the same name stands for it. */
static void mark_superseded(struct candidates *c)
{
	uint64_t newest = 0;

	qsort(c->v, c->n, sizeof(*c->v), name_cmp);
	for (size_t i = c->n; i-- > 0;) {
		struct candidate *cand = c->v[i];

		if (i + 1 == c->n || strcmp(cand->node.name, c->v[i + 1]->node.name) != 0)
			newest = 0;
		cand->superseded = cand->node.generation < newest;
		if (cand->whole && !cand->payload)
			newest = MAX(newest, cand->node.generation);
	}
}

/* --- their space --- */

static int overlap_cmp(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (ranges_overlap(x->off, x->len, y->off, y->len))
		return 0;
	return u64_cmp(x->off, y->off);
}

static int take_row(struct taken *t, const struct pkram_row *row)
{
	struct span *s, **there;

	if (!row_sound(row, t->size, UINT64_MAX))
		return -EBADMSG;
	s = malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct span){ .off = le64toh(row->off), .len = le64toh(row->len) };
	there = tsearch(s, &t->spans, overlap_cmp);
	if (there && *there == s)
		return 0;
	free(s);
	return there ? -EBADMSG : -ENOMEM;
}

static void give_row_back(struct taken *t, const struct pkram_row *row)
{
	const struct span key = { .off = le64toh(row->off), .len = le64toh(row->len) };
	struct span **there = tfind(&key, &t->spans, overlap_cmp), *s = there ? *there : NULL;

	tdelete(&key, &t->spans, overlap_cmp);
	free(s);
}

/* The catalog's last rows, of one node: 0, and they are gone, where another one has their space. */
static int take_rows(struct taken *t, struct catalog *c, size_t from)
{
	size_t n = from;
	int k = 0;

	while (n < c->n && k >= 0) {
		k = take_row(t, &c->rows[n]);
		n += k >= 0;
	}
	if (k >= 0)
		return 1;
	while (n > from)
		give_row_back(t, &c->rows[--n]);
	c->n = from;
	return k == -EBADMSG ? 0 : k;
}

static int add_row(struct catalog *c, uint64_t id, enum pkram_row_kind kind, uint64_t off,
		   uint64_t len)
{
	const struct pkram_row row = row_make(id, kind, off, len);

	return catalog_add(c, &row);
}

static int add_node(struct catalog *c, const struct candidate *cand, const struct base *base)
{
	const struct store_node *n = &cand->node;
	const struct pkram_row *known = base_node(base, n->id);
	struct pkram_row head = row_make(n->id, PKRAM_ROW_NODE, cand->at, cand->length);
	int k;

	head.hash = htole64(cand->hash);
	head.name_hash = htole64(name_hash(n->name));
	if (known)
		head.restored = known->restored;
	k = catalog_add(c, &head);
	if (k >= 0)
		k = add_row(c, n->id, PKRAM_ROW_COPY, cand->other, cand->length);
	for (uint64_t i = 0; i < n->n_extents && k >= 0; i++)
		k = add_row(c, n->id, PKRAM_ROW_DATA, le64toh(n->extents[i].off),
				 le64toh(n->extents[i].len));
	for (uint64_t i = 0; i < n->n_mirrors && k >= 0; i++)
		k = add_row(c, n->id, PKRAM_ROW_MIRROR, le64toh(n->mirrors[i].off),
				 le64toh(n->mirrors[i].len));
	return k;
}

static int accept(struct region *r, struct candidates *c, const struct base *base,
		  struct taken *taken, struct catalog *ret)
{
	if (!c->n)
		return 0;
	mark_whole(c);
	mark_superseded(c);
	qsort(c->v, c->n, sizeof(*c->v), best_cmp);
	for (size_t i = 0; i < c->n; i++) {
		struct candidate *cand = c->v[i];
		size_t before = ret->n;
		int k;

		if (cand->payload || cand->superseded || !cand->whole || cand->same_id->id_taken)
			continue;
		k = add_node(ret, cand, base);
		if (k >= 0)
			k = take_rows(taken, ret, before);
		if (k < 0)
			return k;
		if (k == 0)
			continue;
		cand->same_id->id_taken = true;
		pkram_log_debug(r->ctx, "%s: found %s at 0x%jx", r->spec, cand->node.name,
				(uintmax_t)cand->at);
	}
	return 0;
}

static bool was_found(const struct candidates *c, uint64_t id)
{
	const struct candidate key = { .node.id = id };

	return tfind(&key, &c->ids, id_cmp) != NULL;
}

/* Removing a node zeroes the first block of both copies; what cannot be read tells nothing. */
static bool is_erased(struct region *r, const struct base *base, uint64_t id, uint8_t *block)
{
	const struct pkram_row *row;
	size_t i = base_find(base, id);
	bool erased = false;

	while ((row = base_next(base, id, &i))) {
		uint32_t kind = le32toh(row->kind);

		if (kind != PKRAM_ROW_NODE && kind != PKRAM_ROW_COPY)
			continue;
		if (region_read(r, le64toh(row->off), PKRAM_BLOCK, block) < 0)
			continue;
		if (!all_zero(block, PKRAM_BLOCK))
			return false;
		erased = true;
	}
	return erased;
}

/*
 * Nodes of the last valid state that were not found: damaged in both copies, unless they were
 * removed since. They stay, for people to hear of them, but where their space was given to another
 * one since.
 */
static int keep_damaged(struct region *r, const struct candidates *found, const struct base *base,
			struct taken *taken, struct catalog *ret)
{
	_io_aligned_ uint8_t block[PKRAM_BLOCK];
	int k = 0;

	for (size_t i = 0; i < base->rows->n && k >= 0; i++) {
		uint64_t id = le64toh(base->rows->rows[i].id);
		size_t before = ret->n, at = base_find(base, id);
		const struct pkram_row *row;

		if (le32toh(base->rows->rows[i].kind) != PKRAM_ROW_NODE || was_found(found, id) ||
		    is_erased(r, base, id, block))
			continue;
		while (k >= 0 && (row = base_next(base, id, &at)))
			k = catalog_add(ret, row);
		if (k >= 0)
			k = take_rows(taken, ret, before);
	}
	return MIN(k, 0);
}

int recover_catalog(struct region *r, struct pkram_superblock *sb, const struct catalog *base,
		    struct catalog *ret)
{
	uint64_t size = le64toh(sb->size), next_id = 1, generation = le64toh(sb->generation);
	struct taken taken = { .size = size };
	struct base by_id = {};
	struct candidates c = {};
	struct catalog found = {};
	int k;

	k = base_new(base, &by_id);
	if (k >= 0)
		k = scan(r, sb->key, size, &by_id, &c);
	if (k >= 0)
		k = mark_payload(r, &c);
	if (k >= 0)
		k = accept(r, &c, &by_id, &taken, &found);
	if (k >= 0)
		k = keep_damaged(r, &c, &by_id, &taken, &found);
	if (k >= 0 && !c.n && !base->n && superblock_seal(sb) != le64toh(sb->seal))
		k = -EBADMSG;
	if (k >= 0) {
		for (size_t i = 0; i < c.n; i++) {
			next_id = MAX(next_id, c.v[i]->node.id + 1);
			generation = MAX(generation, c.v[i]->node.generation);
		}
		for (size_t i = 0; i < base->n; i++)
			next_id = MAX(next_id, le64toh(base->rows[i].id) + 1);
		/* Ids of lost writers must not come again. */
		next_id = MAX(le64toh(sb->next_id), next_id) + 1024;
		sb->next_id = htole64(MIN(next_id, PKRAM_ID_MAX));
		sb->generation = htole64(generation);
		catalog_done(ret);
		*ret = found;
		found = (struct catalog){};
	}
	tdestroy(taken.spans, free);
	catalog_done(&found);
	candidates_done(&c);
	free(by_id.v);
	return k;
}

bool recover_worth_it(struct region *r)
{
	_io_aligned_ struct pkram_row rows[PKRAM_BLOCK / sizeof(struct pkram_row)];
	_io_aligned_ uint8_t block[PKRAM_BLOCK];

	for (unsigned int slot = 0; slot < 2; slot++) {
		if (region_read(r, slot * (uint64_t)PKRAM_SLOT_SIZE + PKRAM_BLOCK, PKRAM_BLOCK,
				rows) < 0)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			uint64_t off = le64toh(rows[i].off);

			if (le32toh(rows[i].kind) != PKRAM_ROW_NODE ||
			    !IS_ALIGNED(off, PKRAM_BLOCK) ||
			    region_read(r, off, PKRAM_BLOCK, block) < 0)
				continue;
			if (memcmp(block, PKRAM_NODE_MAGIC, 8) == 0)
				return true;
		}
	}
	return false;
}
