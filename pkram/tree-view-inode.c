/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The superblock and single inodes of an image: what they say in our own terms, after every check
 * that needs nothing but themselves.
 */
#include <endian.h>

#include "tree-erofs.h"
#include "tree-view.h"

static const struct {
	uint32_t bit;
	const char *what;
} refused[] = {
	{ EROFS_INCOMPAT_ZERO_PADDING, "compression" },
	{ EROFS_INCOMPAT_COMPR_CFGS, "compression" },
	{ EROFS_INCOMPAT_DEVICE_TABLE, "several devices" },
	{ EROFS_INCOMPAT_ZTAILPACKING, "compressed tails (ztailpacking)" },
	{ EROFS_INCOMPAT_FRAGMENTS, "fragments or dedupe" },
	{ EROFS_INCOMPAT_XATTR_PREFIXES, "long xattr prefixes" },
	{ EROFS_INCOMPAT_48BIT, "48-bit block addresses" },
	{ EROFS_INCOMPAT_METABOX, "a metadata box (metabox)" },
};

static int not_served(struct view_build *b, const char *what)
{
	pkram_log_error(b->v->ctx,
			"the EROFS image uses %s, which pkram does not serve; make it with plain "
			"mkfs.erofs (no -z, 4 KiB blocks)", what);
	return -EOPNOTSUPP;
}

static int check_features(struct view_build *b, const struct erofs_super *s)
{
	uint32_t incompat = le32toh(s->feature_incompat) & ~EROFS_INCOMPAT_CHUNKED_FILE;
	char what[64];

	if (s->block_bits != EROFS_BLOCK_BITS || s->dir_block_bits) {
		snprintf(what, sizeof(what), "blocks of 2^%u bytes",
			 s->block_bits + (unsigned int)s->dir_block_bits);
		return not_served(b, what);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (incompat & refused[i].bit)
			return not_served(b, refused[i].what);
	if (incompat) {
		snprintf(what, sizeof(what), "unknown features (%#x)", incompat);
		return not_served(b, what);
	}
	if (s->extra_devices)
		return not_served(b, "several devices");
	return 0;
}

static int check_checksum(struct view_build *b, const struct erofs_super *s)
{
	uint8_t block[EROFS_BLOCK - EROFS_SUPER_OFFSET];
	int r;

	if (!(le32toh(s->feature_compat) & EROFS_COMPAT_SB_CHKSUM))
		return 0;
	r = view_read(b, EROFS_SUPER_OFFSET, sizeof(block), block);
	if (r < 0)
		return r;
	memset(block + offsetof(struct erofs_super, checksum), 0, sizeof(s->checksum));
	if (erofs_checksum(block, sizeof(block)) != le32toh(s->checksum))
		return view_bad(b, "the checksum of its superblock is wrong");
	return 0;
}

int view_super_read(struct view_build *b)
{
	struct erofs_super s;
	uint64_t size;
	int r;

	if (b->in->size < EROFS_BLOCK)
		return view_bad(b, "it is shorter than its superblock");
	/* Inodes may share its block: only its own bytes are its. */
	r = view_meta(b, EROFS_SUPER_OFFSET, sizeof(s));
	if (r == 0)
		r = view_read(b, EROFS_SUPER_OFFSET, sizeof(s), &s);
	if (r < 0)
		return r;
	if (le32toh(s.magic) != EROFS_MAGIC)
		return view_bad(b, "it does not start with an EROFS superblock");
	r = check_features(b, &s);
	if (r == 0)
		r = check_checksum(b, &s);
	if (r < 0)
		return r;
	size = (uint64_t)le32toh(s.blocks) * EROFS_BLOCK;
	if (size > b->in->size)
		return view_bad(b, "it is cut off: %llu bytes of %llu",
				(unsigned long long)b->in->size, (unsigned long long)size);
	if ((int64_t)le64toh(s.epoch) > INT64_MAX - UINT32_MAX ||
	    le32toh(s.epoch_nsec) >= 1000000000)
		return view_bad(b, "its date is impossible");
	b->super = (struct view_super){
		.meta_base = (uint64_t)le32toh(s.meta_blkaddr) * EROFS_BLOCK,
		.xattr_base = (uint64_t)le32toh(s.xattr_blkaddr) * EROFS_BLOCK,
		.root_nid = le16toh(s.root_nid),
		.epoch = (int64_t)le64toh(s.epoch),
		.epoch_nsec = le32toh(s.epoch_nsec),
	};
	return 0;
}

static int bad_inode(struct view_build *b, uint64_t nid, const char *what)
{
	return view_bad(b, "inode %llu %s", (unsigned long long)nid, what);
}

static void decode_compact(const struct view_build *b, const struct erofs_inode_compact *c,
			   struct view_inode *i, struct view_file *f)
{
	i->core = sizeof(*c);
	i->mode = le16toh(c->mode);
	i->nlink = le16toh(c->nlink);
	i->size = le32toh(c->size);
	i->u = le32toh(c->u.blkaddr);
	i->xattr_icount = le16toh(c->xattr_icount);
	f->uid = le16toh(c->uid);
	f->gid = le16toh(c->gid);
	f->mtime = b->super.epoch + le32toh(c->reserved);
	f->mtime_nsec = b->super.epoch_nsec;
}

static void decode_extended(const struct erofs_inode *e, struct view_inode *i, struct view_file *f)
{
	i->core = sizeof(*e);
	i->mode = le16toh(e->mode);
	i->nlink = le32toh(e->nlink);
	i->size = le64toh(e->size);
	i->u = le32toh(e->u.blkaddr);
	i->xattr_icount = le16toh(e->xattr_icount);
	f->uid = le32toh(e->uid);
	f->gid = le32toh(e->gid);
	f->mtime = (int64_t)le64toh(e->mtime);
	f->mtime_nsec = le32toh(e->mtime_nsec);
}

static int check_layout(struct view_build *b, const struct view_inode *i)
{
	bool data = S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode);

	switch (i->layout) {
	case EROFS_FLAT_PLAIN:
	case EROFS_FLAT_INLINE:
		return 0;
	case EROFS_CHUNK_BASED:
		if (S_ISREG(i->mode))
			return i->u & ~EROFS_CHUNK_KNOWN ?
				not_served(b, "an unknown form of chunks") : 0;
		return data ? bad_inode(b, i->nid, "is no file and has a chunk map") : 0;
	case EROFS_COMPRESSED_FULL:
	case EROFS_COMPRESSED_COMPACT:
		return not_served(b, "compression");
	default:
		return not_served(b, "an unknown data layout");
	}
}

static int check_inode(struct view_build *b, const struct view_inode *i, const struct view_file *f)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
		break;
	case S_IFLNK:
		if (!i->size || i->size >= TREE_BLOCK)
			return bad_inode(b, i->nid, "is a symlink of impossible length");
		break;
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	default:
		return bad_inode(b, i->nid, "is of no known type");
	}
	if (i->size > INT64_MAX)
		return bad_inode(b, i->nid, "is larger than a file can be");
	if (f->mtime_nsec >= 1000000000)
		return bad_inode(b, i->nid, "has an impossible time");
	/* -1 means "leave it" to chown(2): no file can ever have had it. */
	if (f->uid == UINT32_MAX || f->gid == UINT32_MAX)
		return bad_inode(b, i->nid, "has the owner or group 4294967295, which nobody is");
	return check_layout(b, i);
}

int view_inode_read(struct view_build *b, uint64_t nid, struct view_inode *ret_inode,
		    struct view_file *ret_file)
{
	struct view_inode i = { .nid = nid };
	struct view_file f = { .nid = nid };
	union {
		struct erofs_inode_compact compact;
		struct erofs_inode extended;
		pkram_le16 format;
	} raw;
	uint16_t format;
	int r;

	if (mul_overflows(nid, (uint64_t)EROFS_SLOT, &i.pos) ||
	    add_overflows(i.pos, b->super.meta_base, &i.pos) ||
	    !range_ok(i.pos, sizeof(raw.compact), b->in->size))
		return bad_inode(b, nid, "lies outside the image");
	r = view_read(b, i.pos, sizeof(raw.compact), &raw.compact);
	if (r < 0)
		return r;
	format = le16toh(raw.format);
	if (format & ~EROFS_FORMAT_KNOWN)
		return not_served(b, "an unknown form of inodes");
	i.layout = format >> EROFS_FORMAT_LAYOUT_SHIFT & EROFS_FORMAT_LAYOUT_MASK;
	if (format & EROFS_FORMAT_EXTENDED) {
		r = view_read(b, i.pos, sizeof(raw.extended), &raw.extended);
		if (r < 0)
			return r;
		decode_extended(&raw.extended, &i, &f);
	} else {
		decode_compact(b, &raw.compact, &i, &f);
	}
	i.body = i.pos + i.core + EROFS_XATTR_AREA(i.xattr_icount);
	r = view_meta(b, i.pos, i.body - i.pos);
	if (r == 0)
		r = check_inode(b, &i, &f);
	if (r < 0)
		return r;
	f.mode = i.mode;
	f.size = S_ISREG(i.mode) ? i.size : 0;
	if (S_ISCHR(i.mode) || S_ISBLK(i.mode))
		f.rdev = i.u;
	*ret_inode = i;
	*ret_file = f;
	return 0;
}

struct mapper {
	struct view_build *b;
	const struct view_inode *i;
	int (*fn)(void *arg, uint64_t off, uint64_t image, uint64_t len);
	void *arg;
};

static int map_piece(const struct mapper *m, uint64_t off, uint64_t image, uint64_t len)
{
	if (!len)
		return 0;
	if (!range_ok(image, len, m->b->in->size))
		return bad_inode(m->b, m->i->nid, "has data outside the image");
	return m->fn(m->arg, off, image, len);
}

static int map_flat(const struct mapper *m)
{
	const struct view_inode *i = m->i;
	uint64_t tail = 0;
	int r;

	if (i->layout == EROFS_FLAT_INLINE && i->size) {
		tail = (i->size - 1) % EROFS_BLOCK + 1;
		if (i->body % EROFS_BLOCK + tail > EROFS_BLOCK)
			return bad_inode(m->b, i->nid, "has an inline tail across blocks");
	}
	r = map_piece(m, 0, (uint64_t)i->u * EROFS_BLOCK, i->size - tail);
	if (r < 0)
		return r;
	return map_piece(m, i->size - tail, i->body, tail);
}

/* What a map entry says, as a block address. */
static int chunk_block(const struct mapper *m, const uint8_t *entry, uint32_t *ret)
{
	struct erofs_chunk_index index;
	pkram_le32 block;

	if (!(m->i->u & EROFS_CHUNK_INDEXES)) {
		memcpy(&block, entry, sizeof(block));
		*ret = le32toh(block);
		return 0;
	}
	memcpy(&index, entry, sizeof(index));
	if (index.device_id)
		return not_served(m->b, "several devices");
	*ret = le32toh(index.blkaddr);
	return 0;
}

static int map_chunks(const struct mapper *m)
{
	const struct view_inode *i = m->i;
	unsigned int bits = EROFS_BLOCK_BITS + (i->u & EROFS_CHUNK_BITS_MASK);
	size_t unit = i->u & EROFS_CHUNK_INDEXES ? sizeof(struct erofs_chunk_index) :
						   sizeof(pkram_le32);
	uint64_t chunk = UINT64_C(1) << bits;
	uint64_t n = i->size ? ((i->size - 1) >> bits) + 1 : 0;
	uint64_t map = ALIGN_UP(i->body, (uint64_t)unit);
	uint8_t entries[EROFS_BLOCK];
	int r;

	/* n is at most 2^51: the product fits. */
	r = view_meta(m->b, map, n * unit);
	for (uint64_t at = 0; at < n && r == 0;) {
		size_t got = (size_t)MIN(n - at, (uint64_t)sizeof(entries) / unit);

		r = view_read(m->b, map + at * unit, got * unit, entries);
		for (size_t k = 0; k < got && r == 0; k++, at++) {
			uint64_t off = at << bits;
			uint32_t block;

			r = chunk_block(m, entries + k * unit, &block);
			if (r == 0 && block != EROFS_NULL_ADDR)
				r = map_piece(m, off, (uint64_t)block * EROFS_BLOCK,
					      MIN(chunk, i->size - off));
		}
	}
	return r;
}

int view_inode_map(struct view_build *b, const struct view_inode *i,
		   int (*fn)(void *arg, uint64_t off, uint64_t image, uint64_t len), void *arg)
{
	struct mapper m = { .b = b, .i = i, .fn = fn, .arg = arg };

	return i->layout == EROFS_CHUNK_BASED ? map_chunks(&m) : map_flat(&m);
}

struct content {
	struct view_build *b;
	uint64_t off, len;
	char *buf;
};

static int read_piece(void *arg, uint64_t off, uint64_t image, uint64_t len)
{
	struct content *c = arg;
	uint64_t from = MAX(off, c->off), to = MIN(off + len, c->off + c->len);
	int r;

	if (from >= to)
		return 0;
	r = view_meta(c->b, image + (from - off), to - from);
	if (r < 0)
		return r;
	return view_read(c->b, image + (from - off), (size_t)(to - from), c->buf + (from - c->off));
}

int view_inode_content(struct view_build *b, const struct view_inode *i, uint64_t off, size_t len,
		       char *buf)
{
	struct content c = { .b = b, .off = off, .len = len, .buf = buf };

	return view_inode_map(b, i, read_piece, &c);
}
