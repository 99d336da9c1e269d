/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One window aside: a region that is not mapped takes and gives windows by calls, and while another
 * thread makes one of them, a stream's other end goes on with the next window, or the last one. No
 * thread outlives the call that wanted it.
 */
#pragma once

#include "op.h"

struct work_pool;

struct op_aside {
	struct pkram_ctx *ctx;
	bool wanted;
	struct work_pool *pool;	/* NULL: not yet */
	bool at_work;
	uint8_t *bounce;	/* of the window aside */
	int (*fn)(void *arg);
	void *arg;
};

/* Whether a window may be given away; brings the other thread when it is asked first. */
bool op_aside_ready(struct op_aside *a);
void op_aside_start(struct op_aside *a, int (*fn)(void *arg), void *arg);
/* What fn returned; 0 where nothing is under way. */
int op_aside_finish(struct op_aside *a);
/* The same, and ends the thread. */
int op_aside_end(struct op_aside *a);
