/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What pkram@NAME.service keeps over a jump: /etc/pkram.d/NAME.conf (pkram.conf(5)), or, where
 * there is none, the one path that its name stands for. And what the units that run have promised
 * to save.
 */
#pragma once

#include <dirent.h>

#include "verb.h"

#define UNIT_CONF_DIR "/etc/pkram.d"

struct unit {
	const char *name;
	struct string_list paths;	/* absolute */
	struct string_list services;
	const char *region;		/* NULL: the library finds it */
	const char *mount_options;	/* NULL: those that were saved */
	const char *time_limit;		/* as systemd.time(7) writes it; NULL: that of the unit */
	bool mount;
	bool early;			/* restored by the initramfs */
	bool always;			/* saved at every shutdown, not only before a jump */
	unsigned int threads;		/* 0: no limit of its own */
};

/* --- the file (unit-conf.c) --- */

/*
 * `path`: what the name stands for where it has no file; NULL: nothing. 0, -ENOENT (logged), or
 * -EINVAL (logged).
 */
int unit_read(struct cmd *cmd, const char *name, const char *path, struct unit *ret);
void unit_done(struct unit *u);
/* The names of all files there; NULL where there are none. To be freed, each and all. -ENOMEM. */
int unit_names(struct cmd *cmd, struct string_list *ret);

/* --- what was promised (unit-promise.c) --- */

struct promises {
	struct pkram_later *v;
	size_t n;
};

/*
 * The paths of the units that will save them when the machine goes down, in /run/pkram/units: a
 * unit promises when it starts, and what is still promised when all units have stopped was not
 * saved. promises_free() frees what unit_promises() has returned 0 for.
 */
int unit_promise(const struct cmd *cmd, const struct unit *u);
void unit_keep_promise(const struct cmd *cmd, const struct unit *u);
int unit_promises(const struct cmd *cmd, struct promises *ret);
void promises_free(struct promises *p);
bool unit_promised(const struct cmd *cmd, const char *name);

/* --- restored, at boot (unit-restore.c) --- */

/*
 * Restores what came by the jump; an exit code. `root`: where an initramfs has mounted the system's
 * root; NULL: this is the system, and what was restored before it started counts.
 */
int unit_restore(struct cmd *cmd, const struct unit *u, const char *root);

/* --- restored by the initramfs, before the system starts (unit-early.c) --- */

/*
 * Whether what is mounted at the unit's paths by then is still seen when the system has mounted all
 * of its own, by the fstab(5) below `root`, and still has its labels; if not, why is said.
 */
bool unit_can_be_early(const struct unit *u, const char *root);
/*
 * The files of /etc that an initramfs needs for the units that are to be restored there; none of
 * them: an empty list. What is wrong with a unit is said, and leaves that one out. `broken` gets
 * the names of those whose files have an error.
 */
int unit_early_files(struct cmd *cmd, struct string_list *ret, struct string_list *broken);

/* --- what they share, and a jump (unit.c) --- */

void string_list_free(struct string_list *list);
/* A copy of the word; the length then, or -ENOMEM. */
int string_list_add(struct string_list *list, const char *word);
/* A directory that lists units. Where there is none: 0 and NULL. Failures are said. */
int unit_open_list(const char *path, DIR **ret);
int unit_open_region(struct cmd *cmd, const struct unit *u, struct pkram_region **ret);

struct unit_jump {
	struct promises saved_later;
	struct string_list idle, early, broken;
};

/*
 * What the units that are configured mean for a jump, in *o; the lists in *ret must outlive that.
 * `stops`: the system goes down for it, so that units save.
 */
int unit_jump_read(struct cmd *cmd, bool stops, struct unit_jump *ret,
		   struct pkram_stage_options *o);
