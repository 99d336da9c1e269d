/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The view of an image: walks its directories once, without recursion, and makes sure that they are
 * a tree. Whatever passed here is trusted by restore; whatever did not is refused as a whole.
 */
#include <stdarg.h>

#include "tree-erofs.h"
#include "tree-view-dir.h"
#include "tree-view.h"

int view_bad(struct view_build *b, const char *fmt, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	pkram_log_error(b->v->ctx, "the image is not sound: %s", what ? what : "(out of memory)");
	return -EBADMSG;
}

char *view_path(const struct tree_view *v, uint32_t file)
{
	size_t len = 0;
	char *path;

	if (file == 0)
		return strdup(".");
	for (uint32_t i = file; i; i = v->files[i].parent)
		len += strlen(view_text(v, v->files[i].name)) + 1;
	path = malloc(len);
	if (!path)
		return NULL;
	path[--len] = '\0';
	for (uint32_t i = file; i; i = v->files[i].parent) {
		const char *name = view_text(v, v->files[i].name);
		size_t n = strlen(name);

		len -= n;
		memcpy(path + len, name, n);
		if (len)
			path[--len] = '/';
	}
	return path;
}

/* A file was found that is no directory: reads what can be read of it only now. */
static int read_payload(struct view_build *b, const struct view_inode *i, uint32_t file)
{
	struct tree_view *v = b->v;
	char target[TREE_BLOCK];
	int r;

	if (S_ISREG(i->mode))
		return view_extents_add(b, i, file);
	if (!S_ISLNK(i->mode))
		return 0;
	r = view_inode_content(b, i, 0, (size_t)i->size, target);
	if (r < 0)
		return r;
	if (memchr(target, '\0', (size_t)i->size))
		return view_bad(b, "the target of symlink %s holds a NUL",
				view_text(v, v->files[file].name));
	return view_text_add(v, target, (size_t)i->size, &v->files[file].target);
}

/* Reads the inode, which was not met before, as the next file. */
static int add_file(struct view_build *b, uint64_t nid, uint32_t parent, uint64_t name,
		    struct view_inode *ret_inode)
{
	struct tree_view *v = b->v;
	uint32_t file = (uint32_t)v->n_files;
	struct view_inode i;
	struct view_file f;
	int r;

	if (v->n_files >= VIEW_NONE - 1)
		return view_bad(b, "it has more files than pkram can hold");
	r = view_inode_read(b, nid, &i, &f);
	if (r == 0)
		r = view_xattrs_read(b, &i, &f);
	if (r == 0)
		r = array_grow(&v->files, &v->cap_files, v->n_files + 1, sizeof(*v->files));
	if (r == 0)
		r = array_grow(&b->counts, &b->cap_counts, v->n_files + 1, sizeof(*b->counts));
	if (r < 0)
		return r;
	f.name = name;
	f.parent = parent;
	v->files[file] = f;
	b->counts[file] = (struct view_count){ .claimed = i.nlink, .found = 1 };
	v->n_files++;
	r = view_nid_add(b, file);
	if (r == 0)
		r = read_payload(b, &i, file);
	if (r == 0)
		*ret_inode = i;
	return r;
}

static int add_link(struct view_build *b, uint32_t file, uint32_t parent, uint64_t name)
{
	struct tree_view *v = b->v;
	int r;

	if (S_ISDIR(v->files[file].mode))
		return view_bad(b, "directory %s is also %s: no tree",
				view_text(v, v->files[file].name), view_text(v, name));
	r = array_grow(&v->links, &v->cap_links, v->n_links + 1, sizeof(*v->links));
	if (r < 0)
		return r;
	v->links[v->n_links++] = (struct view_link){ .name = name, .file = file, .parent = parent };
	b->counts[file].found++;
	return 0;
}

/* One name of a directory, as view_dir_read() meets it. */
static int add_entry(struct view_build *b, uint32_t dir, uint64_t nid, unsigned int type,
		     uint64_t name)
{
	struct tree_view *v = b->v;
	uint32_t file = view_nid_find(b, nid);
	struct view_inode i;
	int r;

	if (file != VIEW_NONE) {
		r = add_link(b, file, dir, name);
	} else {
		file = (uint32_t)v->n_files;
		r = add_file(b, nid, dir, name, &i);
		if (r == 0 && S_ISDIR(i.mode))
			r = view_dir_push(b, file, &i);
	}
	if (r < 0)
		return r;
	if (erofs_file_type(v->files[file].mode) != type)
		return view_bad(b, "%s is not of the type that its directory says",
				view_text(v, name));
	return 0;
}

static int read_tree(struct view_build *b)
{
	struct view_inode root;
	uint64_t name;
	int r;

	r = view_text_add(b->v, "", 0, &name);
	if (r == 0)
		r = add_file(b, b->super.root_nid, 0, name, &root);
	if (r < 0)
		return r;
	if (!S_ISDIR(root.mode))
		return view_bad(b, "its root is no directory");
	r = view_dir_push(b, 0, &root);
	while (r == 0 && b->n_dirs)
		r = view_dir_read(b, add_entry);
	return r;
}

static int check_whole(struct view_build *b)
{
	struct tree_view *v = b->v;

	if (b->holes_used != b->n_holes)
		return view_bad(b, "its hole map speaks of files that are not there");
	for (size_t i = 0; i < v->n_files; i++)
		if (!S_ISDIR(v->files[i].mode) && b->counts[i].found > b->counts[i].claimed)
			return view_bad(b, "%s has %u names and a link count of %u",
					view_text(v, v->files[i].name), b->counts[i].found,
					b->counts[i].claimed);
	return 0;
}

/* Gives back what an array was grown by in advance. */
static void shrink(void *arrayp, size_t *cap, size_t n, size_t elem)
{
	void *p = n && n < *cap ? realloc(*(void **)arrayp, n * elem) : NULL;

	if (!p)
		return;
	*(void **)arrayp = p;
	*cap = n;
}

static void complete(struct tree_view *v)
{
	shrink(&v->files, &v->cap_files, v->n_files, sizeof(*v->files));
	shrink(&v->links, &v->cap_links, v->n_links, sizeof(*v->links));
	shrink(&v->extents, &v->cap_extents, v->n_extents, sizeof(*v->extents));
	shrink(&v->xattrs, &v->cap_xattrs, v->n_xattrs, sizeof(*v->xattrs));
	shrink(&v->xattr_refs, &v->cap_refs, v->n_refs, sizeof(*v->xattr_refs));
	shrink(&v->text.bytes, &v->text.cap, v->text.len, 1);
	shrink(&v->values.bytes, &v->values.cap, v->values.len, 1);
	view_extents_sort(v);
}

int tree_view_new(struct pkram_ctx *ctx, const struct tree_input *in,
		  const struct pkram_hole *holes, uint64_t n_holes, struct tree_view **ret)
{
	struct view_build b = {
		.in = in, .holes = holes, .n_holes = n_holes, .meta_left = in->size,
	};
	int r;

	b.v = calloc(1, sizeof(*b.v));
	if (!b.v)
		return -ENOMEM;
	b.v->ctx = ctx;
	r = view_super_read(&b);
	if (r == 0)
		r = read_tree(&b);
	if (r == 0)
		r = check_whole(&b);
	view_cache_drop(&b);
	view_dirs_drop(&b);
	free(b.nids);
	free(b.counts);
	free(b.shared);
	if (r < 0) {
		tree_view_free(b.v);
		return r;
	}
	complete(b.v);
	*ret = b.v;
	return 0;
}

struct tree_view *tree_view_free(struct tree_view *v)
{
	if (!v)
		return NULL;
	free(v->files);
	free(v->links);
	free(v->extents);
	free(v->xattrs);
	free(v->xattr_refs);
	free(v->text.bytes);
	free(v->values.bytes);
	free(v->meta_map);
	free(v);
	return NULL;
}

void tree_view_info(const struct tree_view *v, struct tree_view_info *ret)
{
	struct tree_view_info info = { .inodes = v->n_files, .pages = v->pages };

	for (size_t i = 0; i < v->n_files; i++)
		info.data += v->files[i].data;
	*ret = info;
}
