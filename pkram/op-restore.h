/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a restore, shared by its files.
 *
 *	op-restore.c		the whole: trees are built, appear, and are noted
 *	op-restore-select.c	which trees, and where to
 *	op-restore-fill.c	the verified windows of one tree become files
 */
#pragma once

#include <stdatomic.h>

#include "op-huge.h"
#include "op-image.h"

struct restore_tree {
	struct store_reader *reader;
	struct op_image *image;
	struct tree_view *view;
	struct tree_place *place;
	char *target;
	uint8_t *damaged;	/* one byte per window */
	uint64_t left_out;	/* files that salvage could not take */
	uint64_t began, built;	/* CLOCK_BOOTTIME, for the account of a jump */
	bool appeared;
	const struct restore_tree *came_with; /* it is a part of that one, and there with it */
	bool replaces;		/* what came with an outer tree is older, or lacks files */
	bool holed;		/* it has damage itself */
	bool nested; /* its target lies in another tree's: built when that one is there */
	size_t trusted;		/* of the target: what no tree of the region had a hand in */
};

struct restore {
	struct pkram_region *region;
	uint64_t flags;
	const char *to;
	const char *mount_options; /* that override the saved ones */
	bool named;		/* the trees were asked for by name */
	struct restore_tree *trees;
	size_t n;
	size_t n_older;		/* behind them: each gave its target to a newer one */
	uint64_t bytes;
	uint64_t nodes, files;	/* that have appeared */
	unsigned int threads;
	_Atomic uint64_t done;	/* bytes that were read */
	_Atomic uint64_t passed; /* and with those that need not be: the progress */
	bool missing;		/* something was left out */
	bool mounted;		/* a tree is a mount of its own */
	struct op_huge huge;
};

/* Of what an earlier boot saved; --salvage takes the intact part of it all the same. */
static inline bool whole_or_nothing(const struct restore *r)
{
	return r->flags & PKRAM_RESTORE_STALE && !(r->flags & PKRAM_RESTORE_SALVAGE);
}

void restore_tree_done(struct restore_tree *t);

/* Opens the trees of these names, or without any all that are to be restored. */
int restore_select(struct restore *r, const char *const *names, size_t n);
/* Gives the trees their targets, in order: what lies in another tree comes after it. */
int restore_targets(struct restore *r);
/* Fills the place of a tree; damage is logged. -EBADMSG: some, and no salvage. */
int restore_fill(struct restore *r, struct restore_tree *t);
