/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows and transactions: who owns which part of the payload, and how that changes.
 */
#include "hash.h"
#include "store-internal.h"

void catalog_done(struct catalog *c)
{
	free(c->rows);
	*c = (struct catalog){};
}

struct pkram_row row_make(uint64_t id, enum pkram_row_kind kind, uint64_t off, uint64_t len)
{
	return (struct pkram_row){
		.id = htole64(id), .kind = htole32(kind), .off = htole64(off), .len = htole64(len),
	};
}

int catalog_copy(const struct catalog *from, struct catalog *ret)
{
	struct pkram_row *rows = malloc(MAX(from->n, (size_t)1) * sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	if (from->n)
		memcpy(rows, from->rows, from->n * sizeof(*rows));
	catalog_done(ret);
	*ret = (struct catalog){ .rows = rows, .n = from->n, .cap = MAX(from->n, (size_t)1) };
	return 0;
}

int catalog_add(struct catalog *c, const struct pkram_row *row)
{
	int k = array_grow(&c->rows, &c->cap, c->n + 1, sizeof(*row));

	if (k < 0)
		return k;
	c->rows[c->n++] = *row;
	return 0;
}

static int id_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void ids_done(struct ids *ids)
{
	free(ids->v);
	*ids = (struct ids){};
}

int ids_add(struct ids *ids, uint64_t id)
{
	int k = array_grow(&ids->v, &ids->cap, ids->n + 1, sizeof(*ids->v));

	if (k < 0)
		return k;
	ids->v[ids->n++] = id;
	return 0;
}

void ids_sort(struct ids *ids)
{
	if (ids->n)
		qsort(ids->v, ids->n, sizeof(*ids->v), id_cmp);
}

bool ids_have(const struct ids *ids, uint64_t id)
{
	return ids->n && bsearch(&id, ids->v, ids->n, sizeof(id), id_cmp);
}

void catalog_drop(struct catalog *c, const struct ids *ids)
{
	size_t out = 0;

	for (size_t i = 0; i < c->n; i++)
		if (!ids_have(ids, le64toh(c->rows[i].id)))
			c->rows[out++] = c->rows[i];
	c->n = out;
}

static bool row_is_head(const struct pkram_row *row)
{
	uint32_t kind = le32toh(row->kind);

	return kind == PKRAM_ROW_NODE || kind == PKRAM_ROW_WRITER || kind == PKRAM_ROW_ORPHAN;
}

struct pkram_row *catalog_head(struct catalog *c, uint64_t id)
{
	for (size_t i = 0; i < c->n; i++)
		if (le64toh(c->rows[i].id) == id && row_is_head(&c->rows[i]))
			return &c->rows[i];
	return NULL;
}

uint64_t catalog_space(const struct catalog *c, uint64_t id)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->n; i++)
		if (le64toh(c->rows[i].id) == id)
			sum += le64toh(c->rows[i].len);
	return sum;
}

bool row_sound(const struct pkram_row *row, uint64_t size, uint64_t next_id)
{
	uint64_t id = le64toh(row->id), off = le64toh(row->off), len = le64toh(row->len);
	uint64_t end = size - PKRAM_TAIL_SIZE;

	if (id == 0 || id >= next_id || row->flags || row->reserved)
		return false;
	if (le32toh(row->kind) == PKRAM_ROW_WRITER)
		return off == 0 && len == 0;
	return le32toh(row->kind) >= PKRAM_ROW_NODE && le32toh(row->kind) <= PKRAM_ROW_MIRROR &&
	       len > 0 && IS_ALIGNED(off | len, PKRAM_BLOCK) && off >= PKRAM_PAYLOAD_START &&
	       range_ok(off, len, end);
}

/* Every id has exactly one head: as many heads as ids, and no id twice among the heads. */
static int heads_check(const struct catalog *c)
{
	_cleanup_free_ uint64_t *ids = NULL, *heads = NULL;
	size_t n_heads = 0, n_ids = 0;

	if (!c->n)
		return 0;
	ids = malloc(c->n * sizeof(*ids));
	heads = malloc(c->n * sizeof(*heads));
	if (!ids || !heads)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		ids[i] = le64toh(c->rows[i].id);
		if (row_is_head(&c->rows[i]))
			heads[n_heads++] = ids[i];
	}
	qsort(ids, c->n, sizeof(*ids), id_cmp);
	qsort(heads, n_heads, sizeof(*heads), id_cmp);
	for (size_t i = 0; i < c->n; i++)
		n_ids += i == 0 || ids[i] != ids[i - 1];
	for (size_t i = 1; i < n_heads; i++)
		if (heads[i] == heads[i - 1])
			return -EBADMSG;
	return n_ids == n_heads ? 0 : -EBADMSG;
}

int catalog_check(const struct catalog *c, uint64_t size, uint64_t next_id)
{
	struct spans free_spans = {};
	int k;

	for (size_t i = 0; i < c->n; i++)
		if (!row_sound(&c->rows[i], size, next_id))
			return -EBADMSG;
	k = heads_check(c);
	if (k < 0)
		return k;
	/* Overlaps show when the free space is derived. */
	k = space_free(c, size, &free_spans);
	spans_done(&free_spans);
	return k;
}

uint64_t name_hash(const char *name)
{
	return XXH3_64bits(name, strlen(name));
}

/* --- transactions --- */

/*
 * What can be kept of a superblock whose seal is broken: its key, which the node blocks prove, and
 * of the rest what the other one says, too.
 */
static struct pkram_superblock doubtful_superblock(struct region *r,
						   const struct pkram_superblock *sb,
						   const struct pkram_superblock *other)
{
	struct pkram_superblock new = {
		.version = htole32(PKRAM_FORMAT_VERSION),
		.feature_compat = sb->feature_compat & other->feature_compat,
		.feature_ro = sb->feature_ro & other->feature_ro,
		.feature_incompat = sb->feature_incompat & other->feature_incompat,
		.generation = htole64(1),
		.size = htole64(MIN(ALIGN_DOWN(r->size, PKRAM_BLOCK), PKRAM_MAX_SIZE)),
		.phys = htole64(r->phys),
		.next_id = htole64(1),
	};

	memcpy(new.magic, PKRAM_SB_MAGIC, sizeof(new.magic));
	memcpy(new.uuid, sb->uuid, sizeof(new.uuid));
	memcpy(new.key, sb->key, sizeof(new.key));
	if (memcmp(&sb->jump, &other->jump, sizeof(sb->jump)) == 0)
		new.jump = sb->jump;
	if (memcmp(&sb->arrival, &other->arrival, sizeof(sb->arrival)) == 0)
		new.arrival = sb->arrival;
	if (memcmp(&sb->account, &other->account, sizeof(sb->account)) == 0)
		new.account = sb->account;
	return new;
}

/* Neither slot is whole: the key of either one may be, and then finds the nodes. */
static int recover_from_either(struct store *s, const struct slot slots[2])
{
	static const struct catalog nothing = {};
	int k = -EBADMSG;

	for (int i = 0; i < 2 && k == -EBADMSG; i++) {
		s->sb = doubtful_superblock(s->region, &slots[i].sb, &slots[!i].sb);
		k = superblock_check(s->region, &s->sb);
		if (k >= 0)
			k = recover_catalog(s->region, &s->sb, &nothing, &s->catalog);
	}
	if (k == -EBADMSG)
		pkram_log_error(
			s->ctx,
			"%s: both superblocks are damaged and no node was found: what was here is "
			"lost, as after a firmware reset that clears memory; 'pkram init --force' "
			"starts anew",
			s->region->spec);
	s->slot = 1;
	return k;
}

static int recover_from_base(struct store *s, const struct slot slots[2], unsigned int valid)
{
	struct catalog base = {};
	int k;

	k = slot_read_catalog(s->region, valid, &slots[valid].sb, &base);
	if (k < 0 && k != -EBADMSG)
		return k;
	s->sb = slots[valid].sb;
	s->slot = valid;
	k = recover_catalog(s->region, &s->sb, &base, &s->catalog);
	catalog_done(&base);
	return k;
}

/* In memory alone: who only looks changes nothing, and the next change writes it down. */
static int load_recovered(struct store *s, const struct slot slots[2], int valid)
{
	int k;

	k = valid >= 0 ? recover_from_base(s, slots, (unsigned int)valid) :
			 recover_from_either(s, slots);
	if (k < 0)
		return k;
	pkram_log_warning(s->ctx, "%s: the container's %s damaged; its nodes were found anew",
			  s->region->spec,
			  valid >= 0 ? "newest superblock or catalog is" : "superblocks are");
	s->recovered = true;
	s->loaded = true;
	return 0;
}

static bool is_as_seen(const struct store *s, const struct slot slots[2])
{
	return s->loaded && memcmp(&s->seen[0].sb, &slots[0].sb, sizeof(slots[0].sb)) == 0 &&
	       memcmp(&s->seen[1].sb, &slots[1].sb, sizeof(slots[1].sb)) == 0;
}

/* The slot of the valid state, -1 where there is none. */
static int newest_slot(const struct slot slots[2])
{
	int valid = -1;

	for (int i = 0; i < 2; i++)
		if (slots[i].state == SLOT_VALID &&
		    (valid < 0 || le64toh(slots[i].sb.generation) >
					  le64toh(slots[valid].sb.generation)))
			valid = i;
	return valid;
}

static int load_slots(struct store *s, const struct slot slots[2])
{
	int valid = newest_slot(slots), other = !valid, k;
	struct region *r = s->region;

	if (valid < 0) {
		if (slots[0].state != SLOT_DAMAGED && slots[1].state != SLOT_DAMAGED &&
		    !recover_worth_it(r))
			return -ENODATA;
		return load_recovered(s, slots, -1);
	}
	k = superblock_check(r, &slots[valid].sb);
	if (k == -EBADMSG)
		return load_recovered(s, slots, -1);
	if (k < 0)
		return k;
	if (s->sb.seal != 0 && memcmp(s->sb.uuid, slots[valid].sb.uuid, sizeof(s->sb.uuid)) != 0)
		return log_error_errno(r->ctx, -ESTALE,
			"%s: the container was made anew by somebody else meanwhile", r->spec);
	if (slots[other].state == SLOT_DAMAGED || slots[other].state == SLOT_EMPTY)
		return load_recovered(s, slots, valid);
	k = slot_read_catalog(r, (unsigned int)valid, &slots[valid].sb, &s->catalog);
	if (k == -EBADMSG)
		return load_recovered(s, slots, valid);
	if (k < 0)
		return k;
	s->sb = slots[valid].sb;
	s->slot = (unsigned int)valid;
	s->loaded = true;
	s->recovered = false;
	return 0;
}

static int store_load(struct store *s)
{
	struct slot slots[2];
	int k;

	k = slots_read(s->region, slots);
	if (k < 0 || is_as_seen(s, slots))
		return k;
	s->loaded = false;
	k = load_slots(s, slots);
	if (k >= 0)
		memcpy(s->seen, slots, sizeof(slots));
	return k;
}

int store_reload(struct store *s)
{
	s->loaded = false;
	return store_load(s);
}

static int refuse_change(struct store *s)
{
	uint32_t features = le32toh(s->sb.feature_ro) & ~PKRAM_FEATURE_RO_KNOWN;

	if (features)
		return log_error_errno(s->ctx, -EPROTONOSUPPORT,
				       "%s: the container has features 0x%x, with which this pkram "
				       "can only read it",
				       s->region->spec, features);
	return log_error_errno(s->ctx, -EROFS, "%s: opened for reading only", s->region->spec);
}

/* What this store itself holds was found again: a node that it reads, not one that it writes. */
static bool holds_were_found(struct store *s)
{
	for (size_t i = 0; i < s->n_holds; i++)
		if (!catalog_head(&s->catalog, s->holds[i].id))
			return false;
	return true;
}

/*
 * The rows of writers that registered in the lost state are not to be found: their space looks
 * free. They end first; their locks tell.
 */
static int check_recovered(struct store *s)
{
	if (!s->recovered ||
	    (holds_were_found(s) &&
	     !region_locked(s->region, PKRAM_LOCK_NODE, PKRAM_ID_MAX, REGION_LOCK_SHARED)))
		return 0;
	return log_error_errno(s->ctx, -EBUSY,
			       "%s: the container is damaged, and nodes are being written; the "
			       "next change after they have "
			       "ended mends it",
			       s->region->spec);
}

int store_begin(struct store *s, bool write)
{
	int k;

	if (write && s->region->read_only)
		return refuse_change(s);
	pthread_mutex_lock(&s->mutex);
	k = catalog_lock(s->region, write ? REGION_LOCK_EXCLUSIVE : REGION_LOCK_SHARED);
	if (k < 0) {
		pthread_mutex_unlock(&s->mutex);
		return k;
	}
	s->erase.n = 0;
	k = store_load(s);
	if (k >= 0 && write)
		k = check_recovered(s);
	s->edited = k >= 0 && write;
	if (k < 0)
		store_end(s);
	return k;
}

void store_end(struct store *s)
{
	if (s->edited)
		s->loaded = false;
	s->edited = false;
	region_lock(s->region, PKRAM_LOCK_CATALOG, REGION_UNLOCK, false);
	pthread_mutex_unlock(&s->mutex);
}

/* Only a search after damage would meet these blocks: that one stays is no failure of the change.
 */
static void erase_blocks(struct store *s)
{
	for (size_t i = 0; i < s->erase.n; i++) {
		HOOK("reclaim");
		if (region_zero(s->region, s->erase.v[i].off, PKRAM_BLOCK) < 0)
			pkram_log_warning(s->ctx, "%s: cannot erase an old node's block at 0x%jx",
					  s->region->spec, (uintmax_t)s->erase.v[i].off);
	}
	s->erase.n = 0;
}

static int publish_once(struct store *s)
{
	uint64_t generation = le64toh(s->sb.generation);
	int k;

	if (generation == UINT64_MAX)
		return log_error_errno(s->ctx, -EOVERFLOW, "%s: no generation is left: 'pkram "
				       "init' makes the container anew", s->region->spec);
	s->sb.generation = htole64(generation + 1);
	k = slot_write(s->region, !s->slot, &s->sb, &s->catalog);
	if (k < 0)
		return k;
	HOOK("sealed");
	s->slot = !s->slot;
	s->seen[s->slot] = (struct slot){ .state = SLOT_VALID, .sb = s->sb };
	return 0;
}

int store_publish(struct store *s)
{
	int k;

	/* Whatever happens from here on, the medium says what holds. */
	s->loaded = false;
	k = publish_once(s);
	if (k < 0)
		return k;
	s->edited = false;
	/* Damage of the other slot, too, is mended: it would be searched behind at every opening.
	 */
	if (s->recovered && s->seen[!s->slot].state != SLOT_VALID)
		k = publish_once(s);
	/* The change is made, whatever became of the mending. */
	s->loaded = k >= 0;
	s->recovered = s->recovered && k < 0;
	erase_blocks(s);
	return 0;
}

/* --- locks of ids --- */

/* Where it is or would be. */
static size_t hold_place(const struct store *s, uint64_t id)
{
	size_t lo = 0, hi = s->n_holds;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->holds[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct hold *find_hold(struct store *s, uint64_t id)
{
	size_t i = hold_place(s, id);

	return i < s->n_holds && s->holds[i].id == id ? &s->holds[i] : NULL;
}

int store_hold(struct store *s, uint64_t id, bool exclusive)
{
	struct hold *h = find_hold(s, id);
	int k;

	if (h) {
		h->count++;
		return 0;
	}
	k = array_grow(&s->holds, &s->cap_holds, s->n_holds + 1, sizeof(*h));
	if (k < 0)
		return k;
	k = region_lock(s->region, PKRAM_LOCK_NODE + id,
			exclusive ? REGION_LOCK_EXCLUSIVE : REGION_LOCK_SHARED, false);
	if (k < 0)
		return k;
	h = &s->holds[hold_place(s, id)];
	memmove(h + 1, h, (size_t)(s->holds + s->n_holds - h) * sizeof(*h));
	*h = (struct hold){ .id = id, .count = 1, .exclusive = exclusive };
	s->n_holds++;
	return 0;
}

void store_unhold(struct store *s, uint64_t id)
{
	struct hold *h = find_hold(s, id);

	if (!h || --h->count)
		return;
	region_lock(s->region, PKRAM_LOCK_NODE + id, REGION_UNLOCK, false);
	s->n_holds--;
	memmove(h, h + 1, (size_t)(s->holds + s->n_holds - h) * sizeof(*h));
}

bool store_unheld(struct store *s, uint64_t id)
{
	if (find_hold(s, id) ||
	    region_lock(s->region, PKRAM_LOCK_NODE + id, REGION_LOCK_EXCLUSIVE, false) < 0)
		return false;
	region_lock(s->region, PKRAM_LOCK_NODE + id, REGION_UNLOCK, false);
	return true;
}

bool store_writer_lives(struct store *s, uint64_t id)
{
	if (find_hold(s, id))
		return true;
	if (region_lock(s->region, PKRAM_LOCK_NODE + id, REGION_LOCK_SHARED, false) < 0)
		return true;
	region_lock(s->region, PKRAM_LOCK_NODE + id, REGION_UNLOCK, false);
	return false;
}

/* --- taking ids out --- */

int store_drop(struct store *s, struct ids *ids)
{
	if (!ids->n)
		return 0;
	ids_sort(ids);
	for (size_t i = 0; i < s->catalog.n; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];
		uint32_t kind = le32toh(row->kind);
		int k;

		if (row->len == 0 || kind == PKRAM_ROW_DATA || kind == PKRAM_ROW_MIRROR ||
		    !ids_have(ids, le64toh(row->id)))
			continue;
		k = spans_add(&s->erase, le64toh(row->off), PKRAM_BLOCK);
		if (k < 0)
			return k;
	}
	catalog_drop(&s->catalog, ids);
	return 0;
}

int store_drop_one(struct store *s, uint64_t id)
{
	struct ids one = { .v = &id, .n = 1 };

	return store_drop(s, &one);
}

int store_find_dead(struct store *s, struct ids *ret)
{
	int k = 0;

	for (size_t i = 0; i < s->catalog.n && k >= 0; i++) {
		const struct pkram_row *row = &s->catalog.rows[i];
		uint32_t kind = le32toh(row->kind);
		uint64_t id = le64toh(row->id);

		if ((kind == PKRAM_ROW_WRITER && !store_writer_lives(s, id)) ||
		    (kind == PKRAM_ROW_ORPHAN && store_unheld(s, id)))
			k = ids_add(ret, id);
	}
	ids_sort(ret);
	return k;
}

int store_reclaim(struct store *s)
{
	struct ids gone = {};
	int k = store_find_dead(s, &gone);

	if (k >= 0 && gone.n)
		pkram_log_debug(s->ctx,
				"%s: reclaiming the space of %zu writers or readers that ended",
				s->region->spec, gone.n);
	if (k >= 0)
		k = store_drop(s, &gone);
	ids_done(&gone);
	return k;
}

int store_unlink(struct store *s, struct pkram_row *head, struct ids *gone)
{
	uint64_t id = le64toh(head->id);

	if (store_unheld(s, id))
		return ids_add(gone, id);
	head->kind = htole32(PKRAM_ROW_ORPHAN);
	head->name_hash = 0;
	head->restored = 0;
	return 0;
}

int store_unlink_ids(struct store *s, const uint64_t *ids, size_t n)
{
	struct ids wanted = {}, gone = {};
	int k = 0;

	for (size_t i = 0; i < n && k >= 0; i++)
		k = ids_add(&wanted, ids[i]);
	ids_sort(&wanted);
	for (size_t i = 0; i < s->catalog.n && k >= 0; i++) {
		struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) == PKRAM_ROW_NODE && ids_have(&wanted, le64toh(row->id)))
			k = store_unlink(s, row, &gone);
	}
	if (k >= 0)
		k = store_drop(s, &gone);
	ids_done(&wanted);
	ids_done(&gone);
	return k;
}

bool store_row_named(struct store *s, const struct pkram_row *row, const char *name)
{
	struct store_node node;
	bool same;

	/* A damaged block cannot say its name; the hash is then all there is. */
	if (node_read(s, row, &node) < 0)
		return true;
	same = strcmp(node.name, name) == 0;
	store_node_done(&node);
	return same;
}

struct pkram_row *store_find(struct store *s, const char *name)
{
	uint64_t hash = name_hash(name);

	for (size_t i = 0; i < s->catalog.n; i++) {
		struct pkram_row *row = &s->catalog.rows[i];

		if (le32toh(row->kind) == PKRAM_ROW_NODE && le64toh(row->name_hash) == hash &&
		    store_row_named(s, row, name))
			return row;
	}
	return NULL;
}

/* A tree bears its absolute path as its name: what a path of today stands for, also of what is not
 * there any more. */
static char *absolute_path(const char *word)
{
	_cleanup_free_ char *plain = strdup(word), *here = NULL;
	char *path = realpath(word, NULL);
	size_t len = strlen(word);

	if (path || !plain)
		return path;
	while (len > 1 && plain[len - 1] == '/')
		plain[--len] = '\0';
	if (*plain == '/')
		return TAKE_PTR(plain);
	here = getcwd(NULL, 0);
	return here && asprintf(&path, "%s/%s", strcmp(here, "/") == 0 ? "" : here, plain) >= 0 ?
		path : NULL;
}

int store_no_node(struct store *s, const char *name)
{
	_cleanup_free_ char *path = absolute_path(name);

	if (path && strcmp(path, name) != 0 && store_find(s, path))
		return log_error_errno(s->ctx, -ENOENT, "%s: no node named %s; perhaps %s",
				       s->region->spec, name, path);
	return log_error_errno(s->ctx, -ENOENT,
			       "%s: no node named %s; 'pkram ls' lists what is there",
			       s->region->spec, name);
}
