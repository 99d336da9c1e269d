/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the nodes again when the newest superblock or its catalog is damaged.
 *
 * A scan finds every block that reads as a node block of this container. One that lies inside the
 * bytes of another node is that node's payload (a saved file may hold a perfect copy of a node
 * block), and one whose space belongs to a better candidate is a leftover.
 */
#include "store-internal.h"

struct candidate {
	struct store_node node;
	uint64_t at, other, length, hash;
	bool trusted;	/* the last valid catalog names it */
	bool payload;	/* lies inside another one's verified bytes */
};

struct candidates {
	struct candidate *v;
	size_t n, cap;
};

static void candidates_done(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		store_node_done(&c->v[i].node);
	free(c->v);
}

static int consider(struct region *r, const uint8_t key[16], uint64_t size, uint64_t at,
		    const struct catalog *base, struct candidates *c)
{
	const struct pkram_node_block *b;
	struct candidate cand = { .at = at };
	int k;

	k = node_block_read(r, key, size, at, &cand.node, &cand.hash);
	if (k == -EBADMSG)
		return 0;
	if (k < 0)
		return k;
	b = cand.node.block;
	cand.other = le64toh(b->other);
	cand.length = le64toh(b->length);
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].node.id == cand.node.id && c->v[i].hash == cand.hash &&
		    c->v[i].other == at) {
			/* The second copy of one that we have. */
			store_node_done(&cand.node);
			return 0;
		}
	for (size_t i = 0; i < base->n; i++)
		if (le32toh(base->rows[i].kind) == PKRAM_ROW_NODE &&
		    le64toh(base->rows[i].id) == cand.node.id &&
		    le64toh(base->rows[i].hash) == cand.hash)
			cand.trusted = true;
	k = array_grow(&c->v, &c->cap, c->n + 1, sizeof(*c->v));
	if (k < 0) {
		store_node_done(&cand.node);
		return k;
	}
	c->v[c->n++] = cand;
	return 0;
}

/* Bytes to look through; blocks that cannot be read are passed over as zeroes. */
static int scan_bytes(struct region *r, uint64_t off, size_t len, uint8_t *buf, const uint8_t **ret)
{
	int k;

	*ret = region_ptr(r, off);
	if (*ret)
		return 0;
	*ret = buf;
	k = read_bytes(r, off, len, buf);
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

static int scan(struct region *r, const uint8_t key[16], uint64_t size, const struct catalog *base,
		struct candidates *c)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(PKRAM_WINDOW);
	uint64_t end = size - PKRAM_TAIL_SIZE;

	if (!buf)
		return -ENOMEM;
	for (uint64_t off = PKRAM_PAYLOAD_START; off < end; off += PKRAM_WINDOW) {
		size_t len = MIN((uint64_t)PKRAM_WINDOW, end - off);
		const uint8_t *bytes;
		int k;

		k = scan_bytes(r, off, len, buf, &bytes);
		if (k < 0)
			return k;
		for (size_t i = 0; i < len; i += PKRAM_BLOCK) {
			if (memcmp(bytes + i, PKRAM_NODE_MAGIC, 8) != 0)
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
		const void *bytes;
		uint64_t index;
		size_t len;

		if (at < s->v[i].off || at - s->v[i].off >= s->v[i].len)
			continue;
		index = window_index(n->mirrored, logical + (at - s->v[i].off));
		if (index >= n->windows)
			return false;
		len = window_length(n->size, n->mirrored, index);
		return spans_read(r, s, window_offset(n->mirrored, index), len, buf, &bytes) >= 0 &&
		       store_node_window_is(n, index, bytes, len);
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

static int mark_payload(struct region *r, struct candidates *c)
{
	_cleanup_free_ uint8_t *buf = io_buffer_new(PKRAM_WINDOW);

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		for (size_t j = 0; j < c->n && !c->v[i].payload && !c->v[i].trusted; j++)
			if (i != j)
				c->v[i].payload = holds_payload(r, &c->v[j].node, c->v[i].at, buf);
	return 0;
}

/* Best first: what the catalog names, then what is newer. */
static int candidate_cmp(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->trusted != y->trusted)
		return x->trusted ? -1 : 1;
	return (y->node.generation > x->node.generation) -
	       (y->node.generation < x->node.generation);
}

static int add_row(struct catalog *c, uint64_t id, enum pkram_row_kind kind, uint64_t off,
		   uint64_t len)
{
	const struct pkram_row row = row_make(id, kind, off, len);

	return catalog_add(c, &row);
}

static int add_node(struct catalog *c, const struct candidate *cand, const struct catalog *base)
{
	const struct store_node *n = &cand->node;
	struct pkram_row head = row_make(n->id, PKRAM_ROW_NODE, cand->at, cand->length);
	int k;

	head.hash = htole64(cand->hash);
	head.name_hash = htole64(name_hash(n->name));

	for (size_t i = 0; i < base->n; i++)
		if (base->rows[i].id == head.id && base->rows[i].kind == head.kind)
			head.restored = base->rows[i].restored;
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

/*
 * A set that is not whole and newer than all others was never committed: none of it counts. An
 * older one was, and what is missing of it was removed or replaced since.
 */
static bool set_whole(const struct candidates *c, size_t i)
{
	uint64_t found = 0, newest = 0;

	for (size_t j = 0; j < c->n; j++) {
		if (c->v[j].payload)
			continue;
		found += c->v[j].node.generation == c->v[i].node.generation;
		newest = MAX(newest, c->v[j].node.generation);
	}
	return c->v[i].trusted || found >= c->v[i].node.set_count ||
	       c->v[i].node.generation < newest;
}

/* A newer node of the same name stands for it. */
static bool superseded(const struct candidates *c, size_t i)
{
	for (size_t j = 0; j < c->n; j++)
		if (j != i && !c->v[j].payload && set_whole(c, j) &&
		    strcmp(c->v[j].node.name, c->v[i].node.name) == 0 &&
		    c->v[j].node.generation > c->v[i].node.generation)
			return true;
	return false;
}

static int accept(struct region *r, struct candidates *c, uint64_t size, const struct catalog *base,
		  struct catalog *ret)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct candidate *cand = &c->v[i];
		size_t before = ret->n;
		int k;

		if (cand->payload || superseded(c, i) || !set_whole(c, i))
			continue;
		k = add_node(ret, cand, base);
		if (k >= 0)
			k = catalog_check(ret, size, UINT64_MAX);
		if (k == -EBADMSG) {
			/* Its space belongs to a better one. */
			ret->n = before;
			continue;
		}
		if (k < 0)
			return k;
		pkram_log_debug(r->ctx, "%s: found %s at 0x%jx", r->spec, cand->node.name,
				(uintmax_t)cand->at);
	}
	return 0;
}

static bool is_known(const struct catalog *c, const struct candidates *found, uint64_t id)
{
	for (size_t i = 0; i < c->n; i++)
		if (le64toh(c->rows[i].id) == id)
			return true;
	for (size_t i = 0; i < found->n; i++)
		if (found->v[i].node.id == id)
			return true;
	return false;
}

/* Removing a node zeroes the first block of both copies. */
static bool is_erased(struct region *r, const struct catalog *base, uint64_t id, uint8_t *block)
{
	for (size_t i = 0; i < base->n; i++) {
		const struct pkram_row *row = &base->rows[i];
		uint32_t kind = le32toh(row->kind);

		if (le64toh(row->id) != id || (kind != PKRAM_ROW_NODE && kind != PKRAM_ROW_COPY))
			continue;
		if (region_read(r, le64toh(row->off), PKRAM_BLOCK, block) < 0)
			continue;
		for (size_t k = 0; k < PKRAM_BLOCK; k++)
			if (block[k])
				return false;
	}
	return true;
}

/*
 * Nodes of the last valid state that were not found: damaged in both copies, unless they were
 * removed since. They stay, for people to hear of them.
 */
static int keep_damaged(struct region *r, const struct candidates *found,
			const struct catalog *base, uint64_t size, struct catalog *ret)
{
	_cleanup_free_ uint8_t *block = io_buffer_new(PKRAM_BLOCK);
	int k = 0;

	if (!block)
		return -ENOMEM;
	for (size_t i = 0; i < base->n && k >= 0; i++) {
		uint64_t id = le64toh(base->rows[i].id);
		size_t before = ret->n;

		if (le32toh(base->rows[i].kind) != PKRAM_ROW_NODE || is_known(ret, found, id) ||
		    is_erased(r, base, id, block))
			continue;
		for (size_t j = 0; j < base->n && k >= 0; j++)
			if (le64toh(base->rows[j].id) == id)
				k = catalog_add(ret, &base->rows[j]);
		if (k >= 0)
			k = catalog_check(ret, size, UINT64_MAX);
		if (k == -EBADMSG) {
			/* Its space was given to another one since. */
			ret->n = before;
			k = 0;
		}
	}
	return k;
}

int recover_catalog(struct region *r, struct pkram_superblock *sb, const struct catalog *base,
		    struct catalog *ret)
{
	uint64_t size = le64toh(sb->size), next_id = 1, generation = le64toh(sb->generation);
	struct candidates c = {};
	struct catalog found = {};
	int k;

	k = scan(r, sb->key, size, base, &c);
	if (k >= 0)
		k = mark_payload(r, &c);
	if (k >= 0) {
		if (c.n)
			qsort(c.v, c.n, sizeof(*c.v), candidate_cmp);
		k = accept(r, &c, size, base, &found);
	}
	if (k >= 0)
		k = keep_damaged(r, &c, base, size, &found);
	if (k >= 0 && !c.n && !base->n && superblock_seal(sb) != le64toh(sb->seal))
		k = -EBADMSG;
	if (k >= 0) {
		for (size_t i = 0; i < c.n; i++) {
			next_id = MAX(next_id, c.v[i].node.id + 1);
			generation = MAX(generation, c.v[i].node.generation);
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
	catalog_done(&found);
	candidates_done(&c);
	return k;
}

bool recover_worth_it(struct region *r)
{
	_cleanup_free_ struct pkram_row *rows = io_buffer_new(PKRAM_BLOCK);
	_cleanup_free_ uint8_t *block = io_buffer_new(PKRAM_BLOCK);

	if (!rows || !block)
		return false;
	for (unsigned int slot = 0; slot < 2; slot++) {
		if (region_read(r, slot * (uint64_t)PKRAM_SLOT_SIZE + PKRAM_BLOCK, PKRAM_BLOCK,
				rows) < 0)
			continue;
		for (size_t i = 0; i < PKRAM_BLOCK / sizeof(*rows); i++) {
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
