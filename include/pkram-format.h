/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container format of pkram, version 1. This header is the specification.
 *
 *	region    := [ device head ] container
 *	container := slot[0] slot[1] payload tail
 *	slot      := superblock catalog
 *	catalog   := row*
 *	payload   := ( node-block | extent | free )*
 *
 * Place. The container starts at PKRAM_PMEM_BASE (2 MiB) of a raw block device (/dev/pmemN) and at
 * 0 of everything else. libnvdimm keeps its info block at 4 KiB of the raw device, and a devdax
 * namespace with its map in RAM (`-M mem`) starts 2 MiB into it: so both views of one memory find
 * the same container. All offsets below are relative to the start of the container. All numbers are
 * little-endian. All offsets and lengths of payload are multiples of PKRAM_BLOCK.
 *
 * Slots. Two slots of PKRAM_SLOT_SIZE, each alone in its 2 MiB page, so that one memory error
 * cannot take both. The valid superblock with the higher generation is the container's state. A
 * change is written to the other slot: seal cleared, catalog, superblock body, then the seal in one
 * store.
 *	seal == 0	a change that was not finished: the other slot holds
 *	seal valid	one state of the container
 *	anything else	damage (also of the magic): the catalog is rebuilt from the node blocks
 *
 * Payload lies in [PKRAM_PAYLOAD_START, size - PKRAM_TAIL_SIZE). The tail holds nothing, so that
 * stored bytes cannot look like a RAID signature or a backup partition table.
 *
 * Rows say who owns which part of the payload; what is in no row is free. The rows of one node
 * share its id. Exactly one row of an id is its head (PKRAM_ROW_NODE, _WRITER or _ORPHAN).
 *
 * Locks. Open file description locks on the region's file: byte PKRAM_LOCK_CATALOG (write: while
 * the catalog is changed; read: while it is read), byte PKRAM_LOCK_NODE + id (write: by the node's
 * writer; read: by its readers). The space of an id whose head is _WRITER or _ORPHAN is free for
 * reuse once its lock can be taken.
 *
 * Checksums are XXH3-64 with seed 0, unless said otherwise.
 */
#ifndef PKRAM_FORMAT_H
#define PKRAM_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint16_t pkram_le16;
typedef uint32_t pkram_le32;
typedef uint64_t pkram_le64;

#define PKRAM_FORMAT_VERSION 1

#define PKRAM_BLOCK 4096u			/* granularity of everything in the payload */
#define PKRAM_WINDOW (1u << 20)			/* unit of checksum, parallel work and damage */
#define PKRAM_HUGE (2u << 20)			/* alignment of large nodes; an error's reach */
#define PKRAM_PMEM_BASE (2u << 20)		/* start of the container on a raw block device */
#define PKRAM_SLOT_SIZE (2u << 20)
#define PKRAM_PAYLOAD_START (2u * PKRAM_SLOT_SIZE)
#define PKRAM_TAIL_SIZE (1u << 20)
#define PKRAM_MIN_SIZE (8u << 20)		/* both slots, the tail, and 3 MiB to use */
#define PKRAM_MAX_SIZE (UINT64_C(1) << 52)	/* physical addresses of x86-64 end here */
#define PKRAM_NAME_MAX 255u			/* bytes of a node's name, without the NUL */

#define PKRAM_LOCK_CATALOG (UINT64_C(1) << 61)
#define PKRAM_LOCK_NODE (PKRAM_LOCK_CATALOG + 1)
#define PKRAM_ID_MAX (UINT64_C(1) << 60)	/* ids count up from 1 and are never reused */

#define PKRAM_SB_MAGIC "PKRAMsb\n"
#define PKRAM_NODE_MAGIC "PKRAMnd\n"

/* A reader that meets an unknown bit: compat: goes on; ro: reads only; incompat: refuses. */
#define PKRAM_FEATURE_COMPAT_KNOWN 0u
#define PKRAM_FEATURE_RO_KNOWN 0u
#define PKRAM_FEATURE_INCOMPAT_KNOWN 0u

/* Where a jump stands. One boot stages and arms, the next one claims. */
enum pkram_jump_state {
	PKRAM_JUMP_NONE = 0,
	PKRAM_JUMP_STAGED = 1,		/* a kernel is loaded whose command line carries the id */
	PKRAM_JUMP_ARMED = 2,		/* the last act before the jump */
	PKRAM_JUMP_CLAIMED = 3,		/* the next kernel has seen it, under its own boot id */
};

/**
 * struct pkram_jump - the record of a jump, on its way or arrived
 * @id: random; stands on the next command line as pkram.jump=<32 hex digits>
 * @old_boot: boot id of the kernel that staged the jump
 * @claim_boot: boot id of the kernel that claimed it; zero before
 * @staged_at: CLOCK_REALTIME in ns
 * @armed_at: CLOCK_REALTIME in ns
 * @claimed_at: CLOCK_REALTIME in ns, of the new kernel
 * @state: enum pkram_jump_state
 * @reserved: zero
 */
struct pkram_jump {
	uint8_t id[16];
	uint8_t old_boot[16];
	uint8_t claim_boot[16];
	pkram_le64 staged_at;
	pkram_le64 armed_at;
	pkram_le64 claimed_at;
	pkram_le32 state;
	pkram_le32 reserved;
};

/**
 * struct pkram_times - when the steps of a jump were, for the account of it
 * @id: of the jump record that this is about. Another id, or what cannot be, makes it void: the
 *	record may be of a pkram that knows of no account
 * @staged, @armed: CLOCK_BOOTTIME of the old kernel in ns
 * @claimed: CLOCK_BOOTTIME of the new kernel in ns
 * @armed_tsc, @claimed_tsc: the time stamp counter at the same moments. It is what ties the clocks
 *	of the two kernels to each other; zero where it is not known to run on evenly across kexec
 * @tsc_khz: its frequency, measured when the jump was staged; zero likewise
 *
 * All that happens within one boot is in that boot's CLOCK_BOOTTIME.
 */
struct pkram_times {
	uint8_t id[16];
	pkram_le64 staged;
	pkram_le64 armed;
	pkram_le64 armed_tsc;
	pkram_le64 tsc_khz;
	pkram_le64 claimed;
	pkram_le64 claimed_tsc;
};

/**
 * struct pkram_restored - the first restore of a node that came by a jump
 * @id: the node's
 * @end: CLOCK_BOOTTIME in ns of the kernel that claimed the jump
 * @took: ns before @end
 * @bytes: of the stream or image, read and verified
 */
struct pkram_restored {
	pkram_le64 id;
	pkram_le64 end;
	pkram_le64 took;
	pkram_le64 bytes;
};

#define PKRAM_RESTORED_MAX 96u	/* nodes told of one by one; of more, only the sums know */

/**
 * struct pkram_account - where the time of the jumps went; nothing else depends on it
 * @next: of the superblock's @jump
 * @last: of its @arrival
 * @nodes: that came by the arrival and were restored since, each counted once
 * @bytes, @took: sums over them
 * @done: CLOCK_BOOTTIME in ns when the last one of them was there
 * @restored: PKRAM_RESTORED_MAX of them, as they came
 * @came: nodes that came by the arrival, counted then: some may be gone since
 */
struct pkram_account {
	struct pkram_times next;
	struct pkram_times last;
	pkram_le64 nodes;
	pkram_le64 bytes;
	pkram_le64 took;
	pkram_le64 done;
	struct pkram_restored restored[PKRAM_RESTORED_MAX];
	pkram_le64 came;
};

/**
 * struct pkram_superblock - first block of a slot
 * @magic: PKRAM_SB_MAGIC
 * @version: PKRAM_FORMAT_VERSION; a higher one is refused
 * @feature_compat, @feature_ro, @feature_incompat: bits, see above
 * @uuid: names the container to people
 * @key: random, never printed; ties node blocks to this container (a user's file cannot guess it)
 * @generation: counts changes, from 1
 * @size: bytes of the container; at least PKRAM_MIN_SIZE, a multiple of PKRAM_BLOCK
 * @phys: physical address of the container, 0 where there is none (file:)
 * @next_id: the id of the next node
 * @rows: rows of the catalog, which starts at PKRAM_BLOCK of the slot
 * @catalog_hash: of the rows
 * @jump: the jump that this container is to make: staged or armed
 * @arrival: the jump by which it came: claimed. A claim moves the record from @jump to here, so
 *	that staging the next jump, or taking it back, leaves what came by the last one as fresh as
 *	it was
 * @account: of both jumps. Zero in containers of a pkram that knows nothing of it, which carries
 *	it on as it is
 * @reserved: zero
 * @seal: XXH3-64 of the block with this field zero; 1 where that is 0
 */
struct pkram_superblock {
	uint8_t magic[8];
	pkram_le32 version;
	pkram_le32 feature_compat;
	pkram_le32 feature_ro;
	pkram_le32 feature_incompat;
	uint8_t uuid[16];
	uint8_t key[16];
	pkram_le64 generation;
	pkram_le64 size;
	pkram_le64 phys;
	pkram_le64 next_id;
	pkram_le64 rows;
	pkram_le64 catalog_hash;
	struct pkram_jump jump;
	struct pkram_jump arrival;
	struct pkram_account account;
	uint8_t reserved[584];
	pkram_le64 seal;
};

enum pkram_row_kind {
	PKRAM_ROW_NODE = 1,	/* head: a committed node; off/len/hash of its node block */
	PKRAM_ROW_WRITER = 2,	/* head: being written; no space of its own; hash = pid */
	PKRAM_ROW_ORPHAN = 3,	/* head: removed while somebody read it; as NODE, without a name */
	PKRAM_ROW_COPY = 4,	/* second copy of the node block */
	PKRAM_ROW_DATA = 5,	/* extent; those of one id, in row order, form the logical space */
	PKRAM_ROW_MIRROR = 6,	/* extent of the second copy of the logical space's front */
};

/**
 * struct pkram_row - one row of the catalog
 * @id: the node's
 * @off, @len: a part of the payload, or zero
 * @hash: of the node block (NODE, ORPHAN), pid (WRITER), else zero
 * @name_hash: XXH3-64 of the name (NODE, WRITER), else zero
 * @restored: first 8 bytes of the id of the last boot that restored or read the node whole (NODE)
 * @kind: enum pkram_row_kind
 * @flags: zero
 * @reserved: zero
 */
struct pkram_row {
	pkram_le64 id;
	pkram_le64 off;
	pkram_le64 len;
	pkram_le64 hash;
	pkram_le64 name_hash;
	pkram_le64 restored;
	pkram_le32 kind;
	pkram_le32 flags;
	pkram_le64 reserved;
};

#define PKRAM_ROWS_MAX ((PKRAM_SLOT_SIZE - PKRAM_BLOCK) / sizeof(struct pkram_row))

/**
 * struct pkram_extent - a piece of the payload
 */
struct pkram_extent {
	pkram_le64 off;
	pkram_le64 len;
};

/* There are no others: more would come with a bit of feature_incompat. */
enum pkram_node_kind {
	PKRAM_NODE_KIND_TREE = 1,	/* the payload is an EROFS image */
	PKRAM_NODE_KIND_STREAM = 2,	/* the payload is bytes */
};

/**
 * struct pkram_node_block - header of a node block, the only truth about a node
 * @magic: PKRAM_NODE_MAGIC
 * @version: PKRAM_FORMAT_VERSION
 * @kind: enum pkram_node_kind
 * @key: the container's
 * @id: the node's
 * @self: where this copy lies; @other: where the other one lies
 * @length: bytes of the block with its sections; a multiple of PKRAM_BLOCK
 * @generation: the commit that made the node; nodes of one generation are a set
 * @set_count: nodes in that set
 * @size: bytes of the logical space
 * @mirrored: the first bytes of it that are stored twice; a multiple of PKRAM_BLOCK
 * @extents, @mirrors: how many struct pkram_extent follow the header, first the one, then the other
 * @windows: how many window checksums (pkram_le64) follow them. Windows of PKRAM_WINDOW bytes are
 *	cut through the first @mirrored bytes, then anew through the rest, the last one of each
 *	being shorter: no window has bytes of both, so damage of what is stored once cannot hide
 *	what is stored twice
 * @props_len: bytes of the properties behind those, a flattened device tree (see pkram_prop)
 * @holes_len: bytes of the hole map behind that: struct pkram_hole, by nid, then offset
 * @image_hash: of the window checksums as stored: names the content
 * @reserved: zero
 * @hash: XXH3-64 of the @length bytes with this field, @self and @other zero
 *
 * Sections follow the header without gaps; the rest of the block is zero.
 */
struct pkram_node_block {
	uint8_t magic[8];
	pkram_le32 version;
	pkram_le32 kind;
	uint8_t key[16];
	pkram_le64 id;
	pkram_le64 self;
	pkram_le64 other;
	pkram_le64 length;
	pkram_le64 generation;
	pkram_le64 set_count;
	pkram_le64 size;
	pkram_le64 mirrored;
	pkram_le64 extents;
	pkram_le64 mirrors;
	pkram_le64 windows;
	pkram_le64 props_len;
	pkram_le64 holes_len;
	pkram_le64 image_hash;
	uint8_t reserved[104];
	pkram_le64 hash;
};

/**
 * struct pkram_hole - a hole of a file of a tree, finer than the EROFS chunk map can say
 * @nid: EROFS node id of the file
 * @off, @len: bytes of the file
 */
struct pkram_hole {
	pkram_le64 nid;
	pkram_le64 off;
	pkram_le64 len;
};

/*
 * Properties: the root node of a flattened device tree, strings with their NUL, numbers as FDT
 * cells (big-endian u64). Readers pass over names they do not know.
 */
#define PKRAM_PROP_NAME "name"			/* string; the node's name */
#define PKRAM_PROP_BOOT_ID "boot-id"		/* 16 bytes; of the kernel that saved it */
#define PKRAM_PROP_SAVED_AT "saved-at"		/* u64; CLOCK_REALTIME, ns */
#define PKRAM_PROP_SAVED_UP "saved-boottime"	/* u64; the same moment by CLOCK_BOOTTIME, ns */
#define PKRAM_PROP_SAVE_TOOK "save-ns"		/* u64; how long the save of its set took */
#define PKRAM_PROP_KERNEL "kernel"		/* string; uname -r */
#define PKRAM_PROP_HOST "host"			/* string; uname -n */
#define PKRAM_PROP_SOURCE "source"		/* string; absolute path of a tree's source */
#define PKRAM_PROP_FILES "files"		/* u64; inodes of a tree */
#define PKRAM_PROP_DATA "data-bytes"		/* u64; file data of a tree, without holes */
#define PKRAM_PROP_SINGLE "single"		/* empty; of one file, alone in the root */
#define PKRAM_PROP_FSTYPE "fs-type"		/* string; of the source: tmpfs, hugetlbfs, ... */
#define PKRAM_PROP_MOUNT "mount-options"	/* string; of a source that was a mount point */
#define PKRAM_PROP_LIVE "live"			/* empty; the source was not quiet */
#define PKRAM_PROP_FOREIGN "foreign-image"	/* empty; put --tree: somebody else's EROFS image */
#define PKRAM_PROP_FINGERPRINT "fingerprint"	/* u64; of the source's metadata, to see changes */

/* C99 has no static_assert. */
#if defined(__cplusplus) || __STDC_VERSION__ >= 201112L
static_assert(sizeof(struct pkram_jump) == 80, "jump record");
static_assert(sizeof(struct pkram_times) == 64, "times of a jump");
static_assert(sizeof(struct pkram_restored) == 32, "restored node");
static_assert(sizeof(struct pkram_account) == 3240, "account");
static_assert(sizeof(struct pkram_superblock) == PKRAM_BLOCK, "superblock is one block");
static_assert(offsetof(struct pkram_superblock, jump) == 104, "jump record of the superblock");
static_assert(offsetof(struct pkram_superblock, account) == 264, "account of the superblock");
static_assert(offsetof(struct pkram_superblock, seal) == PKRAM_BLOCK - 8, "seal comes last");
static_assert(sizeof(struct pkram_row) == 64, "row");
static_assert(sizeof(struct pkram_extent) == 16, "extent");
static_assert(sizeof(struct pkram_node_block) == 256, "node block header");
static_assert(offsetof(struct pkram_node_block, self) == 40, "place of the node block");
static_assert(offsetof(struct pkram_node_block, hash) == 248, "hash of the node block");
static_assert(sizeof(struct pkram_hole) == 24, "hole");
static_assert(sizeof(PKRAM_SB_MAGIC) == 9 && sizeof(PKRAM_NODE_MAGIC) == 9, "magics fill 8 bytes");
static_assert(PKRAM_ROWS_MAX == 32704, "rows of a slot");
#endif

#ifdef __cplusplus
}
#endif

#endif
