/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-view-dir.h"

#include <endian.h>

#include "tree-erofs.h"

struct view_dir {
	struct view_inode inode;
	uint32_t file;
};

/* One directory being read. */
struct reader {
	struct view_build *b;
	const struct view_dir *dir;
	int (*fn)(struct view_build *b, uint32_t dir, uint64_t nid, unsigned int type,
		  uint64_t name);
	uint64_t *names;	/* in the text arena */
	size_t n_names, cap_names;
	bool sorted;
	unsigned int self, parent; /* "." and ".." met */
};

int view_dir_push(struct view_build *b, uint32_t file, const struct view_inode *i)
{
	int r = array_grow(&b->dirs, &b->cap_dirs, b->n_dirs + 1, sizeof(*b->dirs));

	if (r < 0)
		return r;
	b->dirs[b->n_dirs++] = (struct view_dir){ .inode = *i, .file = file };
	return 0;
}

void view_dirs_drop(struct view_build *b)
{
	free(b->dirs);
	b->dirs = NULL;
	b->n_dirs = b->cap_dirs = 0;
}

static int bad_dir(const struct reader *rd, const char *what)
{
	_cleanup_free_ char *path = view_path(rd->b->v, rd->dir->file);

	return view_bad(rd->b, "directory %s %s", path ? path : "?", what);
}

/* "." and ".." must say what the tree says. */
static int check_dots(struct reader *rd, bool parent, uint64_t nid, unsigned int type)
{
	const struct view_file *files = rd->b->v->files;
	uint32_t want = parent ? files[rd->dir->file].parent : rd->dir->file;

	if ((parent ? rd->parent++ : rd->self++) || nid != files[want].nid ||
	    type != EROFS_FT_DIR)
		return bad_dir(rd, parent ? "has a wrong \"..\"" : "has a wrong \".\"");
	return 0;
}

static int read_name(struct reader *rd, const struct erofs_dirent *d, const char *name, size_t len)
{
	struct tree_view *v = rd->b->v;
	uint64_t nid = le64toh(d->nid), text;
	int r;

	if (!len || len > EROFS_NAME_MAX || memchr(name, '\0', len) || memchr(name, '/', len))
		return bad_dir(rd, "holds a name that no file can have");
	if (len <= 2 && memcmp(name, "..", len) == 0)
		return check_dots(rd, len == 2, nid, d->file_type);
	r = array_grow(&rd->names, &rd->cap_names, rd->n_names + 1, sizeof(*rd->names));
	if (r == 0)
		r = view_text_add(v, name, len, &text);
	if (r < 0)
		return r;
	if (rd->n_names)
		rd->sorted = rd->sorted && strcmp(view_text(v, rd->names[rd->n_names - 1]),
						  view_text(v, text)) < 0;
	rd->names[rd->n_names++] = text;
	return rd->fn(rd->b, rd->dir->file, nid, d->file_type, text);
}

static int read_block(struct reader *rd, const char *block, size_t size)
{
	struct erofs_dirent d;
	size_t n, at, end;
	int r;

	if (size < sizeof(d))
		return bad_dir(rd, "ends within an entry");
	memcpy(&d, block, sizeof(d));
	at = le16toh(d.nameoff);
	if (at < sizeof(d) || at % sizeof(d) || at > size)
		return bad_dir(rd, "has a broken block");
	n = at / sizeof(d);
	for (size_t k = 0; k < n; k++, at = end) {
		struct erofs_dirent next;

		if (k + 1 < n) {
			memcpy(&next, block + (k + 1) * sizeof(next), sizeof(next));
			end = le16toh(next.nameoff);
			if (end < at || end > size)
				return bad_dir(rd, "has a broken block");
		} else {
			end = at + strnlen(block + at, size - at);
		}
		r = read_name(rd, &d, block + at, end - at);
		if (r < 0)
			return r;
		d = next;
	}
	return 0;
}

static int compare_names(const void *x, const void *y, void *v)
{
	return strcmp(view_text(v, *(const uint64_t *)x), view_text(v, *(const uint64_t *)y));
}

static int check_unique(struct reader *rd)
{
	struct tree_view *v = rd->b->v;

	if (rd->sorted)
		return 0;
	qsort_r(rd->names, rd->n_names, sizeof(*rd->names), compare_names, v);
	for (size_t i = 1; i < rd->n_names; i++)
		if (compare_names(&rd->names[i - 1], &rd->names[i], v) == 0)
			return bad_dir(rd, "holds a name twice");
	return 0;
}

static int read_dir(struct reader *rd)
{
	const struct view_inode *i = &rd->dir->inode;
	char block[EROFS_BLOCK];
	int r = 0;

	for (uint64_t off = 0; off < i->size && r == 0; off += EROFS_BLOCK) {
		size_t len = (size_t)MIN((uint64_t)EROFS_BLOCK, i->size - off);

		r = view_inode_content(rd->b, i, off, len, block);
		if (r == 0)
			r = read_block(rd, block, len);
	}
	if (r < 0)
		return r;
	if (!rd->self || !rd->parent)
		return bad_dir(rd, "has no \".\" or \"..\"");
	return check_unique(rd);
}

int view_dir_read(struct view_build *b,
		  int (*fn)(struct view_build *b, uint32_t dir, uint64_t nid, unsigned int type,
			    uint64_t name))
{
	struct view_dir dir = b->dirs[--b->n_dirs];
	struct reader rd = { .b = b, .dir = &dir, .fn = fn, .sorted = true };
	size_t first = b->n_dirs;
	int r = read_dir(&rd);

	free(rd.names);
	/* The first subdirectory next: trees are laid out in the order of their names. */
	for (size_t last = b->n_dirs; first + 1 < last; first++) {
		struct view_dir t = b->dirs[first];

		b->dirs[first] = b->dirs[--last];
		b->dirs[last] = t;
	}
	return r;
}

static size_t nid_slot(const struct view_build *b, uint64_t nid)
{
	size_t mask = b->nids_cap - 1;
	size_t at = (size_t)(nid * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;

	while (b->nids[at] && b->v->files[b->nids[at] - 1].nid != nid)
		at = (at + 1) & mask;
	return at;
}

uint32_t view_nid_find(const struct view_build *b, uint64_t nid)
{
	uint32_t file = b->nids_cap ? b->nids[nid_slot(b, nid)] : 0;

	return file ? file - 1 : VIEW_NONE;
}

static int nids_grow(struct view_build *b)
{
	size_t cap = b->nids_cap ? b->nids_cap * 2 : 256;
	uint32_t *nids = calloc(cap, sizeof(*nids));

	if (!nids)
		return -ENOMEM;
	free(b->nids);
	b->nids = nids;
	b->nids_cap = cap;
	for (uint32_t i = 0; i + 1 < b->v->n_files; i++)
		nids[nid_slot(b, b->v->files[i].nid)] = i + 1;
	return 0;
}

int view_nid_add(struct view_build *b, uint32_t file)
{
	if (b->v->n_files > b->nids_cap / 2) {
		int r = nids_grow(b);

		if (r < 0)
			return r;
	}
	b->nids[nid_slot(b, b->v->files[file].nid)] = file + 1;
	return 0;
}
