/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading an image's metadata. Who gives the bytes checks whole windows, so they are asked for in
 * windows and a few are kept: neighbours in a tree lie near each other in its image.
 */
#include "tree-view.h"

static int cache_load(struct view_build *b, uint64_t piece, struct view_cache_slot *slot)
{
	uint64_t off = piece * PKRAM_WINDOW;
	size_t len = (size_t)MIN((uint64_t)PKRAM_WINDOW, b->in->size - off);
	int r;

	if (!slot->bytes) {
		slot->bytes = malloc(PKRAM_WINDOW);
		if (!slot->bytes)
			return -ENOMEM;
	}
	slot->used = 0;
	r = b->in->read(b->in->arg, off, len, slot->bytes);
	if (r < 0)
		return r;
	slot->piece = piece;
	return 0;
}

/* Finds the slot that holds the piece, or loads it where the longest unused one lies. */
static int cache_get(struct view_build *b, uint64_t piece, const char **ret)
{
	struct view_cache *c = &b->cache;
	struct view_cache_slot *slot = &c->slots[c->last], *oldest = c->slots;
	int r;

	if (!slot->used || slot->piece != piece) {
		slot = NULL;
		for (unsigned int i = 0; i < VIEW_CACHE_SLOTS && !slot; i++) {
			if (c->slots[i].used && c->slots[i].piece == piece)
				slot = &c->slots[i];
			else if (c->slots[i].used < oldest->used)
				oldest = &c->slots[i];
		}
		if (!slot) {
			slot = oldest;
			r = cache_load(b, piece, slot);
			if (r < 0)
				return r;
		}
		c->last = (unsigned int)(slot - c->slots);
	}
	slot->used = ++c->clock;
	*ret = slot->bytes;
	return 0;
}

void view_cache_drop(struct view_build *b)
{
	for (unsigned int i = 0; i < VIEW_CACHE_SLOTS; i++)
		free(b->cache.slots[i].bytes);
	memset(&b->cache, 0, sizeof(b->cache));
}

/*
 * Part of one piece. Where it cannot be had whole, what is asked for may still be: metadata ends in
 * the midst of a piece, and damage to the data behind it is none of its own.
 */
static int read_piece(struct view_build *b, uint64_t off, size_t len, void *buf)
{
	uint64_t piece = off / PKRAM_WINDOW;
	const char *bytes;
	int r = -EBADMSG;

	if (b->cache.broken != piece + 1)
		r = cache_get(b, piece, &bytes);
	if (r == -EBADMSG) {
		b->cache.broken = piece + 1;
		return b->in->read(b->in->arg, off, len, buf);
	}
	if (r == 0)
		memcpy(buf, bytes + off % PKRAM_WINDOW, len);
	return r;
}

int view_read(struct view_build *b, uint64_t off, size_t len, void *buf)
{
	char *to = buf;

	if (!range_ok(off, len, b->in->size))
		return view_bad(b, "it refers to bytes %llu..%llu and has %llu",
				(unsigned long long)off, (unsigned long long)off + len,
				(unsigned long long)b->in->size);
	while (len) {
		size_t at = (size_t)(off % PKRAM_WINDOW);
		size_t n = MIN(len, (size_t)PKRAM_WINDOW - at);
		int r = read_piece(b, off, n, to);

		if (r < 0)
			return r;
		to += n;
		off += n;
		len -= n;
	}
	return 0;
}

/* Notes which blocks hold metadata, to name damage there. */
static int mark_meta(struct tree_view *v, uint64_t off, uint64_t len)
{
	uint64_t last = (off + len - 1) / TREE_BLOCK;
	size_t old = v->meta_map_len;
	int r;

	r = array_grow(&v->meta_map, &v->meta_map_len, (size_t)(last / 8 + 1), 1);
	if (r < 0)
		return r;
	memset(v->meta_map + old, 0, v->meta_map_len - old);
	for (uint64_t i = off / TREE_BLOCK; i <= last; i++)
		v->meta_map[i / 8] |= (uint8_t)(1u << i % 8);
	return 0;
}

int view_meta(struct view_build *b, uint64_t off, uint64_t len)
{
	if (!len)
		return 0;
	if (!range_ok(off, len, b->in->size))
		return view_bad(b, "its metadata reaches beyond its end (%llu bytes)",
				(unsigned long long)b->in->size);
	if (len > b->meta_left)
		return view_bad(b, "it claims more metadata than it has bytes");
	b->meta_left -= len;
	return mark_meta(b->v, off, len);
}

int view_text_add(struct tree_view *v, const char *s, size_t len, uint64_t *ret)
{
	struct view_arena *t = &v->text;
	int r = array_grow(&t->bytes, &t->cap, t->len + len + 1, 1);

	if (r < 0)
		return r;
	memcpy(t->bytes + t->len, s, len);
	t->bytes[t->len + len] = '\0';
	*ret = t->len;
	t->len += len + 1;
	return 0;
}
