/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a restore, shared by its files.
 *
 *	tree-restore.c	bytes in any order become files
 *	tree-make.c	one file: made, written, finished
 *	tree-userfault.c	pages of a file that another thread writes to
 *	tree-attr.c	owner, mode, attributes, times
 *	tree-finish.c	all that has no bytes
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "tree-dirs.h"
#include "tree-view.h"

enum restore_state {
	RESTORE_NONE,
	RESTORE_OPEN,		/* some of its bytes have come */
	RESTORE_DONE,
	RESTORE_LOST,		/* some of its bytes never will */
};

/* A file whose bytes come in several pieces. */
struct open_file {
	struct open_file *next;
	uint64_t left;		/* bytes to come */
	uint32_t file;
	unsigned int users;
	bool writing;		/* one of them holds the file's lock for writers */
	int fd;			/* -1: closed for others' sake */
};

#define RESTORE_BUCKETS 1024

struct tree_restore {
	struct pkram_ctx *ctx;
	const struct tree_view *v;
	struct tree_restore_options o;
	int root;
	int uffd;		/* userfault_open() */
	uid_t uid;		/* whom new files belong to */
	gid_t gid;
	mode_t umask;
	struct dir_cache *dirs;	/* one per worker */
	_Atomic uint8_t *states; /* enum restore_state of each file */
	struct pkram_progress progress; /* of the bytes, when only what has none is left */
	_Atomic uint64_t finished; /* files that finish_files() is done with */
	pthread_mutex_t lock;	/* of what follows */
	struct open_file *open[RESTORE_BUCKETS];
	unsigned int n_open, max_open;
	uint64_t left_out;
};

static inline struct view_file *restore_file(const struct tree_restore *r, uint32_t file)
{
	return &r->v->files[file];
}

/* Logs that `what` failed on the file, with the reason and its path, and returns the error. */
int restore_failed(struct tree_restore *r, int error, const char *what, uint32_t file);

/* Makes an empty regular file of the right size. */
int make_regular(struct tree_restore *r, unsigned int worker, uint32_t file, int *ret_fd);
int make_reopen(struct tree_restore *r, unsigned int worker, uint32_t file, int *ret_fd);
int make_write(struct tree_restore *r, uint32_t file, int fd, uint64_t off, size_t len,
	       const void *bytes);
/* The same while another thread is at it, which write(2) would wait for. */
int make_write_beside(struct tree_restore *r, uint32_t file, int fd, uint64_t off, size_t len,
		      const void *bytes);
/* Gives the file its attributes and closes it, also on failure. */
int make_done(struct tree_restore *r, uint32_t file, int fd);
/* A symlink, fifo, socket or device. */
int make_special(struct tree_restore *r, unsigned int worker, uint32_t file);

/* Whether a regular file can be made with its final mode at once. */
bool attr_mode_at_once(const struct tree_restore *r, const struct view_file *f);
/* Owner, attributes, mode and times, in the order that keeps them; not the inode flags. */
int attr_set_fd(struct tree_restore *r, uint32_t file, int fd);
int attr_set_at(struct tree_restore *r, uint32_t file, int dirfd);
int attr_set_flags(struct tree_restore *r, uint32_t file, int fd);
