/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parallel work is a claim loop over a finished array: every thread takes the next index until none
 * is left or one failed. The caller works too; one thread runs the same code without a second one.
 */
#pragma once

#include "ctx.h"

/*
 * Calls fn(arg, worker, index) once for each index in [0, n), from up to `threads` threads with
 * worker in [0, threads). All signals are blocked in the extra threads: they are the caller's.
 * The first negative return stops the others; it is the result (of several, one of them).
 */
int work_run(struct pkram_ctx *ctx, unsigned int threads, uint64_t n,
	     int (*fn)(void *arg, unsigned int worker, uint64_t index), void *arg);
