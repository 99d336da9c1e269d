/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories of a tree being restored, as descriptors: reached from the root one name at a time
 * without following anything, so no path is ever too long and none leads outside. One cache per
 * worker.
 */
#pragma once

#include "tree-view.h"

struct dir_slot {
	uint32_t dir;
	int fd;
	uint64_t used;
};

struct dir_cache {
	const struct tree_view *v;
	int root;		/* not owned */
	struct dir_slot *slots;
	unsigned int n_slots, last;
	uint64_t clock;
	uint32_t *chain;	/* directories to be opened on the way down */
	size_t cap_chain;
};

int dir_cache_init(struct dir_cache *c, const struct tree_view *v, int root, unsigned int slots);
void dir_cache_drop(struct dir_cache *c);
/* A descriptor (O_PATH) that is good until the next call. */
int dir_cache_get(struct dir_cache *c, uint32_t dir);
