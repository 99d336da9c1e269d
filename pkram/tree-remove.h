/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing trees that a restore has built or replaced: never through a symlink, never into another
 * mount, at any depth.
 */
#pragma once

#include "ctx.h"

/*
 * Removes `name` in `dirfd` with all below it. ENOENT is success. -EBUSY: something is mounted in
 * it. Nothing is logged.
 */
int tree_remove(int dirfd, const char *name);

/* Places that restores build in, beside their targets. */
#define TREE_WORK_PREFIX ".pkram-restore-"

/* Makes and locks a new, private one in `dirfd`. */
int tree_work_new(int dirfd, char **ret_name, int *ret_fd);
/* Removes those whose restores were killed. */
void tree_work_clean(struct pkram_ctx *ctx, int dirfd, const char *path);
