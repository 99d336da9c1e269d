/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * EROFS as it lies on a device: the part that pkram writes and reads. Our own definitions of a
 * public format, after Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h of the Linux
 * kernel.
 *
 *	image := block 0 with the superblock at 1024, inodes anywhere behind, data blocks anywhere
 *	inode := core (32 or 64 bytes) [xattr area] [tail of the data | chunk map]
 *
 * An inode is found by its nid alone: at meta_blkaddr * block size + nid * 32. All numbers are
 * little-endian. Block addresses and lengths in blocks have 32 bits, so an image ends at 16 TiB.
 *
 * What pkram itself writes: 4 KiB blocks, extended inodes, no shared xattrs, no compression, no
 * extra devices; layouts FLAT_PLAIN, FLAT_INLINE (symlinks only) and CHUNK_BASED with a 4-byte
 * block map.
 */
#pragma once

#include <linux/fs.h>
#include <stddef.h>

#include "pkram-format.h"

#define EROFS_MAGIC 0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024u
#define EROFS_BLOCK_BITS 12u		/* the only size pkram reads and writes: 4 KiB */
#define EROFS_BLOCK (1u << EROFS_BLOCK_BITS)
#define EROFS_SLOT_BITS 5u		/* nids count slots of 32 bytes */
#define EROFS_SLOT (1u << EROFS_SLOT_BITS)
#define EROFS_NULL_ADDR UINT32_MAX	/* block address of a hole in a chunk map */

/* Readers that do not know a compat bit may go on; an incompat bit, not. */
#define EROFS_COMPAT_SB_CHKSUM 0x00000001u	/* @checksum holds */
#define EROFS_COMPAT_MTIME 0x00000002u		/* inode times are mtime */
#define EROFS_COMPAT_XATTR_FILTER 0x00000004u	/* struct erofs_xattr_header.name_filter holds */

#define EROFS_INCOMPAT_ZERO_PADDING 0x00000001u	/* of compressed data */
#define EROFS_INCOMPAT_COMPR_CFGS 0x00000002u	/* and big pclusters */
#define EROFS_INCOMPAT_CHUNKED_FILE 0x00000004u	/* CHUNK_BASED inodes */
#define EROFS_INCOMPAT_DEVICE_TABLE 0x00000008u	/* and a second compressor */
#define EROFS_INCOMPAT_ZTAILPACKING 0x00000010u
#define EROFS_INCOMPAT_FRAGMENTS 0x00000020u	/* and dedupe */
#define EROFS_INCOMPAT_XATTR_PREFIXES 0x00000040u /* xattr names with index bit 7: long prefixes */
#define EROFS_INCOMPAT_48BIT 0x00000080u	/* wider block addresses */
#define EROFS_INCOMPAT_METABOX 0x00000100u

/**
 * struct erofs_super - at byte 1024
 * @magic: EROFS_MAGIC
 * @checksum: CRC32C (start ~0, no final inversion) of bytes 1024..4095 with this field zero
 * @feature_compat: EROFS_COMPAT_*
 * @block_bits: log2 of the block size
 * @ext_slots: the superblock is 128 + 16 * this many bytes long
 * @root_nid: of the root directory (relative to @meta_blkaddr, hence 16 bits suffice)
 * @inodes: how many there are
 * @epoch, @epoch_nsec: mtime of every compact inode (of newer writers: base of its own)
 * @blocks: of the image
 * @meta_blkaddr: block where nid 0 is
 * @xattr_blkaddr: block where shared xattrs start
 * @uuid, @volume_name: for people
 * @feature_incompat: EROFS_INCOMPAT_*
 * @compr_algs: or the LZ4 distance
 * @extra_devices, @devt_slotoff: device table
 * @dir_block_bits: log2 of directory block size over block size; 0 is all there is
 * @xattr_prefix_count, @xattr_prefix_start: table of long xattr prefixes
 * @packed_nid: inode of the fragments
 * @xattr_filter_reserved: of the xattr name filter
 * @reserved: zero
 */
struct erofs_super {
	pkram_le32 magic;
	pkram_le32 checksum;
	pkram_le32 feature_compat;
	uint8_t block_bits;
	uint8_t ext_slots;
	pkram_le16 root_nid;
	pkram_le64 inodes;
	pkram_le64 epoch;
	pkram_le32 epoch_nsec;
	pkram_le32 blocks;
	pkram_le32 meta_blkaddr;
	pkram_le32 xattr_blkaddr;
	uint8_t uuid[16];
	uint8_t volume_name[16];
	pkram_le32 feature_incompat;
	pkram_le16 compr_algs;
	pkram_le16 extra_devices;
	pkram_le16 devt_slotoff;
	uint8_t dir_block_bits;
	uint8_t xattr_prefix_count;
	pkram_le32 xattr_prefix_start;
	pkram_le64 packed_nid;
	uint8_t xattr_filter_reserved;
	uint8_t reserved[23];
};

/* Bits of an inode's @format. */
#define EROFS_FORMAT_EXTENDED 0x0001u
#define EROFS_FORMAT_LAYOUT_SHIFT 1u
#define EROFS_FORMAT_LAYOUT_MASK 0x0007u
#define EROFS_FORMAT_KNOWN 0x000fu

enum erofs_layout {
	EROFS_FLAT_PLAIN = 0,		/* data in consecutive blocks from @u.blkaddr */
	EROFS_COMPRESSED_FULL = 1,
	EROFS_FLAT_INLINE = 2,		/* as plain, but the last part stands behind the xattrs */
	EROFS_COMPRESSED_COMPACT = 3,
	EROFS_CHUNK_BASED = 4,		/* a map behind the xattrs says where each chunk is */
};

/**
 * union erofs_inode_u - by kind of inode
 * @blkaddr: FLAT_*: first block; unused when all data is inline or there is none
 * @rdev: devices: (minor & 0xff) | major << 8 | (minor & ~0xff) << 12
 * @chunk_format: CHUNK_BASED: EROFS_CHUNK_*; the upper half is zero
 */
union erofs_inode_u {
	pkram_le32 blkaddr;
	pkram_le32 rdev;
	pkram_le32 chunk_format;
};

/**
 * struct erofs_inode_compact - 32 bytes; pkram only reads it
 * @format: version and layout
 * @xattr_icount: 0: no xattr area; else its size is 12 + 4 * (this - 1)
 * @mode: as st_mode
 * @nlink, @size: narrow
 * @reserved: zero (newer writers: seconds of mtime over @epoch)
 * @u: see there
 * @ino: for 32-bit stat calls
 * @uid, @gid: narrow
 * @reserved2: zero
 */
struct erofs_inode_compact {
	pkram_le16 format;
	pkram_le16 xattr_icount;
	pkram_le16 mode;
	pkram_le16 nlink;
	pkram_le32 size;
	pkram_le32 reserved;
	union erofs_inode_u u;
	pkram_le32 ino;
	pkram_le16 uid;
	pkram_le16 gid;
	pkram_le32 reserved2;
};

/**
 * struct erofs_inode - the extended form, 64 bytes; it may cross a block boundary
 * @format, @xattr_icount, @mode: as in the compact form
 * @reserved: zero (48-bit images: upper bits of an address)
 * @size: bytes of data
 * @u: see there
 * @ino: for 32-bit stat calls
 * @uid, @gid: all 32 bits
 * @mtime: seconds since 1970, signed; @mtime_nsec: 0..999999999
 * @nlink: names of it
 * @reserved2: zero
 */
struct erofs_inode {
	pkram_le16 format;
	pkram_le16 xattr_icount;
	pkram_le16 mode;
	pkram_le16 reserved;
	pkram_le64 size;
	union erofs_inode_u u;
	pkram_le32 ino;
	pkram_le32 uid;
	pkram_le32 gid;
	pkram_le64 mtime;
	pkram_le32 mtime_nsec;
	pkram_le32 nlink;
	uint8_t reserved2[16];
};

/*
 * Chunk maps start behind the xattr area, aligned to the size of an entry, and may cross blocks. An
 * entry is a 32-bit block address, or with EROFS_CHUNK_INDEXES a struct erofs_chunk_index. The
 * number of entries is the file size over the chunk size, rounded up; the last chunk ends with the
 * file.
 */
#define EROFS_CHUNK_BITS_MASK 0x001fu	/* log2 of the chunk size in blocks */
#define EROFS_CHUNK_INDEXES 0x0020u
#define EROFS_CHUNK_KNOWN 0x003fu

/**
 * struct erofs_chunk_index - a chunk of an image that may have several devices
 * @advise: zero
 * @device_id: 0 is the image itself
 * @blkaddr: or EROFS_NULL_ADDR
 */
struct erofs_chunk_index {
	pkram_le16 advise;
	pkram_le16 device_id;
	pkram_le32 blkaddr;
};

/**
 * struct erofs_xattr_header - start of an xattr area
 * @name_filter: Bloom filter of the names (inverted), with EROFS_COMPAT_XATTR_FILTER
 * @shared_count: how many 32-bit ids of shared xattrs follow the header
 * @reserved: zero
 *
 * A shared xattr is a struct erofs_xattr_entry at xattr_blkaddr * block size + id * 4. Behind the
 * ids follow the inode's own entries up to the end of the area.
 */
struct erofs_xattr_header {
	pkram_le32 name_filter;
	uint8_t shared_count;
	uint8_t reserved[7];
};

enum erofs_xattr_index {
	EROFS_XATTR_USER = 1,
	EROFS_XATTR_ACL_ACCESS = 2,	/* "system.posix_acl_access", without a further name */
	EROFS_XATTR_ACL_DEFAULT = 3,	/* "system.posix_acl_default" */
	EROFS_XATTR_TRUSTED = 4,
	EROFS_XATTR_LUSTRE = 5,
	EROFS_XATTR_SECURITY = 6,
};

#define EROFS_XATTR_LONG_PREFIX 0x80u	/* bit of @name_index */

/**
 * struct erofs_xattr_entry - followed by name (without prefix and NUL) and value; padded to 4
 * @name_len: bytes of the name
 * @name_index: enum erofs_xattr_index
 * @value_size: bytes of the value; an ACL's is what getxattr(2) gives
 */
struct erofs_xattr_entry {
	uint8_t name_len;
	uint8_t name_index;
	pkram_le16 value_size;
};

#define EROFS_XATTR_VALUE_MAX UINT16_MAX
#define EROFS_XATTR_ICOUNT_MAX UINT16_MAX
/* Bytes of the area that an xattr_icount stands for. */
#define EROFS_XATTR_AREA(icount) ((icount) ? 12u + 4u * ((uint32_t)(icount) - 1) : 0u)

enum erofs_file_type {
	EROFS_FT_UNKNOWN = 0,
	EROFS_FT_REG = 1,
	EROFS_FT_DIR = 2,
	EROFS_FT_CHR = 3,
	EROFS_FT_BLK = 4,
	EROFS_FT_FIFO = 5,
	EROFS_FT_SOCK = 6,
	EROFS_FT_SYMLINK = 7,
};

/* Of an inode's mode. */
enum erofs_file_type erofs_file_type(unsigned int mode);
/* CRC32C as the superblock has it: without the final inversion. */
uint32_t erofs_checksum(const uint8_t *p, size_t len);

/**
 * struct erofs_dirent - directory entry
 * @nid: of the inode
 * @nameoff: where in this block the name starts
 * @file_type: enum erofs_file_type
 * @reserved: zero
 *
 * A directory's data is cut in blocks. Each starts with its entries (the first one's @nameoff / 12
 * of them), then their names without NUL, without gaps. The last name of a block ends at a NUL or
 * at the end of the block or of the directory. Names are sorted by bytes (unsigned) over the whole
 * directory, "." and ".." among them.
 */
struct erofs_dirent {
	pkram_le64 nid;
	pkram_le16 nameoff;
	uint8_t file_type;
	uint8_t reserved;
} __attribute__((packed));

#define EROFS_NAME_MAX 255u

/*
 * Inode flags (chattr) have no place in EROFS: pkram keeps them in an xattr of its own, a le32 of
 * FS_*_FL bits out of EROFS_PKRAM_FLAGS, only where one is set. Restore sets them last of all. Bits
 * that only say how a filesystem stores a file (extents, compression, ...) are left out.
 */
#define EROFS_PKRAM_FLAGS_XATTR "trusted.pkram.flags"
#define EROFS_PKRAM_FLAGS_NAME "pkram.flags" /* with EROFS_XATTR_TRUSTED */
#define EROFS_PKRAM_FLAGS                                                                          \
	((uint32_t)(FS_SYNC_FL | FS_DIRSYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL |   \
		    FS_NOATIME_FL))

static_assert(EROFS_BLOCK == PKRAM_BLOCK, "one block size");
static_assert(sizeof(struct erofs_super) == 128, "superblock");
static_assert(offsetof(struct erofs_super, inodes) == 16, "superblock");
static_assert(offsetof(struct erofs_super, uuid) == 48, "superblock");
static_assert(offsetof(struct erofs_super, feature_incompat) == 80, "superblock");
static_assert(offsetof(struct erofs_super, packed_nid) == 96, "superblock");
static_assert(sizeof(union erofs_inode_u) == 4, "inode");
static_assert(sizeof(struct erofs_inode_compact) == 32, "compact inode");
static_assert(offsetof(struct erofs_inode_compact, u) == 16, "compact inode");
static_assert(sizeof(struct erofs_inode) == 64, "extended inode");
static_assert(offsetof(struct erofs_inode, u) == 16, "extended inode");
static_assert(offsetof(struct erofs_inode, mtime) == 32, "extended inode");
static_assert(sizeof(struct erofs_chunk_index) == 8, "chunk index");
static_assert(sizeof(struct erofs_xattr_header) == 12, "xattr header");
static_assert(sizeof(struct erofs_xattr_entry) == 4, "xattr entry");
static_assert(sizeof(struct erofs_dirent) == 12, "directory entry");
