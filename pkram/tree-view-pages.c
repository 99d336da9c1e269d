/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What huge pages mean for a view's files: which of them have a use for them, and what they cost
 * where files have holes.
 */
#include "tree-view.h"

uint64_t tree_view_large(const struct tree_view *v, uint64_t page)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < v->n_files; i++) {
		const struct view_file *f = &v->files[i];

		if (f->size >= page && f->data >= f->size - f->size / 8)
			bytes += f->data;
	}
	return bytes;
}

struct count {
	const struct tree_view *v;
	uint64_t page;
	uint64_t bytes;		/* of data that lies on huge pages */
	uint64_t pages;		/* of those */
	uint64_t next;		/* behind the last one counted */
	uint32_t file;		/* of that */
};

/* The extents of a file follow each other, in its own order. */
static int count_extent(void *arg, const struct view_extent *e)
{
	struct count *c = arg;
	const struct view_file *f = &c->v->files[e->file];
	uint64_t end = ALIGN_DOWN(ALIGN_UP(f->size, TREE_BLOCK), c->page), from, to;

	/* Without holes, they take what small ones would. Nor does a page go beyond the end. */
	if (f->data == f->size || e->off >= end)
		return 0;
	to = MIN(ALIGN_UP(e->off + e->len, TREE_BLOCK), end);
	c->bytes += to - ALIGN_DOWN(e->off, TREE_BLOCK);
	from = e->off / c->page;
	to = (to - 1) / c->page + 1;
	if (e->file == c->file)
		from = MAX(from, c->next);
	if (from < to)
		c->pages += to - from;
	c->file = e->file;
	c->next = to;
	return 0;
}

uint64_t tree_view_huge_holes(const struct tree_view *v, uint64_t page)
{
	struct count c = { .v = v, .page = page, .file = VIEW_NONE };

	view_extents_at(v, 0, UINT64_MAX, count_extent, &c);
	return c.pages * page - MIN(c.bytes, c.pages * page);
}
