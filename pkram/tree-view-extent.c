/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which bytes of the image are data of which file: made inode by inode, less the holes that only
 * the node knows, then sorted by place, because restore comes with pieces of the image.
 */
#include <endian.h>

#include "tree-view.h"

struct adder {
	struct view_build *b;
	uint32_t file;
	const struct pkram_hole *hole, *holes_end; /* of this file, not yet passed */
	uint64_t last_page;	/* end of the pages counted so far */
};

static uint64_t hole_start(const struct pkram_hole *h)
{
	return le64toh(h->off);
}

static uint64_t hole_end(const struct pkram_hole *h)
{
	return le64toh(h->off) + le64toh(h->len);
}

/* The part of the sorted hole map that belongs to nid; checked, once, when its file is met. */
static int holes_of(struct view_build *b, const struct view_inode *i, struct adder *a)
{
	uint64_t lo = 0, hi = b->n_holes, at = 0;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (le64toh(b->holes[mid].nid) < i->nid)
			lo = mid + 1;
		else
			hi = mid;
	}
	a->hole = b->holes + lo;
	for (; lo < b->n_holes && le64toh(b->holes[lo].nid) == i->nid; lo++) {
		const struct pkram_hole *h = &b->holes[lo];

		if (!h->len || hole_start(h) < at ||
		    !range_ok(hole_start(h), le64toh(h->len), i->size))
			return view_bad(b, "the hole map of inode %llu is not sound",
					(unsigned long long)i->nid);
		at = hole_end(h);
		b->holes_used++;
	}
	a->holes_end = b->holes + lo;
	return 0;
}

static int add_piece(struct adder *a, uint64_t off, uint64_t image, uint64_t len)
{
	struct tree_view *v = a->b->v;
	struct view_extent *last = v->n_extents ? &v->extents[v->n_extents - 1] : NULL;
	uint64_t page = ALIGN_DOWN(off, TREE_BLOCK), end = ALIGN_UP(off + len, TREE_BLOCK);
	int r;

	/* Two pieces round a small hole may share a page. */
	page = MAX(page, a->last_page);
	v->files[a->file].data += len;
	v->pages += end - page;
	a->last_page = end;
	if (last && last->file == a->file && last->off + last->len == off &&
	    last->image + last->len == image) {
		last->len += len;
		return 0;
	}
	r = array_grow(&v->extents, &v->cap_extents, v->n_extents + 1, sizeof(*v->extents));
	if (r < 0)
		return r;
	v->extents[v->n_extents++] = (struct view_extent){
		.image = image, .off = off, .len = len, .file = a->file,
	};
	return 0;
}

/* Cuts the holes out of one piece of the chunk map. */
static int add_mapped(void *arg, uint64_t off, uint64_t image, uint64_t len)
{
	struct adder *a = arg;
	uint64_t end = off + len;

	while (off < end) {
		uint64_t stop = end, skip = end;
		int r;

		while (a->hole < a->holes_end && hole_end(a->hole) <= off)
			a->hole++;
		if (a->hole < a->holes_end && hole_start(a->hole) < end) {
			stop = MAX(hole_start(a->hole), off);
			skip = MIN(hole_end(a->hole), end);
		}
		if (stop > off) {
			r = add_piece(a, off, image, stop - off);
			if (r < 0)
				return r;
		}
		image += skip - off;
		off = skip;
	}
	return 0;
}

int view_extents_add(struct view_build *b, const struct view_inode *i, uint32_t file)
{
	struct adder a = { .b = b, .file = file };
	int r;

	r = holes_of(b, i, &a);
	if (r < 0)
		return r;
	return view_inode_map(b, i, add_mapped, &a);
}

static int compare_extents(const void *x, const void *y)
{
	const struct view_extent *a = x, *b = y;

	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return a->off < b->off ? -1 : a->off > b->off;
}

/*
 * The sorted array read as a balanced tree (the middle is the root): `reach` says how far a subtree
 * extends, so that overlapping extents are found as fast as disjoint ones. As deep as log2(n).
 */
static uint64_t set_reach(struct view_extent *e, size_t lo, size_t hi)
{
	size_t mid = lo + (hi - lo) / 2;
	uint64_t reach, side;

	if (lo == hi)
		return 0;
	reach = e[mid].image + e[mid].len;
	side = set_reach(e, lo, mid);
	reach = MAX(reach, side);
	side = set_reach(e, mid + 1, hi);
	e[mid].reach = MAX(reach, side);
	return e[mid].reach;
}

void view_extents_sort(struct tree_view *v)
{
	struct view_extent *e = v->extents;
	bool sorted = true;

	for (size_t i = 1; i < v->n_extents && sorted; i++)
		sorted = compare_extents(&e[i - 1], &e[i]) <= 0;
	if (!sorted)
		qsort(e, v->n_extents, sizeof(*e), compare_extents);
	set_reach(e, 0, v->n_extents);
}

struct finder {
	const struct view_extent *extents;
	uint64_t off, end;
	int (*fn)(void *arg, const struct view_extent *e);
	void *arg;
};

static int find(const struct finder *f, size_t lo, size_t hi)
{
	size_t mid = lo + (hi - lo) / 2;
	const struct view_extent *e = &f->extents[mid];
	int r;

	if (lo == hi || e->reach <= f->off)
		return 0;
	r = find(f, lo, mid);
	if (r < 0 || e->image >= f->end)
		return r;
	if (e->image + e->len > f->off) {
		r = f->fn(f->arg, e);
		if (r < 0)
			return r;
	}
	return find(f, mid + 1, hi);
}

int view_extents_at(const struct tree_view *v, uint64_t off, uint64_t len,
		    int (*fn)(void *arg, const struct view_extent *e), void *arg)
{
	struct finder f = { .extents = v->extents, .off = off, .fn = fn, .arg = arg };

	if (!len || !v->n_extents)
		return 0;
	if (add_overflows(off, len, &f.end))
		f.end = UINT64_MAX;
	return find(&f, 0, v->n_extents);
}

static int collect_file(void *arg, const struct view_extent *e)
{
	struct view_arena *files = arg;
	int r = array_grow(&files->bytes, &files->cap, files->len + sizeof(e->file), 1);

	if (r < 0)
		return r;
	memcpy(files->bytes + files->len, &e->file, sizeof(e->file));
	files->len += sizeof(e->file);
	return 0;
}

static int compare_u32(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

static bool meta_at(const struct tree_view *v, uint64_t off, uint64_t len)
{
	uint64_t end;

	if (!len || add_overflows(off, len - 1, &end))
		return false;
	for (uint64_t i = off / TREE_BLOCK; i <= end / TREE_BLOCK && i / 8 < v->meta_map_len; i++)
		if (v->meta_map[i / 8] & 1u << i % 8)
			return true;
	return false;
}

int tree_view_files_at(const struct tree_view *v, uint64_t off, uint64_t len,
		       int (*fn)(void *arg, const char *path), void *arg)
{
	struct view_arena found = { 0 };
	_cleanup_free_ uint32_t *files = NULL;
	int r;

	r = view_extents_at(v, off, len, collect_file, &found);
	files = (uint32_t *)(void *)found.bytes;
	if (r < 0)
		return r;
	if (meta_at(v, off, len)) {
		r = fn(arg, "(metadata)");
		if (r < 0)
			return r;
	}
	if (files)
		qsort(files, found.len / sizeof(*files), sizeof(*files), compare_u32);
	for (size_t i = 0; i < found.len / sizeof(*files); i++) {
		_cleanup_free_ char *path = NULL;

		if (i && files[i] == files[i - 1])
			continue;
		path = view_path(v, files[i]);
		if (!path)
			return -ENOMEM;
		r = fn(arg, path);
		if (r < 0)
			return r;
	}
	return 0;
}
