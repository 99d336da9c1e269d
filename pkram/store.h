/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container of a region: nodes, their space, their checksums, one commit after the other.
 *
 * Any number of processes use one container at a time; what they agree on stands in pkram-format.h
 * ("Locks"). A struct store is one process's view of it.
 */
#pragma once

#include "pkram-format.h"
#include "region.h"

struct store;
struct store_node;
struct store_writer;

/* --- the container --- */

/*
 * Writes an empty container over the whole region; an old one stays whole until the new one is. The
 * caller has checked what else it writes over. -EBUSY: a node of the old one is in use.
 */
int store_format(struct region *region);

/* Opens the container. The store takes the region over, also when it fails. */
int store_open(struct region *region, struct store **ret);
struct store *store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close)

struct region *store_region(struct store *s);
struct pkram_ctx *store_ctx(struct store *s);

struct store_info {
	uint8_t uuid[16];
	uint64_t generation, phys, size, payload, free, largest_free, nodes, writers;
	bool recovered;
	struct pkram_jump jump, arrival; /* as on the medium, little-endian */
	struct pkram_account account; /* likewise; void where its ids are not theirs */
};

/* Looks at the container again (others may have changed it) and describes it. */
int store_info(struct store *s, struct store_info *ret);

/* --- nodes --- */

/*
 * Windows are cut through the part that is stored twice, then anew through the rest
 * (pkram-format.h). Their place follows from these two numbers.
 */
static inline uint64_t window_front(uint64_t mirrored)
{
	return mirrored / PKRAM_WINDOW + (mirrored % PKRAM_WINDOW != 0);
}

static inline uint64_t window_count(uint64_t size, uint64_t mirrored)
{
	uint64_t front = MIN(mirrored, size);

	return window_front(front) + window_front(size - front);
}

static inline uint64_t window_offset(uint64_t mirrored, uint64_t index)
{
	uint64_t front = window_front(mirrored);

	return index < front ? index * PKRAM_WINDOW : mirrored + (index - front) * PKRAM_WINDOW;
}

static inline size_t window_length(uint64_t size, uint64_t mirrored, uint64_t index)
{
	uint64_t off = window_offset(mirrored, index);
	uint64_t end = off < mirrored ? MIN(mirrored, size) : size;

	return (size_t)MIN((uint64_t)PKRAM_WINDOW, end - off);
}

static inline uint64_t window_index(uint64_t mirrored, uint64_t off)
{
	return off < mirrored ? off / PKRAM_WINDOW :
				window_front(mirrored) + (off - mirrored) / PKRAM_WINDOW;
}

/* What a node block says, validated, in host order. Strings belong to the node. */
struct store_node {
	uint64_t id, generation, set_count;
	enum pkram_node_kind kind;
	uint64_t size, mirrored, windows, stored;
	uint64_t n_extents;
	const struct pkram_extent *extents;
	uint64_t n_mirrors;
	const struct pkram_extent *mirrors;
	const pkram_le64 *window_hashes;
	const struct pkram_hole *holes;
	uint64_t n_holes;
	uint64_t image_hash;
	uint64_t restored;	/* see struct pkram_row */
	uint64_t name_hash;	/* of a damaged one, which cannot say its name */
	bool damaged;		/* the block cannot be read: only id, stored and name_hash hold */
	bool writing;		/* a writer's row: only id and stored hold */
	const char *name, *kernel, *host, *source, *fs_type, *mount_options;
	uint8_t boot_id[16];
	int64_t saved_at;
	uint64_t saved_up, save_took;	/* CLOCK_BOOTTIME of that boot; 0: not known */
	uint64_t files, data, fingerprint;
	bool single, live;
	const void *props;	/* all of it, as stored */
	uint64_t props_len;
	void *block;		/* owns all of the above */
};

void store_node_done(struct store_node *n);
/* Whether it bears, or when it is damaged bore, this name. */
bool store_node_named(const struct store_node *n, const char *name);

/* Whether these are the bytes of the node's window. */
bool store_node_window_is(const struct store_node *n, uint64_t index, const void *bytes,
			  size_t len);

/* All heads of the catalog, by name. Damaged ones are listed, too. */
int store_nodes(struct store *s, struct store_node **ret, size_t *ret_n);
struct store_node *store_nodes_free(struct store_node *nodes, size_t n);

/* --- reading --- */

/* A node held for reading: its space stays as it is until released. Threads may read at once. */
struct store_reader;

/* -ENOENT: no such node. */
int store_reader_open(struct store *s, const char *name, struct store_reader **ret);
struct store_reader *store_reader_close(struct store_reader *r);
DEFINE_CLEANUP(struct store_reader *, store_reader_close)
const struct store_node *store_reader_node(const struct store_reader *r);
const struct region *store_reader_region(const struct store_reader *r);

/*
 * One window, verified. `bounce` is the caller's, PKRAM_WINDOW bytes, aligned to 4096; *ret points
 * into it or into the mapped region, *ret_len is the window's length. Falls back to the second copy
 * of the image's front. -EBADMSG: damaged (not logged: the caller knows what it means).
 */
int store_reader_window(struct store_reader *r, uint64_t index, void *bounce, const void **ret,
			size_t *ret_len);
/*
 * Whether both copies of what is stored twice (the image's front, the node block) are whole:
 * reading alone would not tell that one of them is gone. -EBADMSG: one is not.
 */
int store_reader_check_copies(struct store_reader *r, void *bounce);
/* Container offset of a byte of the logical space, for messages. */
uint64_t store_reader_offset(const struct store_reader *r, uint64_t logical);

/* A node that was restored: `end` by CLOCK_BOOTTIME, `took` ns before it. */
struct store_restored {
	const struct store_reader *reader;
	uint64_t end, took;
};

/*
 * Records that this boot restored the nodes, and of those that came by the arrival the time that it
 * took, once.
 */
int store_mark_restored(struct store *s, const struct store_restored *restored, size_t n,
			const uint8_t boot_id[16]);

/* --- writing --- */

/*
 * Takes the name for this writer. -EBUSY with the holder logged. The node is not seen before
 * store_commit.
 */
int store_writer_open(struct store *s, const char *name, enum pkram_node_kind kind,
		      struct store_writer **ret);
/* Gives the space back. NULL is fine. */
struct store_writer *store_writer_discard(struct store_writer *w);
DEFINE_CLEANUP(struct store_writer *, store_writer_discard)

struct store_claim {
	const char *name;
	enum pkram_node_kind kind;
};

/* The same of a set in one change of the container: all names or none. */
int store_writers_open(struct store *s, const struct store_claim *claims, size_t n,
		       struct store_writer **ret);
/* Of one store; each is NULL then. */
void store_writers_discard(struct store_writer **writers, size_t n);

/*
 * What to give up for space when a node does not fit beside the old one of its name. The policy is
 * the caller's: fn says whether this old node may go (logging it).
 */
typedef bool (*store_yield_fn)(void *arg, const struct store_node *old);

/* Need of one writer, given for a whole set at once so that it fits or fails as one. */
struct store_need {
	struct store_writer *writer;
	uint64_t size;		/* logical bytes */
	uint64_t mirrored;	/* of those, stored twice; a multiple of PKRAM_BLOCK or == size */
	uint64_t holes;		/* entries of the hole map */
};

/* Reserves space for a set of writers. -ENOSPC with needed, free and what old nodes hold logged. */
int store_reserve(struct store *s, const struct store_need *needs, size_t n, store_yield_fn yield,
		  void *arg);
/*
 * Whether the set fits beside all that is there: 1, or 0 when something would have to go first.
 * `alone`: whether it would if all nodes went that nobody reads.
 */
int store_fits(struct store *s, const struct store_need *needs, size_t n, bool alone);
/*
 * Makes the logical space at least `size` bytes (streams: what comes is not known), and `ahead`
 * more where there is room. Without `yield`, -ENOSPC is not logged. Windows may be put at once.
 * When store_reserve() says later what the whole need is, they are the first of what is stored
 * once.
 */
int store_writer_grow(struct store_writer *w, uint64_t size, uint64_t ahead, store_yield_fn yield,
		      void *arg, uint64_t *ret_capacity);

/*
 * The bytes of a window: where they go in the mapped region when they lie there in one piece, else
 * `bounce` (PKRAM_WINDOW bytes, aligned to 4096); `len` is the window's length. Fill all `len`
 * bytes, then put the same pointer. Windows may be put in any order, by any thread, each once; what
 * follows the last byte in its block is cleared.
 */
void *store_writer_window(struct store_writer *w, uint64_t index, size_t len, void *bounce);
int store_writer_put(struct store_writer *w, uint64_t index, size_t len, void *bytes);
/* The same of bytes that lie elsewhere, whole blocks. A window may be copied, then put again. */
int store_writer_copy(struct store_writer *w, uint64_t index, size_t len, const void *bytes);
/* The logical size, when it was not known at the start. */
void store_writer_set_size(struct store_writer *w, uint64_t size);
int store_writer_set_holes(struct store_writer *w, const struct pkram_hole *holes, uint64_t n);
/* Bytes already put, for validation (put --tree); any offset and length inside the size. */
int store_writer_read(struct store_writer *w, uint64_t off, size_t len, void *buf);

/* Provenance; all of it is copied. NULL and 0 leave a property out. */
struct store_props {
	const char *source, *fs_type, *mount_options;
	uint64_t files, data, fingerprint;
	uint64_t began;		/* CLOCK_BOOTTIME when the save began */
	bool single, live, foreign;
	const struct store_node *origin; /* a copy of this node: all as there, its set, too */
	uint64_t origin_set;	/* how many of that set are copied */
};

int store_writer_set_props(struct store_writer *w, const struct store_props *p);

/*
 * Commits the writers as one set in one generation, replacing nodes of their names, and frees them
 * (also on failure: then nothing has changed).
 */
int store_commit(struct store *s, struct store_writer **writers, size_t n);
/* The same, and the nodes with these ids go. */
int store_commit_instead(struct store *s, struct store_writer **writers, size_t n,
			 const uint64_t *ids, size_t n_ids);

/* Removes nodes in one commit; -ENOENT (with the name logged) removes none. */
int store_remove(struct store *s, const char *const *names, size_t n, bool wipe);

/* The same by ids; those that are not there any more are passed over. */
int store_drop_nodes(struct store *s, const uint64_t *ids, size_t n);

/* --- the jump records --- */

/* The record of the next jump, and when its steps were. */
struct store_jump {
	struct pkram_jump record;
	struct pkram_times times;
};

/* Changes the next jump under the catalog lock: fn edits it in place and returns 0 to commit. */
int store_update_jump(struct store *s, int (*fn)(void *arg, struct store_jump *jump), void *arg);
/* The same, and what fn made of it becomes the arrival, with an account that begins anew. */
int store_arrive(struct store *s, int (*fn)(void *arg, struct store_jump *jump), void *arg);
