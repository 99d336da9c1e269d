/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks before a jump. Each is a row of the table in op-check.c: a name and a function that
 * logs what it finds to the context of its own that all of them share. What is logged becomes the
 * row's findings: an error fails it, a warning warns. Returns 0, -EUCLEAN after a refusal, or the
 * errno that kept it from looking.
 */
#pragma once

#include "kexec.h"
#include "op-containers.h"

struct check_row;

struct check {
	struct pkram_region look; /* the region, with ctx below */
	struct pkram_ctx *ctx;
	struct pkram_ctx *caller;
	const struct pkram_stage_options *o;
	bool staging;	/* findings are logged as they come; else they stand in the list alone */
	bool again;	/* of what was staged before, as whoever jumps later loads it anew */

	/* What earlier rows have found out for later ones. */
	struct containers all;
	struct kexec_keep *keep;	/* the memory of each of them, in the same order */
	struct kexec_kernel kernel;
	struct kexec_image image;
	char *config;		/* of the next kernel; NULL: not to be had */
	char *running_config;	/* of this one, likewise */
	struct kexec_initrd initrd;
	bool have_initrd;	/* it could be looked into */
	enum kexec_method method;	/* by what is known so far */
	const char *jump_id;
	char *line;			/* the next command line */
	char *read;			/* and what the kernel makes of it: it may add words */

	struct pkram_check_list *list;
	const struct check_row *row;	/* the one that is running */
	unsigned int have;		/* enum check_have */
	bool no_memory;			/* for a finding: the list is not whole */
};

/* What a row needs from those before it. */
enum check_have {
	CHECK_HAVE_CONTAINERS = 1 << 0,
	CHECK_HAVE_KERNEL = 1 << 1,
	CHECK_HAVE_LINE = 1 << 2,
};

struct check_row {
	const char *name;	/* the interface of scripts: never renamed */
	int (*run)(struct check *c);
	unsigned int needs, gives;	/* enum check_have */
	bool again;	/* once more right before the jump */
};

/* What is fine, for the list; logged with -v. */
void check_note(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prepares *c, which is to be done also where this fails. */
int check_begin(struct check *c, struct pkram_region *region, const struct pkram_stage_options *o,
		bool staging);
/*
 * Runs the rows: all, with `jump_id` (NULL: none) on the next command line, or those that are to be
 * repeated right before the jump. -EUCLEAN: at least one fails; another errno: one could not look.
 */
int check_run(struct check *c, const char *jump_id);
int check_run_again(struct check *c);
void check_done(struct check *c);
/* -EINVAL (logged) for options that make no sense. */
int check_stage_options(struct pkram_ctx *ctx, const struct pkram_stage_options *o);

/* --- the rows --- */

/* op-check-memory.c */
int check_region(struct check *c);
int check_reservation(struct check *c);
int check_firmware_map(struct check *c);
int check_other_memory(struct check *c);

/* op-check-kernel.c */
int check_kernel(struct check *c);
int check_initrd(struct check *c);
int check_drivers(struct check *c);

/* op-check-kexec.c */
int check_kexec(struct check *c);
int check_signature(struct check *c);
int check_loaded(struct check *c);
int check_systemd(struct check *c);

/* op-check-next.c */
int check_kmem(struct check *c);
int check_devices(struct check *c);

/* op-check-loader.c */
int check_cold_boot(struct check *c);

/* op-check-nodes.c */
int check_writers(struct check *c);
int check_nodes(struct check *c);
int check_sources(struct check *c);
int check_content(struct check *c);
/* Whether the caller leaves the node, also a damaged one, behind, whatever becomes of it. */
bool check_left_behind(const struct check *c, const struct store_node *n);

/* op-check-units.c */
int check_units(struct check *c);
