/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of an entry that was looked at: an inode of its kind, a source to compare it with
 * later, a place for its data, and what is to be said of it.
 */
#include "tree-save.h"

#include <endian.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>

static uint16_t source_flags(const struct tree_look *l)
{
	return (uint16_t)((l->foreign ? SOURCE_UNCHECKED : 0) | (l->sparse ? SOURCE_SPARSE : 0) |
			  (l->st.stx_blksize >= PKRAM_HUGE ? SOURCE_HUGE : 0));
}

int tree_entry_source(struct tree_image *img, uint32_t dir, const struct tree_look *l, uint64_t nid)
{
	int r;

	if (img->n_sources == TREE_NO_SOURCE)
		return log_error_errno(img->ctx, -EFBIG,
				       "%s: an image of more than %u files is not possible; save "
				       "its parts one by one", img->path, TREE_NO_SOURCE);
	r = array_grow(&img->sources, &img->cap_sources, img->n_sources + 1, sizeof(*img->sources));
	if (r < 0)
		return r;
	img->sources[img->n_sources++] = (struct tree_source){
		.nid = nid, .ino = l->st.stx_ino, .ctime_sec = l->st.stx_ctime.tv_sec,
		.ctime_nsec = l->st.stx_ctime.tv_nsec, .parent = dir, .dev = l->dev,
		.flags = source_flags(l),
		.blocks = (uint32_t)l->st.stx_blocks,
	};
	return 0;
}

static int emit_symlink(struct tree_image *img, const struct tree_look *l, uint64_t *ret_nid)
{
	struct tree_extra x = { .xattrs = &l->xattrs, .layout = EROFS_FLAT_INLINE };
	struct statx st = l->st;
	int64_t at;
	int r;

	st.stx_size = l->len;
	if (sizeof(struct erofs_inode) + l->xattrs.len + l->len <= EROFS_BLOCK) {
		x.tail = l->len;
		x.whole = true;
		r = tree_emit_inode(img, &st, &x, ret_nid);
		if (r == 0)
			memcpy(tree_emit_tail(img, *ret_nid), l->bytes, l->len);
		return r;
	}
	at = tree_buf_add(&img->dirs, EROFS_BLOCK, EROFS_BLOCK);
	if (at < 0)
		return (int)at;
	memcpy(img->dirs.p + at, l->bytes, l->len);
	x.layout = EROFS_FLAT_PLAIN;
	r = tree_emit_inode(img, &st, &x, ret_nid);
	if (r == 0)
		tree_inode(img, *ret_nid)->u.blkaddr = htole32((uint32_t)(at / EROFS_BLOCK));
	return r;
}

/*
 * tmpfs calls fallocated pages that nobody wrote holes. Their room cannot be carried: which of the
 * holes have it, nothing tells. A huge page behind the end looks like that, too: it does not count.
 */
static void note_reserved(struct tree_image *img, uint32_t dir, const struct tree_look *l,
			  uint64_t data)
{
	uint64_t blocks = l->st.stx_blocks * 512;
	char what[80];

	if (l->fs_magic != TMPFS_MAGIC || blocks < data + 2 * PKRAM_HUGE)
		return;
	snprintf(what, sizeof(what), "has %llu MiB that are fallocated but not written",
		 (unsigned long long)((blocks - data) / MIB));
	tree_loss(img, dir, l->name, what);
}

static int emit_regular(struct tree_image *img, uint32_t dir, const struct tree_look *l,
			uint64_t *ret_nid)
{
	struct tree_extra x = { .xattrs = &l->xattrs, .layout = EROFS_FLAT_PLAIN };
	uint64_t size = l->st.stx_size, data = 0, chunk;
	unsigned int bits;
	int r;

	if (!l->sparse) {
		img->data += size;
		return tree_emit_inode(img, &l->st, &x, ret_nid);
	}
	for (size_t i = 0; i < l->segments.n; i++)
		data += MIN(l->segments.s[i].end, size) - l->segments.s[i].off;
	img->data += data;
	/* Of what is being written, blocks and holes are not of one moment. */
	if (!l->writer)
		note_reserved(img, dir, l, data);

	bits = tree_holes_chunk_bits(&l->segments, size);
	chunk = (uint64_t)TREE_BLOCK << bits;
	x.layout = EROFS_CHUNK_BASED;
	x.tail = (size_t)(size / chunk + (size % chunk != 0)) * sizeof(pkram_le32);
	r = tree_emit_inode(img, &l->st, &x, ret_nid);
	if (r < 0)
		return r;
	img->chunked = true;
	tree_inode(img, *ret_nid)->u.chunk_format = htole32(bits);
	return tree_holes_emit(img, *ret_nid, &l->segments, size, bits);
}

/* The root of another mount: an empty thing of its kind, owner and mode stands for it. */
static int emit_foreign(struct tree_image *img, uint32_t dir, const struct tree_look *l,
			uint64_t *ret_nid)
{
	struct tree_extra x = { .layout = EROFS_FLAT_PLAIN };
	_cleanup_free_ char *path = NULL;
	struct statx st = l->st;

	path = tree_path(img, dir, l->name);
	if (!img->probe)
		pkram_log_info(img->ctx, "%s is another mount: left out, saved as an empty %s",
			       path ? path : l->name, S_ISDIR(st.stx_mode) ? "directory" : "file");
	st.stx_size = 0;
	if (!S_ISDIR(st.stx_mode))
		st.stx_mode = S_IFREG | (st.stx_mode & 07777);
	return tree_emit_inode(img, &st, &x, ret_nid);
}

static int emit_new(struct tree_image *img, uint32_t dir, const struct tree_look *l,
		    uint64_t *ret_nid)
{
	struct tree_extra x = { .xattrs = &l->xattrs, .layout = EROFS_FLAT_PLAIN };

	if (l->foreign)
		return emit_foreign(img, dir, l, ret_nid);
	if (S_ISREG(l->st.stx_mode))
		return emit_regular(img, dir, l, ret_nid);
	if (S_ISLNK(l->st.stx_mode))
		return emit_symlink(img, l, ret_nid);
	return tree_emit_inode(img, &l->st, &x, ret_nid);
}

/* Says what stands against saving it as it was found. */
static void say_findings(struct tree_image *img, uint32_t dir, const struct tree_look *l,
			 uint32_t source)
{
	const char *what = l->what;

	for (size_t at = 0; at < l->losses.len; at += strlen((char *)l->losses.p + at) + 1)
		tree_loss(img, dir, l->name, (char *)l->losses.p + at);
	if (l->busy)
		what = "is leased by a process that writes to it";
	if (l->writer)
		tree_has_writer(img, source, tree_path(img, dir, l->name),
				img->devs[l->dev].dev, l->st.stx_ino);
	if (what)
		tree_not_quiet(img, source, tree_path(img, dir, l->name), what);
}

/* What a regular file needs beyond its inode. */
static int emit_file(struct tree_image *img, struct tree_look *l, uint32_t source)
{
	int r = 0;

	if (l->st.stx_size == 0)
		return 0;
	if (!l->busy && !l->writer && !l->file.leased)
		r = tree_add_unleased(img, source);
	/* A probe does not ask for holes: without them, the data may be more than is possible. */
	return r < 0 || img->probe ? r : tree_emit_data(img, source, l);
}

void tree_entry_is(struct tree_look *l, uint32_t dir, uint32_t source)
{
	l->file.source = source;
	l->file.dir = dir;
	l->file.name = l->name;
}

int tree_entry_emit(struct tree_image *img, uint32_t dir, struct tree_look *l, uint64_t *ret_nid,
		    uint32_t *ret_source)
{
	int r;

	r = emit_new(img, dir, l, ret_nid);
	if (r < 0)
		return r;
	*ret_source = (uint32_t)img->n_sources;
	r = tree_entry_source(img, dir, l, *ret_nid);
	if (r < 0 || l->foreign)
		return r;
	tree_entry_is(l, dir, *ret_source);
	say_findings(img, dir, l, *ret_source);
	return S_ISREG(l->st.stx_mode) ? emit_file(img, l, *ret_source) : 0;
}
