/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a tree fits where it shall go: the filesystem's own limits and, in memory, the machine's.
 */
#pragma once

#include "ctx.h"

struct tree_room {
	const char *target;	/* for messages */
	uint64_t bytes, inodes;	/* that are needed */
	uint64_t holes;		/* of the bytes: holes that huge pages fill */
	bool fresh;		/* its filesystem is being made: nobody can change it yet */
};

/* Page size of the hugetlbfs that fd lies on, else 0. */
uint64_t tree_room_hugetlb(int fd);
/* -ENOSPC with figures when it does not fit on the filesystem of fd. */
int tree_room_check(struct pkram_ctx *ctx, int fd, const struct tree_room *need);
