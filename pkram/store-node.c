/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Node blocks: building one, and turning untrusted bytes back into a checked struct store_node.
 */
#include <libfdt.h>
#include <sys/utsname.h>

#include "hash.h"
#include "machine.h"
#include "store-internal.h"

/* Tree overhead, provenance and numbers; strings come on top. */
#define PROPS_FIXED 1024

static size_t string_length(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static uint64_t props_length(const struct store_props *p, const char *name)
{
	size_t strings = string_length(name) + string_length(p->source) +
			 string_length(p->fs_type) + string_length(p->mount_options) +
			 sizeof(struct utsname);

	if (p->origin)
		return p->origin->props_len;
	return ALIGN_UP((uint64_t)strings + PROPS_FIXED, (uint64_t)8);
}

uint64_t node_block_length(uint64_t extents, uint64_t windows, uint64_t holes,
			   const struct store_props *props, const char *name)
{
	return ALIGN_UP(sizeof(struct pkram_node_block) + extents * sizeof(struct pkram_extent) +
				windows * sizeof(pkram_le64) + props_length(props, name) +
				holes * sizeof(struct pkram_hole),
			(uint64_t)PKRAM_BLOCK);
}

static int put_string(void *fdt, const char *prop, const char *s)
{
	return s ? fdt_property_string(fdt, prop, s) : 0;
}

static int put_u64(void *fdt, const char *prop, uint64_t v)
{
	return v ? fdt_property_u64(fdt, prop, v) : 0;
}

static int put_flag(void *fdt, const char *prop, bool set)
{
	return set ? fdt_property(fdt, prop, NULL, 0) : 0;
}

/* Written in one go (libfdt's sequential calls): the read-write calls cost forty times as much. */
static int props_build(struct store *s, const struct node_image *img, void *buf, uint64_t cap,
		       uint64_t *ret_len)
{
	const struct store_props *p = img->props;
	uint64_t up = p->began ? machine_uptime() : 0;
	struct utsname uts = {};
	uint8_t boot_id[16];
	int k;

	if (p->origin) {
		/* Also what a newer pkram has put there. */
		memcpy(buf, p->origin->props, p->origin->props_len);
		*ret_len = p->origin->props_len;
		return 0;
	}
	k = machine_boot_id(s->ctx, boot_id);
	if (k < 0)
		return k;
	uname(&uts);
	k = fdt_create(buf, (int)cap);
	k = k ? k : fdt_finish_reservemap(buf);
	k = k ? k : fdt_begin_node(buf, "");
	k = k ? k : put_string(buf, PKRAM_PROP_NAME, img->name);
	k = k ? k : fdt_property(buf, PKRAM_PROP_BOOT_ID, boot_id, sizeof(boot_id));
	k = k ? k : put_u64(buf, PKRAM_PROP_SAVED_AT, (uint64_t)machine_now());
	k = k ? k : put_u64(buf, PKRAM_PROP_SAVED_UP, up);
	k = k ? k : put_u64(buf, PKRAM_PROP_SAVE_TOOK, up - p->began);
	k = k ? k : put_string(buf, PKRAM_PROP_KERNEL, uts.release);
	k = k ? k : put_string(buf, PKRAM_PROP_HOST, uts.nodename);
	k = k ? k : put_string(buf, PKRAM_PROP_SOURCE, p->source);
	k = k ? k : put_string(buf, PKRAM_PROP_FSTYPE, p->fs_type);
	k = k ? k : put_string(buf, PKRAM_PROP_MOUNT, p->mount_options);
	k = k ? k : put_u64(buf, PKRAM_PROP_FILES, p->files);
	k = k ? k : put_u64(buf, PKRAM_PROP_DATA, p->data);
	k = k ? k : put_u64(buf, PKRAM_PROP_FINGERPRINT, p->fingerprint);
	k = k ? k : put_flag(buf, PKRAM_PROP_SINGLE, p->single);
	k = k ? k : put_flag(buf, PKRAM_PROP_LIVE, p->live);
	k = k ? k : put_flag(buf, PKRAM_PROP_FOREIGN, p->foreign);
	k = k ? k : fdt_end_node(buf);
	k = k ? k : fdt_finish(buf);
	if (k)
		return -ENOBUFS;
	*ret_len = ALIGN_UP((uint64_t)fdt_totalsize(buf), (uint64_t)8);
	return 0;
}

static uint8_t *put_spans(uint8_t *at, const struct spans *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct pkram_extent e = { .off = htole64(s->v[i].off),
					  .len = htole64(s->v[i].len) };

		at = (uint8_t *)memcpy(at, &e, sizeof(e)) + sizeof(e);
	}
	return at;
}

uint64_t node_block_hash(struct pkram_node_block *b, uint64_t length)
{
	const struct pkram_node_block head = *b;
	uint64_t hash;

	b->self = b->other = b->hash = 0;
	hash = XXH3_64bits(b, length);
	b->self = head.self;
	b->other = head.other;
	b->hash = head.hash;
	return hash;
}

int node_block_build(struct store *s, const struct node_image *img, uint64_t length,
		     struct pkram_node_block **ret, uint64_t *ret_hash)
{
	uint64_t windows = window_count(img->size, img->mirrored), props_len;
	_cleanup_free_ struct pkram_node_block *b = io_buffer_new(length);
	uint8_t *at;
	int k;

	if (!b)
		return -ENOMEM;
	memset(b, 0, length);
	memcpy(b->magic, PKRAM_NODE_MAGIC, sizeof(b->magic));
	memcpy(b->key, s->sb.key, sizeof(b->key));
	b->version = htole32(PKRAM_FORMAT_VERSION);
	b->kind = htole32(img->kind);
	b->id = htole64(img->id);
	b->length = htole64(length);
	b->generation = htole64(img->generation);
	b->set_count = htole64(img->set_count);
	b->size = htole64(img->size);
	b->mirrored = htole64(img->mirrored);
	b->extents = htole64(img->extents->n);
	b->mirrors = htole64(img->mirrors->n);
	b->windows = htole64(windows);
	b->holes_len = htole64(img->n_holes * sizeof(struct pkram_hole));
	b->image_hash = htole64(XXH3_64bits(img->hashes, windows * sizeof(pkram_le64)));

	at = put_spans((uint8_t *)(b + 1), img->extents);
	at = put_spans(at, img->mirrors);
	if (windows)
		memcpy(at, img->hashes, windows * sizeof(pkram_le64));
	at += windows * sizeof(pkram_le64);
	k = props_build(s, img, at, props_length(img->props, img->name), &props_len);
	if (k < 0)
		return k;
	b->props_len = htole64(props_len);
	if (img->n_holes)
		memcpy(at + props_len, img->holes, img->n_holes * sizeof(struct pkram_hole));
	*ret_hash = node_block_hash(b, length);
	b->hash = htole64(*ret_hash);
	*ret = TAKE_PTR(b);
	return 0;
}

/* --- reading --- */

static int get_string(const void *fdt, const char *prop, const char **ret)
{
	const char *s;
	int len;

	s = fdt_getprop(fdt, 0, prop, &len);
	if (!s) {
		*ret = "";
		return 0;
	}
	if (len <= 0 || s[len - 1] != '\0' || strlen(s) != (size_t)len - 1)
		return -EBADMSG;
	*ret = s;
	return 0;
}

static uint64_t get_u64(const void *fdt, const char *prop)
{
	const fdt64_t *v;
	int len;

	v = fdt_getprop(fdt, 0, prop, &len);
	return v && len == sizeof(*v) ? fdt64_ld(v) : 0;
}

static bool get_flag(const void *fdt, const char *prop)
{
	return fdt_getprop(fdt, 0, prop, NULL) != NULL;
}

static int props_parse(const void *fdt, uint64_t len, struct store_node *n)
{
	const void *boot_id;
	int id_len, k;

	if (len < sizeof(struct fdt_header) || len > INT32_MAX || fdt_check_full(fdt, len) != 0)
		return -EBADMSG;
	k = get_string(fdt, PKRAM_PROP_NAME, &n->name);
	k = k ? k : get_string(fdt, PKRAM_PROP_KERNEL, &n->kernel);
	k = k ? k : get_string(fdt, PKRAM_PROP_HOST, &n->host);
	k = k ? k : get_string(fdt, PKRAM_PROP_SOURCE, &n->source);
	k = k ? k : get_string(fdt, PKRAM_PROP_FSTYPE, &n->fs_type);
	k = k ? k : get_string(fdt, PKRAM_PROP_MOUNT, &n->mount_options);
	if (k < 0)
		return k;
	boot_id = fdt_getprop(fdt, 0, PKRAM_PROP_BOOT_ID, &id_len);
	if (!boot_id || id_len != sizeof(n->boot_id) || !*n->name ||
	    strlen(n->name) > PKRAM_NAME_MAX)
		return -EBADMSG;
	n->props = fdt;
	n->props_len = len;
	memcpy(n->boot_id, boot_id, sizeof(n->boot_id));
	n->saved_at = (int64_t)get_u64(fdt, PKRAM_PROP_SAVED_AT);
	n->saved_up = get_u64(fdt, PKRAM_PROP_SAVED_UP);
	n->save_took = get_u64(fdt, PKRAM_PROP_SAVE_TOOK);
	n->files = get_u64(fdt, PKRAM_PROP_FILES);
	n->data = get_u64(fdt, PKRAM_PROP_DATA);
	n->fingerprint = get_u64(fdt, PKRAM_PROP_FINGERPRINT);
	n->single = get_flag(fdt, PKRAM_PROP_SINGLE);
	n->live = get_flag(fdt, PKRAM_PROP_LIVE);
	return 0;
}

/* Extents are inside the payload and add up to `want` bytes. */
static int extents_check(const struct pkram_extent *e, uint64_t n, uint64_t size, uint64_t want,
			 uint64_t *stored)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t off = le64toh(e[i].off), len = le64toh(e[i].len);

		if (!len || !IS_ALIGNED(off | len, PKRAM_BLOCK) || off < PKRAM_PAYLOAD_START ||
		    !range_ok(off, len, size - PKRAM_TAIL_SIZE) || add_overflows(sum, len, &sum))
			return -EBADMSG;
	}
	*stored += sum;
	return sum == want ? 0 : -EBADMSG;
}

/* Whether the lengths of the sections are those of the block; all arithmetic on checked numbers. */
static bool sections_fit(const struct pkram_node_block *b, uint64_t length)
{
	uint64_t left = length - sizeof(*b), e, m, w;

	if (add_overflows(le64toh(b->extents), le64toh(b->mirrors), &e) ||
	    mul_overflows(e, sizeof(struct pkram_extent), &m) || m > left)
		return false;
	left -= m;
	if (mul_overflows(le64toh(b->windows), sizeof(pkram_le64), &w) || w > left)
		return false;
	left -= w;
	if (le64toh(b->props_len) > left || !IS_ALIGNED(le64toh(b->props_len), 8))
		return false;
	left -= le64toh(b->props_len);
	return le64toh(b->holes_len) <= left &&
	       le64toh(b->holes_len) % sizeof(struct pkram_hole) == 0;
}

static int node_parse(struct pkram_node_block *b, uint64_t region_size, struct store_node *n)
{
	uint64_t size = le64toh(b->size), mirrored = le64toh(b->mirrored), space;
	int k;

	if (size > PKRAM_MAX_SIZE || !align_up_u64(size, PKRAM_BLOCK, &space) || mirrored > space ||
	    !IS_ALIGNED(mirrored, PKRAM_BLOCK) ||
	    le64toh(b->windows) != window_count(size, mirrored) || le64toh(b->set_count) == 0 ||
	    le64toh(b->id) == 0 || le64toh(b->id) >= PKRAM_ID_MAX ||
	    (le32toh(b->kind) != PKRAM_NODE_KIND_TREE &&
	     le32toh(b->kind) != PKRAM_NODE_KIND_STREAM))
		return -EBADMSG;
	n->id = le64toh(b->id);
	n->generation = le64toh(b->generation);
	n->set_count = le64toh(b->set_count);
	n->kind = le32toh(b->kind);
	n->size = size;
	n->mirrored = mirrored;
	n->windows = le64toh(b->windows);
	n->image_hash = le64toh(b->image_hash);
	n->n_extents = le64toh(b->extents);
	n->n_mirrors = le64toh(b->mirrors);
	n->extents = (const struct pkram_extent *)(b + 1);
	n->mirrors = n->extents + n->n_extents;
	n->window_hashes = (const pkram_le64 *)(n->mirrors + n->n_mirrors);
	n->n_holes = le64toh(b->holes_len) / sizeof(struct pkram_hole);
	n->holes = (const struct pkram_hole *)((const uint8_t *)(n->window_hashes + n->windows) +
					       le64toh(b->props_len));
	n->stored = 2 * le64toh(b->length);
	k = extents_check(n->extents, n->n_extents, region_size, space, &n->stored);
	if (k < 0)
		return k;
	k = extents_check(n->mirrors, n->n_mirrors, region_size, mirrored, &n->stored);
	if (k < 0)
		return k;
	return props_parse(n->window_hashes + n->windows, le64toh(b->props_len), n);
}

int node_block_read(struct region *r, const uint8_t key[16], uint64_t size, uint64_t off,
		    struct store_node *ret, uint64_t *ret_hash)
{
	_cleanup_free_ struct pkram_node_block *b = io_buffer_new(PKRAM_BLOCK);
	struct store_node n = {};
	uint64_t length;
	int k;

	if (!b)
		return -ENOMEM;
	if (!range_ok(off, PKRAM_BLOCK, size))
		return -EBADMSG;
	k = read_bytes(r, off, PKRAM_BLOCK, b);
	if (k < 0)
		return k;
	length = le64toh(b->length);
	if (memcmp(b->magic, PKRAM_NODE_MAGIC, sizeof(b->magic)) != 0 ||
	    le32toh(b->version) != PKRAM_FORMAT_VERSION ||
	    memcmp(b->key, key, sizeof(b->key)) != 0 || le64toh(b->self) != off ||
	    length < PKRAM_BLOCK || length > NODE_BLOCK_MAX || !IS_ALIGNED(length, PKRAM_BLOCK) ||
	    !range_ok(off, length, size))
		return -EBADMSG;
	if (length > PKRAM_BLOCK) {
		free(b);
		b = io_buffer_new(length);
		if (!b)
			return -ENOMEM;
		k = read_bytes(r, off, length, b);
		if (k < 0)
			return k;
		/* It may have changed since: from here on only this copy counts. */
		if (le64toh(b->length) != length)
			return -EBADMSG;
	}
	if (node_block_hash(b, length) != le64toh(b->hash) || !sections_fit(b, length))
		return -EBADMSG;
	k = node_parse(b, size, &n);
	if (k < 0)
		return k;
	*ret_hash = le64toh(b->hash);
	n.block = TAKE_PTR(b);
	*ret = n;
	return 0;
}

void store_node_done(struct store_node *n)
{
	free(n->block);
	*n = (struct store_node){};
}

bool store_node_window_is(const struct store_node *n, uint64_t index, const void *bytes, size_t len)
{
	return index < n->windows && len == window_length(n->size, n->mirrored, index) &&
	       XXH3_64bits(bytes, len) == le64toh(n->window_hashes[index]);
}

/* Whether the rows of the node's id say the same as its extents. */
static bool rows_agree(const struct catalog *c, const struct store_node *n)
{
	uint64_t data = 0, mirrors = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct pkram_row *row = &c->rows[i];
		const struct pkram_extent *e;

		if (le64toh(row->id) != n->id)
			continue;
		if (le32toh(row->kind) == PKRAM_ROW_DATA && data < n->n_extents)
			e = &n->extents[data++];
		else if (le32toh(row->kind) == PKRAM_ROW_MIRROR && mirrors < n->n_mirrors)
			e = &n->mirrors[mirrors++];
		else if (le32toh(row->kind) == PKRAM_ROW_DATA ||
			 le32toh(row->kind) == PKRAM_ROW_MIRROR)
			return false;
		else
			continue;
		if (row->off != e->off || row->len != e->len)
			return false;
	}
	return data == n->n_extents && mirrors == n->n_mirrors;
}

static uint64_t copy_offset(const struct catalog *c, uint64_t id)
{
	for (size_t i = 0; i < c->n; i++)
		if (le64toh(c->rows[i].id) == id && le32toh(c->rows[i].kind) == PKRAM_ROW_COPY)
			return le64toh(c->rows[i].off);
	return UINT64_MAX;
}

static void tell_of_half(struct store *s, const struct store_node *n)
{
	for (size_t i = 0; i < s->n_half; i++)
		if (s->half[i] == n->id)
			return;
	if (array_grow(&s->half, &s->cap_half, s->n_half + 1, sizeof(*s->half)) >= 0)
		s->half[s->n_half++] = n->id;
	pkram_log_warning(s->ctx,
			  "%s: %s: the first copy of the node's block is damaged, the second one "
			  "serves; save it again",
			  s->region->spec, n->name);
}

int node_read(struct store *s, const struct pkram_row *head, struct store_node *ret)
{
	const uint64_t at[2] = { le64toh(head->off), copy_offset(&s->catalog, le64toh(head->id)) };
	uint64_t size = le64toh(s->sb.size), hash;
	struct store_node n;
	int k = -EBADMSG;

	for (int i = 0; i < 2; i++) {
		k = node_block_read(s->region, s->sb.key, size, at[i], &n, &hash);
		if (k == -ENOMEM)
			return k;
		if (k < 0)
			continue;
		if (hash == le64toh(head->hash) && n.id == le64toh(head->id) &&
		    rows_agree(&s->catalog, &n)) {
			if (i == 1)
				tell_of_half(s, &n);
			/* Bytes of a boot id, not a number. */
			n.restored = head->restored;
			*ret = n;
			return 0;
		}
		store_node_done(&n);
		k = -EBADMSG;
	}
	return k;
}
