/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Views of hostile images. The image here is made by hand, one structure at a time, so that each
 * case can break exactly one thing; then every byte of a real one is broken in turn.
 */
#include <endian.h>

#include "tree-erofs.h"
#include "tree-image.h"
#include "tree-view.h"

#define BLOCKS 12u

/* Inode k has nid 2k and stands in block 1; directories and data follow from block 4 on. */
enum { ROOT, FILE_F, DIR_D, LINK_L, DIR_E, N_INODES };

struct made {
	uint8_t bytes[BLOCKS * EROFS_BLOCK];
};

struct entry {
	const char *name;
	unsigned int inode, type;
};

static struct erofs_super *super_of(struct made *m)
{
	return (struct erofs_super *)(void *)(m->bytes + EROFS_SUPER_OFFSET);
}

static struct erofs_inode *inode_of(struct made *m, unsigned int k)
{
	return (struct erofs_inode *)(void *)(m->bytes + EROFS_BLOCK +
					      k * sizeof(struct erofs_inode));
}

static void set_inode(struct made *m, unsigned int k, unsigned int mode, enum erofs_layout layout,
		      uint64_t size, uint32_t block)
{
	*inode_of(m, k) = (struct erofs_inode){
		.format = htole16((uint16_t)(EROFS_FORMAT_EXTENDED |
					     layout << EROFS_FORMAT_LAYOUT_SHIFT)),
		.mode = htole16((uint16_t)mode),
		.size = htole64(size),
		.u.blkaddr = htole32(block),
		.nlink = htole32(1),
	};
}

static size_t name_length(const struct entry *e)
{
	/* One byte that no C string can hold. */
	return strcmp(e->name, "NUL") == 0 ? 2 : strlen(e->name);
}

static void set_dir(struct made *m, unsigned int k, uint32_t block, const struct entry *entries,
		    size_t n)
{
	uint8_t *at = m->bytes + block * EROFS_BLOCK;
	size_t off = n * sizeof(struct erofs_dirent);

	memset(at, 0, EROFS_BLOCK);
	for (size_t i = 0; i < n; i++) {
		struct erofs_dirent d = {
			.nid = htole64(entries[i].inode * 2), .nameoff = htole16((uint16_t)off),
			.file_type = (uint8_t)entries[i].type,
		};
		size_t len = name_length(&entries[i]);

		memcpy(at + i * sizeof(d), &d, sizeof(d));
		memcpy(at + off, strcmp(entries[i].name, "NUL") == 0 ? "a\0b" : entries[i].name,
		       len);
		off += len;
	}
	set_inode(m, k, S_IFDIR | 0755, EROFS_FLAT_PLAIN, off, block);
}

#define SET_DIR(m, k, block, ...)                                                                  \
	do {                                                                                       \
		const struct entry _e[] = { __VA_ARGS__ };                                         \
		set_dir(m, k, block, _e, ARRAY_SIZE(_e));                                          \
	} while (0)

static struct made *make(void)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	*super_of(m) = (struct erofs_super){
		.magic = htole32(EROFS_MAGIC), .block_bits = EROFS_BLOCK_BITS,
		.blocks = htole32(BLOCKS), .meta_blkaddr = htole32(1),
		.inodes = htole64(N_INODES), .xattr_blkaddr = htole32(9),
	};
	SET_DIR(m, ROOT, 4, { ".", ROOT, EROFS_FT_DIR }, { "..", ROOT, EROFS_FT_DIR },
		{ "d", DIR_D, EROFS_FT_DIR }, { "f", FILE_F, EROFS_FT_REG },
		{ "l", LINK_L, EROFS_FT_SYMLINK });
	SET_DIR(m, DIR_D, 5, { ".", DIR_D, EROFS_FT_DIR }, { "..", ROOT, EROFS_FT_DIR },
		{ "e", DIR_E, EROFS_FT_DIR });
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR });
	set_inode(m, FILE_F, S_IFREG | 0644, EROFS_FLAT_PLAIN, 5000, 7);
	set_inode(m, LINK_L, S_IFLNK | 0777, EROFS_FLAT_PLAIN, 6, 3);
	memcpy(m->bytes + 3 * EROFS_BLOCK, "target", 6);
	return m;
}

static int view_of(void *bytes, uint64_t size, struct tree_view **ret)
{
	struct image image = { .bytes = bytes, .size = size };
	struct tree_input in = image_input(&image);
	struct pkram_ctx *ctx = test_ctx();
	struct tree_view *v = NULL;
	int r = tree_view_new(ctx, &in, NULL, 0, &v);

	if (r == 0 && ret)
		*ret = v;
	else
		tree_view_free(v);
	pkram_unref(ctx);
	return r;
}

/* The image must be refused with this error and a message that says this. */
static void refused(struct made *m, int error, const char *says)
{
	int r = view_of(m->bytes, sizeof(m->bytes), NULL);

	if (r != error || !strstr(last_log, says))
		fail_msg("%d instead of %d (\"%s\"): %s", r, error, says, last_log);
	free(m);
}

static void test_sound(void **state)
{
	struct made *m = make();
	struct tree_view_info info;
	struct tree_view *v;

	(void)state;
	if (view_of(m->bytes, sizeof(m->bytes), &v) < 0)
		fail_msg("%s", last_log);
	tree_view_info(v, &info);
	assert_int_equal(info.inodes, N_INODES);
	assert_int_equal(info.data, 5000);
	assert_int_equal(info.pages, 8192);
	for (uint32_t i = 0; i < N_INODES; i++) {
		char *path = view_path(v, i);

		assert_string_equal(path, ((const char *[]){ ".", "d", "f", "l", "d/e" })[i]);
		free(path);
	}
	tree_view_free(v);
	free(m);
}

static int join(void *arg, const char *path)
{
	strcat(arg, path);
	strcat(arg, ";");
	return 0;
}

static void test_files_at(void **state)
{
	struct made *m = make();
	struct tree_view *v;
	char all[256] = "", meta[256] = "", data[256] = "", none[256] = "";

	(void)state;
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), &v), 0);
	assert_int_equal(tree_view_files_at(v, 0, UINT64_MAX, join, all), 0);
	assert_string_equal(all, "(metadata);f;");
	assert_int_equal(tree_view_files_at(v, EROFS_BLOCK, 1, join, meta), 0);
	assert_string_equal(meta, "(metadata);");
	assert_int_equal(tree_view_files_at(v, 7 * EROFS_BLOCK + 4999, 1, join, data), 0);
	assert_string_equal(data, "f;");
	assert_int_equal(tree_view_files_at(v, 7 * EROFS_BLOCK + 5000, 999999, join, none), 0);
	assert_string_equal(none, "");
	tree_view_free(v);
	free(m);
}

static void test_super(void **state)
{
	static const struct { uint32_t bit; const char *says; } features[] = {
		{ EROFS_INCOMPAT_ZERO_PADDING, "compression" },
		{ EROFS_INCOMPAT_COMPR_CFGS, "compression" },
		{ EROFS_INCOMPAT_DEVICE_TABLE, "several devices" },
		{ EROFS_INCOMPAT_ZTAILPACKING, "ztailpacking" },
		{ EROFS_INCOMPAT_FRAGMENTS, "fragments" },
		{ EROFS_INCOMPAT_XATTR_PREFIXES, "long xattr prefixes" },
		{ EROFS_INCOMPAT_48BIT, "48-bit" },
		{ EROFS_INCOMPAT_METABOX, "metabox" },
		{ 0x80000000u, "unknown features (0x80000000)" },
	};
	struct made *m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		m = make();
		super_of(m)->feature_incompat = htole32(features[i].bit);
		refused(m, -EOPNOTSUPP, features[i].says);
	}
	m = make(), super_of(m)->magic = 0, refused(m, -EBADMSG, "superblock");
	m = make(), super_of(m)->block_bits = 9, refused(m, -EOPNOTSUPP, "blocks of 2^9");
	m = make(), super_of(m)->dir_block_bits = 1, refused(m, -EOPNOTSUPP, "blocks of 2^13");
	m = make(), super_of(m)->extra_devices = htole16(1), refused(m, -EOPNOTSUPP, "devices");
	m = make(), super_of(m)->blocks = htole32(BLOCKS + 1), refused(m, -EBADMSG, "cut off");
	m = make(), super_of(m)->feature_compat = htole32(EROFS_COMPAT_SB_CHKSUM),
	refused(m, -EBADMSG, "checksum");
	m = make(), super_of(m)->meta_blkaddr = htole32(UINT32_MAX),
	refused(m, -EBADMSG, "outside");
	m = make(), super_of(m)->root_nid = htole16(FILE_F * 2), refused(m, -EBADMSG, "root");
	m = make(), super_of(m)->epoch_nsec = htole32(1000000000), refused(m, -EBADMSG, "date");
	m = make();
	for (uint64_t size = 0; size < sizeof(m->bytes); size += 512)
		assert_int_equal(view_of(m->bytes, size, NULL), -EBADMSG);
	free(m);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "a/b", "/", "NUL", "" };
	char longest[300];
	struct made *m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		m = make();
		SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
			{ bad[i], FILE_F, EROFS_FT_REG }, { "z", LINK_L, EROFS_FT_SYMLINK });
		refused(m, -EBADMSG, "directory d/e holds a name that no file can have");
	}
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ longest, FILE_F, EROFS_FT_REG });
	refused(m, -EBADMSG, "name that no file can have");
	m = make();
	inode_of(m, FILE_F)->nlink = htole32(2);
	longest[255] = '\0';
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ longest, FILE_F, EROFS_FT_REG });
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), NULL), 0);
	free(m);
	/* A file behind the name of the parent; a name twice, apart and next to each other. */
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", FILE_F, EROFS_FT_REG });
	refused(m, -EBADMSG, "\"..\"");
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ "..", DIR_D, EROFS_FT_DIR });
	refused(m, -EBADMSG, "\"..\"");
	m = make();
	SET_DIR(m, DIR_E, 6, { "..", DIR_D, EROFS_FT_DIR });
	refused(m, -EBADMSG, "has no \".\"");
	for (int apart = 0; apart < 2; apart++) {
		m = make();
		inode_of(m, FILE_F)->nlink = htole32(3);
		SET_DIR(m, ROOT, 4, { ".", ROOT, EROFS_FT_DIR }, { "..", ROOT, EROFS_FT_DIR },
			{ "l", LINK_L, EROFS_FT_SYMLINK },
			{ apart ? "f" : "l", DIR_D, EROFS_FT_DIR }, { "l", FILE_F, EROFS_FT_REG });
		refused(m, -EBADMSG, "holds a name twice");
	}
}

static void test_no_tree(void **state)
{
	static const unsigned int up[] = { ROOT, DIR_D, DIR_E };
	struct made *m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(up); i++) {
		m = make();
		SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
			{ "up", up[i], EROFS_FT_DIR });
		refused(m, -EBADMSG, "no tree");
	}
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", ROOT, EROFS_FT_DIR });
	refused(m, -EBADMSG, "wrong \"..\"");
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_D, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR });
	refused(m, -EBADMSG, "wrong \".\"");
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ "more", FILE_F, EROFS_FT_REG });
	refused(m, -EBADMSG, "has 2 names");
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ "f", FILE_F, EROFS_FT_SYMLINK });
	refused(m, -EBADMSG, "not of the type");
	m = make();
	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ "far", 1u << 30, EROFS_FT_REG });
	refused(m, -EBADMSG, "outside");
}

static void set_layout(struct made *m, unsigned int k, unsigned int layout)
{
	inode_of(m, k)->format =
		htole16((uint16_t)(EROFS_FORMAT_EXTENDED | layout << EROFS_FORMAT_LAYOUT_SHIFT));
}

static void test_inodes(void **state)
{
	struct made *m;

	(void)state;
	m = make(), inode_of(m, FILE_F)->size = htole64(UINT64_MAX), refused(m, -EBADMSG, "larger");
	m = make(), inode_of(m, FILE_F)->size = htole64(INT64_MAX), refused(m, -EBADMSG, "outside");
	m = make(), inode_of(m, FILE_F)->u.blkaddr = htole32(11), refused(m, -EBADMSG, "outside");
	m = make(), inode_of(m, FILE_F)->u.blkaddr = htole32(UINT32_MAX),
	refused(m, -EBADMSG, "outside");
	m = make(), inode_of(m, DIR_D)->size = htole64(INT64_MAX), refused(m, -EBADMSG, "outside");
	m = make(), inode_of(m, DIR_D)->size = htole64(5), refused(m, -EBADMSG, "directory d");
	m = make(), inode_of(m, DIR_D)->size = 0, refused(m, -EBADMSG, "has no \".\"");
	m = make(), inode_of(m, FILE_F)->uid = htole32(UINT32_MAX),
	refused(m, -EBADMSG, "4294967295");
	m = make(), inode_of(m, FILE_F)->mtime_nsec = htole32(1000000000),
	refused(m, -EBADMSG, "time");
	m = make(), inode_of(m, FILE_F)->mode = htole16(0644),
	refused(m, -EBADMSG, "no known type");
	m = make(), inode_of(m, FILE_F)->format |= htole16(0x10), refused(m, -EOPNOTSUPP, "inodes");
	m = make(), inode_of(m, LINK_L)->size = 0, refused(m, -EBADMSG, "impossible length");
	m = make(), inode_of(m, LINK_L)->size = htole64(4096),
	refused(m, -EBADMSG, "impossible length");
	m = make(), inode_of(m, LINK_L)->size = htole64(7), refused(m, -EBADMSG, "holds a NUL");
	m = make(), set_layout(m, FILE_F, EROFS_COMPRESSED_FULL),
	refused(m, -EOPNOTSUPP, "compression");
	m = make(), set_layout(m, FILE_F, EROFS_COMPRESSED_COMPACT),
	refused(m, -EOPNOTSUPP, "compression");
	m = make(), set_layout(m, FILE_F, 7), refused(m, -EOPNOTSUPP, "layout");
	m = make(), set_layout(m, DIR_D, EROFS_CHUNK_BASED), refused(m, -EBADMSG, "chunk map");
	m = make(), set_layout(m, FILE_F, EROFS_FLAT_INLINE),
	inode_of(m, FILE_F)->size = htole64(4096), refused(m, -EBADMSG, "across blocks");
}

/* A chunk map of the file behind all inodes. */
static struct made *make_chunks(uint32_t format, uint64_t size, uint32_t block)
{
	struct made *m = make();
	pkram_le32 *map = (pkram_le32 *)(void *)inode_of(m, N_INODES + 1);

	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ "chunks", N_INODES, EROFS_FT_REG });
	set_inode(m, N_INODES, S_IFREG, EROFS_CHUNK_BASED, size, format);
	for (int i = 0; i < 64; i++)
		map[i] = htole32(i % 2                          ? block
				 : format & EROFS_CHUNK_INDEXES ? 0
								: EROFS_NULL_ADDR);
	return m;
}

static void test_chunks(void **state)
{
	struct tree_view_info info;
	struct tree_view *v;
	struct made *m;

	(void)state;
	m = make_chunks(0, 10 * EROFS_BLOCK, 8);
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), &v), 0);
	tree_view_info(v, &info);
	assert_int_equal(info.data, 5000 + 5 * EROFS_BLOCK);
	tree_view_free(v);
	free(m);
	m = make_chunks(EROFS_CHUNK_INDEXES, 10 * EROFS_BLOCK, 8);
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), &v), 0);
	tree_view_info(v, &info);
	assert_int_equal(info.data, 5000 + 10 * EROFS_BLOCK);
	tree_view_free(v);
	free(m);
	refused(make_chunks(0, 10 * EROFS_BLOCK, BLOCKS), -EBADMSG, "outside");
	refused(make_chunks(0, UINT64_C(1) << 40, 8), -EBADMSG, "beyond its end");
	refused(make_chunks(0, INT64_MAX, 8), -EBADMSG, "beyond its end");
	refused(make_chunks(0x40, 4096, 8), -EOPNOTSUPP, "chunks");
	m = make_chunks(EROFS_CHUNK_INDEXES, 10 * EROFS_BLOCK, 8);
	((pkram_le32 *)(void *)inode_of(m, N_INODES + 1))[2] = htole32(1u << 16);
	refused(m, -EOPNOTSUPP, "several devices");
	/* 2^31 blocks to a chunk, all holes: a sparse file, not an error. */
	m = make_chunks(0x1f, UINT64_C(1) << 44, EROFS_NULL_ADDR);
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), NULL), 0);
	free(m);
}

static void set_xattr(struct made *m, uint16_t icount, uint8_t shared, struct erofs_xattr_entry e,
		      const char *name_value)
{
	struct erofs_xattr_header h = { .shared_count = shared };
	uint8_t *at = (uint8_t *)inode_of(m, N_INODES + 1);

	SET_DIR(m, DIR_E, 6, { ".", DIR_E, EROFS_FT_DIR }, { "..", DIR_D, EROFS_FT_DIR },
		{ "x", N_INODES, EROFS_FT_REG });
	set_inode(m, N_INODES, S_IFREG, EROFS_FLAT_PLAIN, 0, 0);
	inode_of(m, N_INODES)->xattr_icount = htole16(icount);
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), &e, sizeof(e));
	memcpy(at + sizeof(h) + sizeof(e), name_value, strlen(name_value));
}

/* Shared attributes that overlap would need more memory than the image has bytes. */
static void test_no_bomb(void **state)
{
	static const struct erofs_xattr_entry each = { 1, EROFS_XATTR_USER, 4096 };
	struct made *m = make();
	pkram_le32 ids[200];

	(void)state;
	for (uint32_t i = 0; i < 2 * EROFS_BLOCK; i += sizeof(each))
		memcpy(m->bytes + 9 * EROFS_BLOCK + i, &each, sizeof(each));
	for (uint32_t i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = htole32(i);
	set_xattr(m, 201, 200, each, "");
	memcpy((uint8_t *)inode_of(m, N_INODES + 1) + sizeof(struct erofs_xattr_header), ids,
	       sizeof(ids));
	refused(m, -EBADMSG, "more metadata than it has bytes");
}

static void test_xattrs(void **state)
{
	struct erofs_xattr_entry e = { 1, EROFS_XATTR_USER, htole16(3) };
	struct erofs_xattr_entry flags = { 11, EROFS_XATTR_TRUSTED, htole16(4) };
	struct tree_view *v;
	struct made *m;

	(void)state;
	m = make(), set_xattr(m, 3, 0, e, "nval");
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), &v), 0);
	assert_int_equal(v->n_xattrs, 1);
	assert_string_equal(view_text(v, v->xattrs[0].name), "user.n");
	assert_memory_equal(v->values.bytes + v->xattrs[0].value, "val", 3);
	tree_view_free(v);
	free(m);
	m = make(), set_xattr(m, 6, 0, flags, "pkram.flags\x10\0\0");
	assert_int_equal(view_of(m->bytes, sizeof(m->bytes), &v), 0);
	assert_int_equal(v->n_refs, 0);
	assert_int_equal(v->files[v->n_files - 1].flags, FS_IMMUTABLE_FL);
	tree_view_free(v);
	free(m);
	m = make(), set_xattr(m, 6, 0, flags, "pkram.flags\x04"), refused(m, -EBADMSG, "flags");
	m = make(), set_xattr(m, 2, 0, e, "nval"), refused(m, -EBADMSG, "cut off");
	m = make(), set_xattr(m, 65535, 0, e, "nval"), refused(m, -EBADMSG, "beyond its end");
	m = make(), set_xattr(m, 3, 9, e, "nval"), refused(m, -EBADMSG, "cut off");
	m = make(),
	set_xattr(m, 3, 2, (struct erofs_xattr_entry){ 255, 255, 65535 }, "\xff\xff\xff\xff"),
	refused(m, -EBADMSG, "outside");
	e.name_index = EROFS_XATTR_LUSTRE;
	m = make(), set_xattr(m, 3, 0, e, "nval"), refused(m, -EBADMSG, "no sound name");
	e.name_index = EROFS_XATTR_LONG_PREFIX | 1;
	m = make(), set_xattr(m, 3, 0, e, "nval"), refused(m, -EBADMSG, "no sound name");
	e.name_index = EROFS_XATTR_ACL_ACCESS;
	m = make(), set_xattr(m, 3, 0, e, "nval"), refused(m, -EBADMSG, "no sound name");
}

/* Each byte of a real image's metadata is changed: an error or a sound view, never anything else.
 */
static void test_damage(void **state)
{
	char *dir = scratch_new();
	struct image image, copy;
	unsigned int sound = 0, bad = 0;
	uint64_t end;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	const unsigned int stride = 5; /* each view is a hundred times dearer */
#else
	const unsigned int stride = 1;
#endif

	(void)state;
	assert_int_equal(
		run("cd %s && mkdir -p d/e && echo x > f && ln f d/g && ln -s f l && mkfifo p "
		    "&& mknod c c 1 3 && head -c 9000 /dev/zero > z && setfattr -n user.a -v b f"
		    " 2>/dev/null; setfattr -h -n trusted.t -v u %s/d/e",
		    dir, dir),
		0);
	image = image_make("--chunksize=4096", dir);
	/* Without the checksum the rest of the superblock is tried, too. */
	image.bytes[EROFS_SUPER_OFFSET + offsetof(struct erofs_super, feature_compat)] = 0;
	copy = (struct image){ .bytes = malloc(image.size), .size = image.size };
	assert_non_null(copy.bytes);
	assert_int_equal(view_of(image.bytes, image.size, NULL), 0);
	end = MIN(image.size, UINT64_C(3) * EROFS_BLOCK);
	for (uint64_t i = EROFS_SUPER_OFFSET; i < end; i += stride) {
		memcpy(copy.bytes, image.bytes, image.size);
		for (unsigned int k = 0; k < 3; k++) {
			struct tree_view *v;
			char paths[65536] = "";

			copy.bytes[i] =
				(char)(image.bytes[i] ^ (k ? k == 1 ? 0xff : 0x80 : 1 << i % 8));
			if (view_of(copy.bytes, copy.size, &v) < 0) {
				bad++;
				continue;
			}
			sound++;
			assert_int_equal(tree_view_files_at(v, 0, copy.size, join, paths), 0);
			tree_view_free(v);
		}
	}
	assert_true(bad > 500 / stride && sound > 500 / stride);
	for (uint64_t size = 0; size < image.size; size += 61)
		assert_true(view_of(image.bytes, size, NULL) < 0);
	free(copy.bytes);
	free(image.bytes);
	scratch_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_files_at),
		cmocka_unit_test(test_super),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_tree),
		cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_xattrs),
		cmocka_unit_test(test_no_bomb),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
