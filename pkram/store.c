/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An open container: opening, describing, listing, removing, the jump record.
 */
#include "store-internal.h"

int store_open(struct region *region, struct store **ret)
{
	struct store *s;
	int k;

	if (region->size < PKRAM_MIN_SIZE) {
		k = log_error_errno(region->ctx, -ENOSPC,
			"%s: %ju bytes are too few for a container; it needs %u", region->spec,
			(uintmax_t)region->size, PKRAM_MIN_SIZE);
		region_close(region);
		return k;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		region_close(region);
		return -ENOMEM;
	}
	s->ctx = region->ctx;
	s->region = region;
	pthread_mutex_init(&s->mutex, NULL);
	k = store_begin(s, false);
	if (k < 0) {
		store_close(s);
		return k;
	}
	store_end(s);
	*ret = s;
	return 0;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	catalog_done(&s->catalog);
	spans_done(&s->erase);
	free(s->holds);
	free(s->half);
	region_close(s->region);
	pthread_mutex_destroy(&s->mutex);
	free(s);
	return NULL;
}

struct region *store_region(struct store *s)
{
	return s->region;
}

struct pkram_ctx *store_ctx(struct store *s)
{
	return s->ctx;
}

/* What the dead have counts as free: the next change gives it back. */
static int free_gaps(struct store *s, struct spans *ret)
{
	struct catalog c = {};
	struct ids gone = {};
	int k = store_find_dead(s, &gone);

	if (k >= 0)
		k = catalog_copy(&s->catalog, &c);
	if (k >= 0) {
		catalog_drop(&c, &gone);
		k = space_free(&c, le64toh(s->sb.size), ret);
	}
	ids_done(&gone);
	catalog_done(&c);
	return k;
}

static int describe(struct store *s, struct store_info *ret)
{
	struct store_info info = {
		.generation = le64toh(s->sb.generation),
		.phys = le64toh(s->sb.phys),
		.size = le64toh(s->sb.size),
		.payload = le64toh(s->sb.size) - PKRAM_PAYLOAD_START - PKRAM_TAIL_SIZE,
		.recovered = s->recovered,
		.jump = s->sb.jump,
		.arrival = s->sb.arrival,
		.account = s->sb.account,
	};
	struct spans gaps = {};
	int k;

	memcpy(info.uuid, s->sb.uuid, sizeof(info.uuid));
	k = free_gaps(s, &gaps);
	if (k < 0)
		return k;
	info.free = spans_total(&gaps);
	for (size_t i = 0; i < gaps.n; i++) {
		info.largest_free = MAX(info.largest_free, gaps.v[i].len);
	}
	spans_done(&gaps);
	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) == PKRAM_ROW_NODE)
			info.nodes++;
		else if (le32toh(row->kind) == PKRAM_ROW_WRITER &&
			 store_writer_lives(s, le64toh(row->id)))
			info.writers++;
	}
	*ret = info;
	return 0;
}

int store_info(struct store *s, struct store_info *ret)
{
	int k;

	k = store_begin(s, false);
	if (k < 0)
		return k;
	k = describe(s, ret);
	store_end(s);
	return k;
}

/* --- listing --- */

static int node_cmp(const void *a, const void *b)
{
	const struct store_node *x = a, *y = b;

	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

bool store_node_named(const struct store_node *n, const char *name)
{
	if (n->damaged)
		return n->name_hash == name_hash(name);
	return !n->writing && strcmp(n->name, name) == 0;
}

struct store_node *store_nodes_free(struct store_node *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_node_done(&nodes[i]);
	free(nodes);
	return NULL;
}

static int list_locked(struct store *s, struct store_node **ret, size_t *ret_n)
{
	struct store_node *v = calloc(MAX(s->catalog.n, (size_t)1), sizeof(*v));
	size_t n = 0;
	int k;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];
		uint32_t kind = le32toh(row->kind);
		uint64_t id = le64toh(row->id);
		bool writing = kind == PKRAM_ROW_WRITER && store_writer_lives(s, id);

		if (kind != PKRAM_ROW_NODE && !writing)
			continue;
		k = writing ? -EBADMSG : node_read(s, row, &v[n]);
		if (k == -EBADMSG) {
			v[n] = (struct store_node){
				.id = id, .stored = catalog_space(&s->catalog, id), .name = "",
				.kernel = "", .host = "", .source = "", .fs_type = "",
				.mount_options = "", .damaged = !writing, .writing = writing,
				.name_hash = le64toh(row->name_hash),
			};
		} else if (k < 0) {
			store_nodes_free(v, n);
			return k;
		}
		n++;
	}
	if (n)
		qsort(v, n, sizeof(*v), node_cmp);
	*ret = v;
	*ret_n = n;
	return 0;
}

int store_nodes(struct store *s, struct store_node **ret, size_t *ret_n)
{
	int k;

	k = store_begin(s, false);
	if (k < 0)
		return k;
	k = list_locked(s, ret, ret_n);
	store_end(s);
	return k;
}

/* --- removing --- */

static int wipe(struct store *s, const struct catalog *c, const struct ids *ids)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct pkram_row *row = &c->rows[i];
		int k;

		if (!row->len || !ids_have(ids, le64toh(row->id)))
			continue;
		k = region_zero(s->region, le64toh(row->off), le64toh(row->len));
		if (k < 0)
			return k;
	}
	return 0;
}

static int find_all(struct store *s, const char *const *names, size_t n, bool wiped,
		    struct pkram_row **ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[i] = store_find(s, names[i]);
		if (!ret[i])
			return store_no_node(s, names[i]);
		if (wiped && !store_unheld(s, le64toh(ret[i]->id)))
			return log_error_errno(
				s->ctx, -EBUSY,
				"%s: %s is being read; its bytes cannot be wiped now",
				s->region->spec, names[i]);
	}
	return 0;
}

/*
 * Bytes are wiped after the commit that makes them nobody's, from the rows as they were, before the
 * lock is let go: a kill in between leaves bytes, never a node without its bytes.
 */
static int remove_locked(struct store *s, const char *const *names, size_t n, bool wiped)
{
	_cleanup_free_ struct pkram_row **heads = calloc(n, sizeof(*heads));
	struct catalog before = {};
	struct ids gone = {};
	int k;

	k = heads ? find_all(s, names, n, wiped, heads) : -ENOMEM;
	if (k >= 0 && wiped)
		k = catalog_copy(&s->catalog, &before);
	for (size_t i = 0; i < n && k >= 0; i++)
		/* The same name twice may be an orphan already. */
		if (le32toh(heads[i]->kind) == PKRAM_ROW_NODE)
			k = store_unlink(s, heads[i], &gone);
	if (k >= 0)
		k = store_drop(s, &gone);
	if (k >= 0)
		k = store_publish(s);
	if (k >= 0 && wiped)
		k = wipe(s, &before, &gone);
	ids_done(&gone);
	catalog_done(&before);
	return k;
}

int store_remove(struct store *s, const char *const *names, size_t n, bool wiped)
{
	int k;

	if (!n)
		return 0;
	k = store_begin(s, true);
	if (k < 0)
		return k;
	k = store_reclaim(s);
	if (k >= 0)
		k = remove_locked(s, names, n, wiped);
	store_end(s);
	return k;
}

int store_drop_nodes(struct store *s, const uint64_t *ids, size_t n)
{
	int k = store_begin(s, true);

	if (k < 0)
		return k;
	k = store_unlink_ids(s, ids, n);
	if (k >= 0)
		k = store_publish(s);
	store_end(s);
	return k;
}

/* --- the jump records --- */

static int count_saved(struct store *s, const uint8_t boot[16], uint64_t *ret)
{
	struct store_node *nodes;
	uint64_t count = 0;
	size_t n;
	int k = list_locked(s, &nodes, &n);

	if (k < 0)
		return k;
	for (size_t i = 0; i < n; i++)
		count += !nodes[i].damaged && !nodes[i].writing &&
			 memcmp(nodes[i].boot_id, boot, 16) == 0;
	store_nodes_free(nodes, n);
	*ret = count;
	return 0;
}

static int put_arrival(struct store *s, const struct store_jump *jump)
{
	uint64_t came;
	int k = count_saved(s, jump->record.old_boot, &came);

	if (k < 0)
		return k;
	s->sb.arrival = jump->record;
	s->sb.jump = (struct pkram_jump){};
	s->sb.account = (struct pkram_account){ .last = jump->times, .came = htole64(came) };
	return 0;
}

static int change_jump(struct store *s, int (*fn)(void *arg, struct store_jump *jump), void *arg,
		       bool arrived)
{
	struct store_jump jump;
	int k;

	k = store_begin(s, true);
	if (k < 0)
		return k;
	jump = (struct store_jump){ .record = s->sb.jump, .times = s->sb.account.next };
	k = fn(arg, &jump);
	if (k >= 0 && arrived) {
		k = put_arrival(s, &jump);
	} else if (k >= 0) {
		s->sb.jump = jump.record;
		s->sb.account.next = jump.times;
	}
	if (k >= 0)
		k = store_publish(s);
	store_end(s);
	return k;
}

int store_update_jump(struct store *s, int (*fn)(void *arg, struct store_jump *jump), void *arg)
{
	return change_jump(s, fn, arg, false);
}

int store_arrive(struct store *s, int (*fn)(void *arg, struct store_jump *jump), void *arg)
{
	return change_jump(s, fn, arg, true);
}
