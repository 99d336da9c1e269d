/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A node held for reading: extents to bytes, window by window, each against its checksum.
 */
#include "machine.h"
#include "store-internal.h"

struct store_reader {
	struct store *store;
	struct store_node node;
	struct spans extents, mirrors;
	uint64_t container_size;	/* the store's own copy of it changes under its mutex */
};

static void reader_free(struct store_reader *r)
{
	spans_done(&r->extents);
	spans_done(&r->mirrors);
	store_node_done(&r->node);
	free(r);
}

static int reader_new(struct store *s, const char *name, struct store_reader **ret)
{
	struct store_reader *r;
	struct pkram_row *head;
	int k;

	head = store_find(s, name);
	if (!head)
		return store_no_node(s, name);
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->store = s;
	r->container_size = le64toh(s->sb.size);
	k = node_read(s, head, &r->node);
	if (k == -EBADMSG)
		pkram_log_error(s->ctx, "%s: %s: both copies of the node's block are damaged; "
				"'pkram rm' gives its space back", s->region->spec, name);
	if (k >= 0)
		k = spans_of_extents(r->node.extents, r->node.n_extents, &r->extents);
	if (k >= 0)
		k = spans_of_extents(r->node.mirrors, r->node.n_mirrors, &r->mirrors);
	if (k >= 0)
		k = store_hold(s, r->node.id, false);
	if (k < 0) {
		reader_free(r);
		return k;
	}
	*ret = r;
	return 0;
}

int store_reader_open(struct store *s, const char *name, struct store_reader **ret)
{
	int k;

	k = store_begin(s, false);
	if (k < 0)
		return k;
	k = reader_new(s, name, ret);
	store_end(s);
	return k;
}

struct store_reader *store_reader_close(struct store_reader *r)
{
	if (!r)
		return NULL;
	pthread_mutex_lock(&r->store->mutex);
	store_unhold(r->store, r->node.id);
	pthread_mutex_unlock(&r->store->mutex);
	reader_free(r);
	return NULL;
}

const struct store_node *store_reader_node(const struct store_reader *r)
{
	return &r->node;
}

const struct region *store_reader_region(const struct store_reader *r)
{
	return r->store->region;
}

/* One of the windows that are stored twice, from this copy. */
static int read_front(struct store_reader *r, const struct spans *copy, uint64_t index, void *buf,
		      size_t *ret_len)
{
	const struct store_node *n = &r->node;
	size_t len = window_length(n->size, n->mirrored, index);
	int k = spans_read(r->store->region, copy, window_offset(n->mirrored, index), len, buf);

	if (k < 0)
		return k;
	*ret_len = len;
	return store_node_window_is(n, index, buf, len) ? 0 : -EBADMSG;
}

int store_reader_window(struct store_reader *r, uint64_t index, void *bounce, const void **ret,
			size_t *ret_len)
{
	const struct store_node *n = &r->node;
	struct region *region = r->store->region;
	const void *bytes;
	uint64_t off;
	size_t len;
	int k;

	if (index >= n->windows)
		return -ERANGE;
	off = window_offset(n->mirrored, index);
	len = window_length(n->size, n->mirrored, index);
	spans_prepare(region, &r->extents, index, off, false);
	if (off < n->mirrored) {
		*ret = bounce;
		k = read_front(r, &r->extents, index, bounce, ret_len);
		return k == -EBADMSG ? read_front(r, &r->mirrors, index, bounce, ret_len) : k;
	}
	k = spans_look(region, &r->extents, off, len, bounce, &bytes);
	if (k >= 0 && !store_node_window_is(n, index, bytes, len))
		k = -EBADMSG;
	if (k < 0)
		return k;
	*ret = bytes;
	*ret_len = len;
	return 0;
}

/* Both copies of a node block, each as it stands. */
static bool blocks_hold(const struct store_reader *r)
{
	const struct pkram_node_block *b = r->node.block;
	const uint64_t at[2] = { le64toh(b->self), le64toh(b->other) };

	for (int i = 0; i < 2; i++) {
		struct store_node copy;
		uint64_t hash;

		if (node_block_read(r->store->region, b->key, r->container_size, at[i], &copy,
				    &hash) < 0)
			return false;
		store_node_done(&copy);
		if (hash != le64toh(b->hash))
			return false;
	}
	return true;
}

int store_reader_check_copies(struct store_reader *r, void *bounce)
{
	const struct store_node *n = &r->node;

	for (uint64_t i = 0; i < window_front(n->mirrored); i++) {
		size_t len;
		int k = read_front(r, &r->extents, i, bounce, &len);

		if (k >= 0)
			k = read_front(r, &r->mirrors, i, bounce, &len);
		if (k < 0)
			return k;
	}
	return blocks_hold(r) ? 0 : -EBADMSG;
}

uint64_t store_reader_offset(const struct store_reader *r, uint64_t logical)
{
	uint64_t at, there;

	return spans_locate(&r->extents, logical, &at, &there) ? at : 0;
}

static void add_to(pkram_le64 *sum, uint64_t more)
{
	uint64_t v;

	*sum = htole64(add_overflows(le64toh(*sum), more, &v) ? UINT64_MAX : v);
}

/* The account is of nodes that came by the jump which this boot has claimed. */
static void note_restored(struct pkram_superblock *sb, const struct store_restored *r,
			  const uint8_t boot_id[16])
{
	const struct store_node *n = &r->reader->node;
	struct pkram_account *a = &sb->account;
	uint64_t nodes = le64toh(a->nodes);

	if (le32toh(sb->arrival.state) != PKRAM_JUMP_CLAIMED ||
	    memcmp(sb->arrival.claim_boot, boot_id, 16) != 0 ||
	    memcmp(sb->arrival.old_boot, n->boot_id, 16) != 0 ||
	    memcmp(sb->arrival.id, a->last.id, sizeof(a->last.id)) != 0)
		return;
	if (nodes < PKRAM_RESTORED_MAX)
		a->restored[nodes] = (struct pkram_restored){
			.id = htole64(n->id), .end = htole64(r->end), .took = htole64(r->took),
			.bytes = htole64(n->size) };
	add_to(&a->nodes, 1);
	add_to(&a->bytes, n->size);
	add_to(&a->took, r->took);
	a->done = htole64(machine_uptime());
}

int store_mark_restored(struct store *s, const struct store_restored *restored, size_t n,
			const uint8_t boot_id[16])
{
	bool changed = false;
	uint64_t mark;
	int k;

	memcpy(&mark, boot_id, sizeof(mark));
	k = store_begin(s, true);
	if (k < 0)
		return k;
	for (size_t i = 0; i < n; i++) {
		struct pkram_row *head = catalog_head(&s->catalog, restored[i].reader->node.id);

		if (!head || le32toh(head->kind) != PKRAM_ROW_NODE || head->restored == mark)
			continue;
		head->restored = mark;
		note_restored(&s->sb, &restored[i], boot_id);
		changed = true;
	}
	k = changed ? store_publish(s) : 0;
	store_end(s);
	return k;
}
