/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the store share. A change of the container is a transaction: store_begin()
 * takes the catalog's lock and looks at the medium, rows are edited in memory, store_publish()
 * writes them as the next generation, store_end() lets go and forgets an edit that was not
 * published.
 */
#pragma once

#include <endian.h>
#include <pthread.h>

#include "hook.h"
#include "store.h"

/* Part of the payload, in host order. */
struct span {
	uint64_t off, len;
};

struct spans {
	struct span *v;
	size_t n, cap;
};

struct catalog {
	struct pkram_row *rows;
	size_t n, cap;
};

/* Any number of them, told apart from all others at once: a set may have thousands of nodes. */
struct ids {
	uint64_t *v;
	size_t n, cap;
};

/* An id whose lock this store holds: open file description locks do not conflict with themselves.
 */
struct hold {
	uint64_t id;
	unsigned int count;
	bool exclusive;
};

enum slot_state {
	SLOT_EMPTY,	/* no magic: no container, or damage beside a valid slot */
	SLOT_UNSEALED,	/* a change that was not finished */
	SLOT_VALID,
	SLOT_DAMAGED,
};

struct slot {
	enum slot_state state;
	struct pkram_superblock sb;
};

struct store {
	struct pkram_ctx *ctx;
	struct region *region;
	pthread_mutex_t mutex;		/* the catalog's lock among this process's threads */
	struct pkram_superblock sb;	/* the state that was looked at last */
	unsigned int slot;		/* where it stands */
	bool edited;			/* the catalog in memory is not what the medium says */
	bool loaded;			/* sb and catalog are what the medium says */
	bool recovered; /* the catalog was made anew; the next change mends the medium */
	struct slot seen[2];		/* the medium as it was loaded */
	struct catalog catalog;
	struct spans erase;		/* node blocks to wipe once their rows are gone */
	struct hold *holds;		/* by id */
	size_t n_holds, cap_holds;
	uint64_t *half; /* ids of nodes whose block has one copy left: told of once */
	size_t n_half, cap_half;
};

/* What the medium cannot give (a memory error) is damaged: the other copy of it may serve. */
static inline int read_bytes(struct region *r, uint64_t off, size_t len, void *buf)
{
	int k = region_read(r, off, len, buf);

	return k == -EIO ? -EBADMSG : k;
}

/* --- store-superblock.c --- */

uint64_t superblock_seal(const struct pkram_superblock *sb);
/* Reads both superblocks; says nothing about the catalogs. */
int slots_read(struct region *r, struct slot ret[2]);
/* -EPROTONOSUPPORT, -ENXIO: a valid superblock that this library or this region cannot serve.
 * Logged. */
int superblock_check(struct region *r, const struct pkram_superblock *sb);
/* Writes sb and rows to a slot: seal cleared, catalog, body, seal. Sets rows, hash and seal of sb.
 */
int slot_write(struct region *r, unsigned int slot, struct pkram_superblock *sb,
	       const struct catalog *c);
/* -EBADMSG when the rows are damaged or contradict each other. */
int slot_read_catalog(struct region *r, unsigned int slot, const struct pkram_superblock *sb,
		      struct catalog *ret);

/* Waits for it. */
int catalog_lock(struct region *r, enum region_lock how);

/* --- store-catalog.c --- */

void ids_done(struct ids *ids);
int ids_add(struct ids *ids, uint64_t id);
void ids_sort(struct ids *ids);
/* Of sorted ones. */
bool ids_have(const struct ids *ids, uint64_t id);

void catalog_done(struct catalog *c);
struct pkram_row row_make(uint64_t id, enum pkram_row_kind kind, uint64_t off, uint64_t len);
/* Whether a row can be one: its id, and that it is aligned and inside the payload. */
bool row_sound(const struct pkram_row *row, uint64_t size, uint64_t next_id);
int catalog_copy(const struct catalog *from, struct catalog *ret);
int catalog_add(struct catalog *c, const struct pkram_row *row);
void catalog_drop(struct catalog *c, const struct ids *ids);
/* The head row of an id, NULL where there is none. */
struct pkram_row *catalog_head(struct catalog *c, uint64_t id);
/* All space of an id, in bytes. */
uint64_t catalog_space(const struct catalog *c, uint64_t id);
/* Rows are inside the payload, aligned, apart from each other, each id with one head. -EBADMSG. */
int catalog_check(const struct catalog *c, uint64_t size, uint64_t next_id);

/* Takes the catalog's lock (write: to change it) and loads what the medium says. */
int store_begin(struct store *s, bool write);
int store_publish(struct store *s);
/* Forgets edits inside a transaction. */
int store_reload(struct store *s);
void store_end(struct store *s);

/* Locks of ids, counted for this store. -EAGAIN: another process holds it. */
int store_hold(struct store *s, uint64_t id, bool exclusive);
void store_unhold(struct store *s, uint64_t id);
/* Whether nobody, here or elsewhere, holds the id's lock. */
bool store_unheld(struct store *s, uint64_t id);
/* Whether a writer lives that holds the id's lock. Works on a read-only region. */
bool store_writer_lives(struct store *s, uint64_t id);

/* Drops the rows of ids, sorting these, and remembers their node blocks for erasing. */
int store_drop(struct store *s, struct ids *ids);
int store_drop_one(struct store *s, uint64_t id);
/* Dead writers, and orphans that nobody reads any more, as far as this opening may ask; sorted. */
int store_find_dead(struct store *s, struct ids *ret);
/* Drops these. */
int store_reclaim(struct store *s);
/* Takes a node out of the catalog: `gone` is for the caller to drop; an orphan while it is read. */
int store_unlink(struct store *s, struct pkram_row *head, struct ids *gone);
/* The same of those nodes of these ids that are there, and drops them. */
int store_unlink_ids(struct store *s, const uint64_t *ids, size_t n);

/* Whether a node's head that has the hash of the name has the name, too. */
bool store_row_named(struct store *s, const struct pkram_row *row, const char *name);
/* The head of the node of a name; NULL: none. Compares the names, not just their hashes. */
struct pkram_row *store_find(struct store *s, const char *name);
/* -ENOENT, logged. */
int store_no_node(struct store *s, const char *name);
uint64_t name_hash(const char *name);

/* --- store-space.c --- */

void spans_done(struct spans *s);
int spans_add(struct spans *s, uint64_t off, uint64_t len);
int spans_copy(const struct spans *from, struct spans *ret);
int spans_of_extents(const struct pkram_extent *e, uint64_t n, struct spans *ret);
uint64_t spans_total(const struct spans *s);
/* Where logical byte `off` lies, and how many bytes follow it there; false: behind the end. */
bool spans_locate(const struct spans *s, uint64_t off, uint64_t *ret_at, uint64_t *ret_len);
/* Bytes [off, off + len) of the logical space, rounded up to blocks. -EBADMSG: the medium cannot
 * give them. */
int spans_read(struct region *r, const struct spans *s, uint64_t off, size_t len, void *buf);
/* The same, in place where they are mapped in one piece, else in `bounce`. */
int spans_look(struct region *r, const struct spans *s, uint64_t off, size_t len, void *bounce,
	       const void **ret);
/*
 * Before window `index` at logical byte `off` is read or written: one of many brings in the pages
 * of those that come next.
 */
void spans_prepare(struct region *r, const struct spans *s, uint64_t index, uint64_t off,
		   bool write);
/* Free spans of the payload, by offset. */
int space_free(const struct catalog *c, uint64_t size, struct spans *ret);

enum space_where { SPACE_LOW, SPACE_HIGH };

/*
 * Takes `len` bytes out of `free`: one span where it can be, at 2 MiB boundaries where it is large,
 * from the low or the high end; never from the 2 MiB pages that `apart` touches, where that can be.
 * -ENOSPC.
 */
int space_take(struct spans *free, uint64_t len, enum space_where where, const struct spans *apart,
	       struct spans *ret);
/* Lengthens the last span in place by up to `len`; returns by how much. */
uint64_t space_extend(struct spans *free, struct span *last, uint64_t len);

/* --- store-node.c --- */

/* A header, the extents of a badly cut region, checksums of 16 TiB, a hole map: more is not sound.
 */
#define NODE_BLOCK_MAX (GIB / 2)

struct node_image {
	enum pkram_node_kind kind;
	uint64_t id, generation, set_count, size, mirrored;
	const struct spans *extents, *mirrors;
	const pkram_le64 *hashes;
	const struct pkram_hole *holes;
	uint64_t n_holes;
	const char *name;
	const struct store_props *props;
};

/* Bytes of a node block with room for these sections. */
uint64_t node_block_length(uint64_t extents, uint64_t windows, uint64_t holes,
			   const struct store_props *props, const char *name);
/* Builds a block of `length` bytes; self and other are for the caller to set. */
int node_block_build(struct store *s, const struct node_image *img, uint64_t length,
		     struct pkram_node_block **ret, uint64_t *ret_hash);
/* The hash over a block of a checked length; the block is as before when it returns. */
uint64_t node_block_hash(struct pkram_node_block *b, uint64_t length);
/* Reads and validates the block at `off`. `key`: whose; -EBADMSG: not a sound block. Logs nothing.
 */
int node_block_read(struct region *r, const uint8_t key[16], uint64_t size, uint64_t off,
		    struct store_node *ret, uint64_t *ret_hash);
/* The node of a head row, from either copy, checked against its rows. -EBADMSG. */
int node_read(struct store *s, const struct pkram_row *head, struct store_node *ret);

/* --- store-recover.c --- */

/*
 * Makes the catalog anew from the node blocks of the region that bear the key of `sb` (a superblock
 * that superblock_check() passed), trusting what `base` (the rows of the last valid state; may be
 * empty) says of older nodes. -EBADMSG: neither sb is whole nor is there a node.
 */
int recover_catalog(struct region *r, struct pkram_superblock *sb, const struct catalog *base,
		    struct catalog *ret);
/* Whether the catalog area of a slot without a superblock still names sound node blocks. */
bool recover_worth_it(struct region *r);
