/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The containers of this machine. A jump ends the running kernel for all of them, so all of them
 * are looked at, and all of them carry its record: what lies in any of them is fresh in the next
 * kernel.
 */
#pragma once

#include "machine.h"
#include "op.h"

/* Whether something of a container is there: a damaged or newer one counts. */
bool container_there(struct pkram_ctx *ctx, const char *spec);

struct container {
	char *spec;
	struct machine_device device;
	struct store *store;	/* NULL: damaged; its memory is kept all the same */
	bool ours;		/* the store is to be closed */
};

struct containers {
	struct container *v;
	size_t n, cap;
	bool has_own;		/* the region itself is one of them */
};

/* All of them; the first failure is logged to region->ctx. */
int containers_find(struct pkram_region *region, struct containers *c);
/* -EUCLEAN (logged): the region itself does not survive a jump, or cannot be told apart. */
int containers_need_own(struct pkram_region *region, const struct containers *c);
void containers_done(struct containers *c);
