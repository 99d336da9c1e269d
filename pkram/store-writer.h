/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A node that is being written: its space is for store-reserve.c, all else for store-writer.c.
 */
#pragma once

#include "store-internal.h"

struct store_writer {
	struct store *store;
	uint64_t id;
	struct pkram_row head;	/* as writers_heads() found it */
	enum pkram_node_kind kind;
	char *name;
	char *strings[3];	/* own what props points to */
	struct store_props props;
	struct store_node origin; /* likewise: what props needs of it, in `origin_props` */
	void *origin_props;
	uint64_t size, mirrored;
	struct spans extents, mirrors, blocks; /* blocks: the node block's two copies */
	struct spans early;	/* what it had grown to before all of its need was known */
	bool grown;		/* the extents are what store_writer_grow() made them */
	uint64_t block_len;
	pkram_le64 *hashes;
	size_t cap_hashes;
	struct pkram_hole *holes;
	uint64_t n_holes, room_holes;
};

/* Looks up their head rows; -ESTALE when somebody made the container anew. */
int writers_heads(struct store *s, struct store_writer *const *writers, size_t n);
/* The rows of their ids anew: each one's head, then what its spans say. */
int writers_rows(struct catalog *c, struct store_writer *const *writers, size_t n);
/*
 * Its size is final: what was reserved ahead is free again with its next rows, and the node's block
 * has its place. Its head was looked up.
 */
int writer_settle(struct store *s, struct store_writer *w);
