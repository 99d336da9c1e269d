/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EROFS records into the image's two buffers, and the layout of the data. Only when the whole tree
 * was seen is it known where directories and data start: until then addresses count from the start
 * of their zone, and are shifted at the end, in one pass.
 */
#include "tree-save.h"

#include <endian.h>
#include <sys/sysmacros.h>

#include "hash.h"

/* Files from this size on start on a huge page of the data, which a large node maps as one. */
#define ALIGNED_SIZE (64 * MIB)
#define HUGE_BLOCKS (PKRAM_HUGE / TREE_BLOCK)

int64_t tree_buf_add(struct tree_buf *buf, size_t len, size_t align)
{
	size_t at = ALIGN_UP(buf->len, align), end;
	int r;

	if (add_overflows(at, len, &end) || end > INT64_MAX)
		return -ENOMEM;
	r = array_grow(&buf->p, &buf->cap, end, 1);
	if (r < 0)
		return r;
	memset(buf->p + buf->len, 0, end - buf->len);
	buf->len = end;
	return (int64_t)at;
}

static uint32_t encode_rdev(const struct statx *st)
{
	uint32_t major = st->stx_rdev_major, minor = st->stx_rdev_minor;

	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

int tree_emit_inode(struct tree_image *img, const struct statx *st, const struct tree_extra *x,
		    uint64_t *ret_nid)
{
	size_t xlen = x->xattrs ? x->xattrs->len : 0;
	size_t len = sizeof(struct erofs_inode) + xlen + x->tail, align = EROFS_SLOT;
	struct erofs_inode *inode;
	int64_t at;

	if (x->whole && ALIGN_UP(img->inodes.len, align) % EROFS_BLOCK + len > EROFS_BLOCK)
		align = EROFS_BLOCK;
	at = tree_buf_add(&img->inodes, len, align);
	if (at < 0)
		return (int)at;
	inode = (struct erofs_inode *)(img->inodes.p + at);
	*inode = (struct erofs_inode){
		.format = htole16((uint16_t)(EROFS_FORMAT_EXTENDED |
					     x->layout << EROFS_FORMAT_LAYOUT_SHIFT)),
		.xattr_icount = htole16((uint16_t)(xlen ? (xlen - 12) / 4 + 1 : 0)),
		.mode = htole16(st->stx_mode),
		.ino = htole32((uint32_t)img->n_sources + 1),
		.uid = htole32(st->stx_uid),
		.gid = htole32(st->stx_gid),
		.mtime = htole64((uint64_t)st->stx_mtime.tv_sec),
		.mtime_nsec = htole32(st->stx_mtime.tv_nsec),
		.nlink = htole32(1),
	};
	if (S_ISREG(st->stx_mode) || S_ISLNK(st->stx_mode))
		inode->size = htole64(st->stx_size);
	if (S_ISCHR(st->stx_mode) || S_ISBLK(st->stx_mode))
		inode->u.rdev = htole32(encode_rdev(st));
	if (xlen)
		memcpy(inode + 1, x->xattrs->p, xlen);
	*ret_nid = (uint64_t)at >> EROFS_SLOT_BITS;
	return 0;
}

void *tree_emit_tail(const struct tree_image *img, uint64_t nid)
{
	struct erofs_inode *inode = tree_inode(img, nid);

	return (uint8_t *)(inode + 1) + EROFS_XATTR_AREA(le16toh(inode->xattr_icount));
}

/* How many of the entries fit in one block, and how many bytes they take. */
static size_t block_entries(const struct tree_entry *entries, size_t n, size_t *ret_used)
{
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		size_t need = sizeof(struct erofs_dirent) + entries[i].len;

		if (used + need > EROFS_BLOCK)
			break;
		used += need;
	}
	*ret_used = used;
	return i;
}

static int too_large(const struct tree_image *img)
{
	return log_error_errno(img->ctx, -EFBIG,
			       "%s: an image of more than 16 TiB is not possible; save its parts "
			       "one by one", img->path);
}

int tree_emit_dir(struct tree_image *img, uint64_t nid, const struct tree_entry *entries, size_t n,
		  const char *names)
{
	struct erofs_inode *inode = tree_inode(img, nid);
	uint64_t size = 0, start = img->dirs.len;

	for (size_t used, count; n; entries += count, n -= count) {
		struct erofs_dirent *d;
		uint16_t name;
		int64_t at;

		count = block_entries(entries, n, &used);
		at = tree_buf_add(&img->dirs, EROFS_BLOCK, EROFS_BLOCK);
		if (at < 0)
			return (int)at;
		d = (struct erofs_dirent *)(img->dirs.p + at);
		name = (uint16_t)(count * sizeof(*d));
		for (size_t i = 0; i < count; i++) {
			const struct tree_entry *e = &entries[i];

			d[i].nid = htole64(e->nid);
			d[i].nameoff = htole16(name);
			d[i].file_type = e->file_type;
			memcpy(img->dirs.p + at + name, names + e->name, e->len);
			if (e->source != TREE_NO_SOURCE)
				img->sources[e->source].name =
					((uint64_t)at + name) | (uint64_t)e->len << 56;
			name += e->len;
		}
		size = (uint64_t)at - start + used;
	}
	inode->size = htole64(size);
	inode->u.blkaddr = htole32((uint32_t)(start / EROFS_BLOCK));
	return 0;
}

static int add_run(struct tree_image *img, uint32_t source, uint64_t off, uint64_t blocks,
		   struct tree_look *l)
{
	struct tree_run *last = img->n_runs ? &img->runs[img->n_runs - 1] : NULL;
	int r;

	if (img->blocks + blocks >= UINT32_MAX)
		return too_large(img);
	if (last && last->source == source &&
	    last->off + (uint64_t)last->blocks * TREE_BLOCK == off) {
		last->blocks += (uint32_t)blocks;
	} else {
		r = array_grow(&img->runs, &img->cap_runs, img->n_runs + 1, sizeof(*img->runs));
		if (r < 0)
			return r;
		img->runs[img->n_runs++] = (struct tree_run){
			.off = off, .blk = (uint32_t)img->blocks, .blocks = (uint32_t)blocks,
			.source = source,
		};
	}
	r = tree_early_add(img, img->blocks, blocks, l);
	img->blocks += blocks;
	return r;
}

static bool is_chunked(const struct erofs_inode *inode)
{
	return le16toh(inode->format) >> EROFS_FORMAT_LAYOUT_SHIFT == EROFS_CHUNK_BASED;
}

/* Gives each chunk with data its place. */
static int place_chunks(struct tree_image *img, uint32_t source, struct erofs_inode *inode)
{
	uint64_t size = le64toh(inode->size), chunk = tree_chunk_size(inode), off = 0;
	pkram_le32 *map = tree_emit_tail(img, img->sources[source].nid);

	for (; off < size; off += MIN(chunk, size - off), map++) {
		uint64_t blocks = (MIN(chunk, size - off) + TREE_BLOCK - 1) / TREE_BLOCK;
		uint64_t blk = img->blocks;
		int r;

		if (*map == htole32(EROFS_NULL_ADDR))
			continue;
		r = add_run(img, source, off, blocks, NULL);
		if (r < 0)
			return r;
		*map = htole32((uint32_t)blk);
	}
	return 0;
}

int tree_emit_data(struct tree_image *img, uint32_t source, struct tree_look *l)
{
	struct erofs_inode *inode = tree_inode(img, img->sources[source].nid);
	uint64_t size = le64toh(inode->size);

	if (is_chunked(inode))
		return place_chunks(img, source, inode);
	if (size >= ALIGNED_SIZE)
		img->blocks = ALIGN_UP(img->blocks, HUGE_BLOCKS);
	inode->u.blkaddr = htole32((uint32_t)img->blocks);
	return add_run(img, source, 0, size / TREE_BLOCK + (size % TREE_BLOCK != 0), l);
}

/* Addresses of data count from the start of the image's data until that is known. */
static void shift_inode(struct tree_image *img, uint64_t nid, uint32_t blocks)
{
	struct erofs_inode *inode = tree_inode(img, nid);
	uint64_t size = le64toh(inode->size), chunk, chunks;
	pkram_le32 *map;

	if (!is_chunked(inode)) {
		if (size)
			inode->u.blkaddr = htole32(le32toh(inode->u.blkaddr) + blocks);
		return;
	}
	map = tree_emit_tail(img, nid);
	chunk = tree_chunk_size(inode);
	chunks = size / chunk + (size % chunk != 0);
	for (uint64_t i = 0; i < chunks; i++)
		if (map[i] != htole32(EROFS_NULL_ADDR))
			map[i] = htole32(le32toh(map[i]) + blocks);
}

static void put_superblock(struct tree_image *img)
{
	struct erofs_super *sb = (struct erofs_super *)(img->inodes.p + EROFS_SUPER_OFFSET);
	/* Of what the image says, so that the same tree makes the same image. */
	pkram_le64 id = htole64(XXH3_64bits_withSeed(img->dirs.p, img->dirs.len,
						     XXH3_64bits(img->inodes.p, img->inodes.len)));

	*sb = (struct erofs_super){
		.magic = htole32(EROFS_MAGIC),
		.feature_compat = htole32(EROFS_COMPAT_SB_CHKSUM | EROFS_COMPAT_MTIME),
		.feature_incompat = htole32(img->chunked ? EROFS_INCOMPAT_CHUNKED_FILE : 0),
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = htole16((uint16_t)img->sources[0].nid),
		.inodes = htole64(img->n_sources),
		.blocks = htole32((uint32_t)(img->size / EROFS_BLOCK)),
		.volume_name = "pkram",
	};
	memcpy(sb->uuid, &id, sizeof(id));
	memcpy(sb->uuid + 8, "pkram\0\0", 8);
	sb->checksum = htole32(erofs_checksum(img->inodes.p + EROFS_SUPER_OFFSET,
					      EROFS_BLOCK - EROFS_SUPER_OFFSET));
}

int tree_emit_finish(struct tree_image *img)
{
	uint32_t dirs, front;
	int64_t r;

	r = tree_buf_add(&img->inodes, 0, EROFS_BLOCK);
	if (r < 0)
		return (int)r;
	img->dirs_off = img->inodes.len;
	img->meta_size = img->dirs_off + img->dirs.len;
	img->size = img->meta_size + img->blocks * TREE_BLOCK;
	if (img->size / TREE_BLOCK >= UINT32_MAX)
		return too_large(img);
	dirs = (uint32_t)(img->dirs_off / TREE_BLOCK);
	front = (uint32_t)(img->meta_size / TREE_BLOCK);
	for (size_t i = 0; i < img->n_sources; i++) {
		struct erofs_inode *inode = tree_inode(img, img->sources[i].nid);
		unsigned int mode = le16toh(inode->mode);

		if (S_ISREG(mode))
			shift_inode(img, img->sources[i].nid, front);
		else if (S_ISDIR(mode) ||
			 (S_ISLNK(mode) && inode->format == htole16(EROFS_FORMAT_EXTENDED)))
			inode->u.blkaddr = htole32(le32toh(inode->u.blkaddr) + dirs);
	}
	for (size_t i = 0; i < img->n_runs; i++)
		img->runs[i].blk += front;
	put_superblock(img);
	return 0;
}
