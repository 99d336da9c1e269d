/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a jump was staged with, in /run/pkram/staged until the machine goes down. The kernel tells
 * that an image is loaded and not whose: whoever jumps later than it was staged loads it anew, also
 * when the filesystem that it lay on (/boot) is not mounted any more.
 */
#pragma once

#include "op-check.h"

struct staged {
	char *kernel, *initrd, *line;
	enum pkram_stage_method method;
};

/* Keeps what `c` has found and was asked for, under the jump's id. Logs errors. */
int staged_write(struct pkram_ctx *ctx, const struct check *c, const char *id);
/* -EUCLEAN (logged): nothing is known of that jump. */
int staged_read(struct pkram_ctx *ctx, const char *id, struct staged *ret);
void staged_done(struct staged *s);
/* Best effort: without its jump it means nothing. */
void staged_forget(struct pkram_ctx *ctx);
