/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What huge pages would have given a restore. A copy into a tmpfs is bounded by the allocation of
 * its pages: the bytes of large files go in several times as fast where one allocation serves
 * 2 MiB. Whoever does not know is told, once for all trees of a restore and only where it would be
 * felt.
 */
#pragma once

#include "ctx.h"
#include "tree.h"

struct op_huge {
	uint64_t page;		/* of a size that this machine has; 0: none */
	uint64_t data;		/* bytes of all trees */
	uint64_t small;		/* of those, on small pages where huge ones would serve */
	unsigned int trees;	/* with such files */
	char *target, *point;	/* the first of them, and the mount point that it lies below */
	bool mounted;		/* that mount was made for it */
	bool chosen;		/* by the caller, for mounts that are made */
};

/* @mount_options: what the caller wants of the mounts that are made; may be NULL. */
void op_huge_begin(struct pkram_ctx *ctx, const char *mount_options, struct op_huge *h);
/* Counts a tree that has appeared. */
void op_huge_add(struct op_huge *h, const struct tree_view *view, const struct tree_place *place,
		 const char *target);
/* Says it, if there is anything to say. */
void op_huge_say(struct pkram_ctx *ctx, const struct op_huge *h);
void op_huge_end(struct op_huge *h);
