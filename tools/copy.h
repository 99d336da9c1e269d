/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees saved and restored as the command does it: signals end it, its progress is shown, and a
 * summary says what it did.
 */
#pragma once

#include "verb.h"

int copy_save(struct cmd *cmd, struct pkram_region *region, const struct pkram_save_item *items,
	      size_t n, const struct pkram_save_options *opts);
int copy_restore(struct cmd *cmd, struct pkram_region *region, const char *const *names, size_t n,
		 const struct pkram_restore_options *opts);
