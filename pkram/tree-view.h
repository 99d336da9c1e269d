/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a view, shared by the files that make it and by restore: flat arrays, addressed by
 * index, so that a million files cost some 150 MB and nothing has to be freed one by one.
 *
 * Whoever reads these arrays may rely on: indices are in range, names are sound file names that are
 * unique in their directory, a parent stands before its children, extents lie inside the image and
 * inside their file, times are normalised.
 */
#pragma once

#include <sys/stat.h>

#include "tree.h"

#define VIEW_NONE UINT32_MAX

/* One inode. files[0] is the root directory. */
struct view_file {
	uint64_t nid;
	uint64_t size;
	uint64_t data;		/* bytes in extents */
	int64_t mtime;
	uint64_t name;		/* in the text arena */
	union {
		uint64_t target; /* of a symlink, in the text arena */
		uint32_t rdev;	/* of a device, as the kernel encodes it */
	};
	uint32_t mtime_nsec;
	uint32_t uid, gid;
	uint32_t parent;	/* index of the directory */
	uint32_t flags;		/* FS_*_FL */
	uint32_t xattrs;	/* first in the list of references */
	uint32_t n_xattrs;
	uint16_t mode;
};

/* A further name of a file. */
struct view_link {
	uint64_t name;
	uint32_t file;
	uint32_t parent;
};

struct view_xattr {
	uint64_t name;		/* in the text arena, with its prefix */
	uint64_t value;		/* in the value arena */
	uint32_t len;
};

/* A piece of a file's data. Sorted by place in the image; several files may share a place. */
struct view_extent {
	uint64_t image;
	uint64_t off;		/* in the file */
	uint64_t len;
	uint64_t reach;		/* end of the furthest extent of its subtree */
	uint32_t file;
};

struct view_arena {
	char *bytes;
	size_t len, cap;
};

/* Reads metadata in large pieces, each of which its giver verifies once. */
struct view_cache_slot {
	char *bytes;
	uint64_t piece;
	uint64_t used;
};

#define VIEW_CACHE_SLOTS 16

struct view_cache {
	struct view_cache_slot slots[VIEW_CACHE_SLOTS];
	unsigned int last;
	uint64_t clock;
	uint64_t broken;	/* a piece that cannot be had whole, plus 1 */
};

struct tree_view {
	struct pkram_ctx *ctx;
	struct view_file *files;
	struct view_link *links;
	struct view_extent *extents;
	struct view_xattr *xattrs;
	uint32_t *xattr_refs;	/* the files' lists, indices into xattrs */
	size_t n_files, cap_files;
	size_t n_links, cap_links;
	size_t n_extents, cap_extents;
	size_t n_xattrs, cap_xattrs;
	size_t n_refs, cap_refs;
	struct view_arena text;
	struct view_arena values;
	uint8_t *meta_map;	/* bit per block of the image that holds metadata */
	size_t meta_map_len;
	uint64_t pages;
};

static inline const char *view_text(const struct tree_view *v, uint64_t at)
{
	return v->text.bytes + at;
}

/* A file's path below the root, for messages; malloc'ed. */
char *view_path(const struct tree_view *v, uint32_t file);

/* Calls fn for each extent that has bytes in [off, off + len); a negative return ends it. */
int view_extents_at(const struct tree_view *v, uint64_t off, uint64_t len,
		    int (*fn)(void *arg, const struct view_extent *e), void *arg);

/* --- making a view --- */

struct view_super {
	uint64_t meta_base;	/* where nid 0 would lie */
	uint64_t xattr_base;
	uint64_t root_nid;
	int64_t epoch;
	uint32_t epoch_nsec;
};

struct view_count {
	uint32_t claimed, found;
};

struct view_dir;
struct shared;

/* What only the making of a view needs. */
struct view_build {
	struct tree_view *v;
	const struct tree_input *in;
	struct view_super super;
	struct view_cache cache;
	uint64_t meta_left;	/* metadata that may still come: sound images do not share any */
	const struct pkram_hole *holes;
	uint64_t n_holes, holes_used;
	/* nid -> file + 1, and what the files' link counts claim and are */
	uint32_t *nids;
	size_t nids_cap;
	struct view_count *counts;
	size_t cap_counts;
	/* shared xattrs by id */
	struct shared *shared;
	size_t shared_cap, n_shared;
	/* directories still to be read; the last is next */
	struct view_dir *dirs;
	size_t n_dirs, cap_dirs;
};

/* Where an inode's content lies. */
struct view_inode {
	uint64_t nid;
	uint64_t pos;		/* of the inode in the image */
	uint64_t body;		/* end of the inode with its inline xattrs */
	uint64_t size;
	uint32_t u;		/* block, device number or chunk format */
	uint32_t nlink;
	uint16_t mode;
	uint16_t xattr_icount;
	uint8_t layout;
	uint8_t core;		/* bytes of the inode itself */
};

/* Logs what is wrong with the image and returns -EBADMSG. */
int view_bad(struct view_build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reads metadata (tree-view-read.c). */
int view_read(struct view_build *b, uint64_t off, size_t len, void *buf);
/*
 * Accounts for metadata before it is used. No byte of a sound image is claimed twice, so a small
 * image cannot ask for much memory.
 */
int view_meta(struct view_build *b, uint64_t off, uint64_t len);
void view_cache_drop(struct view_build *b);

int view_text_add(struct tree_view *v, const char *s, size_t len, uint64_t *ret);

/* Inodes (tree-view-inode.c). */
int view_super_read(struct view_build *b);
int view_inode_read(struct view_build *b, uint64_t nid, struct view_inode *ret_inode,
		    struct view_file *ret_file);
/* Calls fn for each piece of the content that is not a hole, in order. */
int view_inode_map(struct view_build *b, const struct view_inode *i,
		   int (*fn)(void *arg, uint64_t off, uint64_t image, uint64_t len), void *arg);
/* Reads [off, off + len) of a directory's or symlink's content. */
int view_inode_content(struct view_build *b, const struct view_inode *i, uint64_t off, size_t len,
		       char *buf);

/* Extended attributes (tree-view-xattr.c). */
int view_xattrs_read(struct view_build *b, const struct view_inode *i, struct view_file *f);

/* Data (tree-view-extent.c). */
int view_extents_add(struct view_build *b, const struct view_inode *i, uint32_t file);
void view_extents_sort(struct tree_view *v);
