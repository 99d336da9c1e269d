/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A node that is being written: its space is for store-reserve.c, all else for store-writer.c.
 */
#pragma once

#include "store-internal.h"

struct store_writer {
	struct store *store;
	uint64_t id;
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

/* The writer's own head row; -ESTALE when somebody made the container anew. */
int writer_head(struct store *s, const struct store_writer *w, struct pkram_row *ret);
/* Rows of the writer's id as its spans say, behind its head row. */
int writer_rows(struct catalog *c, const struct store_writer *w, const struct pkram_row *head);
/* Its size is final: what was reserved ahead is free again, and the node's block has its place. */
int writer_settle(struct store *s, struct store_writer *w);
