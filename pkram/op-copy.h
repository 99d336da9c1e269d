/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All nodes of one container to another one, each as it is: bytes, times, who saved it, its set.
 * What the two containers have of their own (ids, keys, the records of jumps) is not copied.
 */
#pragma once

#include "op.h"

struct op_copy {
	struct pkram_ctx *ctx;
	struct store *from;
	const char *what;	/* for the progress */
	struct op_copy_node *nodes;
	struct store_writer **writers; /* of the nodes, while `writing` */
	bool writing;
	struct store_need *needs; /* in the target */
	size_t n;
	uint64_t bytes, files;
	uint64_t stored;	/* bytes of the region that they take in `from` */
	uint64_t large;		/* nodes of which pieces are aligned to huge pages */
	uint64_t windows;
	unsigned int threads;
	uint8_t **bounce;
	bool checking;		/* writes nothing */
	_Atomic uint64_t done;
};

/*
 * Holds all nodes for reading. -ENODATA: there is none; -EBADMSG: a node cannot be told; -EBUSY:
 * they changed meanwhile. All logged.
 */
int op_copy_open(struct pkram_ctx *ctx, struct store *from, const char *what, struct op_copy *ret);
void op_copy_done(struct op_copy *c);

/* Takes the names in `to`; `needs` are set then. */
int op_copy_begin(struct op_copy *c, struct store *to);
/* Gives them back. */
void op_copy_undo(struct op_copy *c);
/* Once space is reserved: copies, verified, and commits; the nodes with these ids go then. */
int op_copy_run(struct op_copy *c, struct store *to, const uint64_t *ids, size_t n_ids);
/* Reads every checksum of all nodes. */
int op_copy_verify(struct op_copy *c);
void op_copy_transfer(const struct op_copy *c, uint64_t ns, struct pkram_transfer *ret);
