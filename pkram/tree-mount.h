/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts as places for trees: what is mounted where, and new tmpfs and hugetlbfs mounts that nobody
 * sees until they are moved to their mount point.
 */
#pragma once

#include "tree.h"

struct tree_mount {
	char *fs_type;
	char *options;		/* that mount the same again */
	bool whole;		/* not a subdirectory bound here */
	bool covers;		/* another mount at the same place */
};

/*
 * The table of mounts, malloc'ed. Not through the sysroot: sources and targets are places of the
 * running machine, whatever machine is being looked at.
 */
int tree_mounts_read(struct pkram_ctx *ctx, char **ret);

/* The mount whose root is open as fd. */
int tree_mount_of(struct pkram_ctx *ctx, int fd, struct tree_mount *ret);
void tree_mount_done(struct tree_mount *m);
/* 1 when something is mounted below the directory open as fd, whose path is logged. */
int tree_mounts_below(struct pkram_ctx *ctx, int fd);

/*
 * Whether the tmpfs that fd lies on gives huge pages to files that are written, and its mount point
 * (malloc'ed). Negative, and not logged, where it is no tmpfs or cannot be told.
 */
int tree_mount_pages(struct pkram_ctx *ctx, int fd, bool *ret_huge, char **ret_point);
/* The same of one with these options. */
bool tree_mount_gives_huge(const char *options);

/*
 * A new filesystem that is mounted nowhere, with options as mountinfo has them, where those of
 * `over` (may be NULL) take the place of theirs. *ret_read_only: it is to become so when it is
 * filled, which tree_mount_attach() does.
 */
int tree_mount_new(struct pkram_ctx *ctx, const char *fs_type, const char *options,
		   const char *over, int *ret_fd, bool *ret_read_only);

enum tree_attach {
	TREE_ATTACH_NEW,	/* target is a directory */
	TREE_ATTACH_COVER,	/* target is an empty mount; may stay below where it cannot go */
	TREE_ATTACH_REPLACE,	/* target is a mount that must go */
};

/* Where to mount: a name in an open directory, so that it is what was looked at before. */
struct tree_point {
	int dirfd;
	const char *name;
	const char *path;	/* for messages */
};

int tree_mount_attach(struct pkram_ctx *ctx, int mount, bool read_only,
		      const struct tree_point *at, enum tree_attach how);
