/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories of an image while a view is made: a stack of those still to be read, and which
 * inodes were met.
 */
#pragma once

#include "tree-view.h"

int view_dir_push(struct view_build *b, uint32_t file, const struct view_inode *i);
/*
 * Takes the next directory and calls fn for each name in it, which stands in the text arena and is
 * sound and unique there.
 */
int view_dir_read(struct view_build *b,
		  int (*fn)(struct view_build *b, uint32_t dir, uint64_t nid, unsigned int type,
			    uint64_t name));
void view_dirs_drop(struct view_build *b);

/* The file with this nid, or VIEW_NONE. */
uint32_t view_nid_find(const struct view_build *b, uint64_t nid);
int view_nid_add(struct view_build *b, uint32_t file);
