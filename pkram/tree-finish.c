/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of a restore: what has no bytes in the image, then what must come after everything else
 * below it: directories' attributes (a new entry changes their times), inode flags.
 */
#include <fcntl.h>

#include "tree-restore.h"
#include "work.h"

#define CHUNK 256u

/* Whether a file may be missing at the end. */
static bool left_out(const struct tree_restore *r, uint32_t file)
{
	return r->o.salvage && r->states[file] == RESTORE_LOST;
}

/* Files whose bytes did not all come: those that were lost are taken away again. */
static int drop_open(struct tree_restore *r)
{
	for (unsigned int i = 0; i < RESTORE_BUCKETS; i++) {
		for (struct open_file *f = r->open[i]; f; f = f->next) {
			int dirfd;

			if (!left_out(r, f->file))
				return restore_failed(r, -EIO, "its bytes did not all come",
						      f->file);
			dirfd = dir_cache_get(&r->dirs[0], restore_file(r, f->file)->parent);
			if (dirfd < 0 ||
			    unlinkat(dirfd, view_text(r->v, restore_file(r, f->file)->name), 0) < 0)
				return restore_failed(r, dirfd < 0 ? dirfd : -errno,
						      "cannot remove the damaged file", f->file);
		}
	}
	return 0;
}

static int finish_regular(struct tree_restore *r, unsigned int worker, uint32_t file)
{
	int fd, k;

	if (restore_file(r, file)->data)
		return r->states[file] == RESTORE_DONE || left_out(r, file) ? 0 :
			restore_failed(r, -EIO, "its bytes never came", file);
	k = make_regular(r, worker, file, &fd);
	return k < 0 ? k : make_done(r, file, fd);
}

static int finish_files(void *arg, unsigned int worker, uint64_t chunk)
{
	struct tree_restore *r = arg;
	uint64_t end = MIN((chunk + 1) * CHUNK, (uint64_t)r->v->n_files);
	struct pkram_progress p = r->progress;
	int k = 0;

	for (uint64_t i = chunk * CHUNK; i < end && k == 0; i++) {
		uint32_t file = (uint32_t)i;
		mode_t mode = restore_file(r, file)->mode;

		if (S_ISREG(mode))
			k = finish_regular(r, worker, file);
		else if (!S_ISDIR(mode))
			k = make_special(r, worker, file);
	}
	p.total_files = r->v->n_files;
	p.files = r->finished += end - chunk * CHUNK;
	return k < 0 ? k : ctx_progress_of(r->ctx, &p);
}

static int finish_links(void *arg, unsigned int worker, uint64_t chunk)
{
	struct tree_restore *r = arg;
	const struct tree_view *v = r->v;
	uint64_t end = MIN((chunk + 1) * CHUNK, (uint64_t)v->n_links);

	for (uint64_t i = chunk * CHUNK; i < end; i++) {
		const struct view_link *l = &v->links[i];
		const struct view_file *f = restore_file(r, l->file);
		_cleanup_close_ int from = -1;
		int to;

		if (left_out(r, l->file))
			continue;
		to = dir_cache_get(&r->dirs[worker], f->parent);
		/* The next look-up may close it. */
		from = to < 0 ? to : fcntl(to, F_DUPFD_CLOEXEC, 3);
		to = from < 0 ? to : dir_cache_get(&r->dirs[worker], l->parent);
		if (from < 0 || to < 0)
			return restore_failed(r, to < 0 ? to : -errno, "cannot open its directory",
					      l->file);
		if (linkat(from, view_text(v, f->name), to, view_text(v, l->name), 0) < 0)
			return restore_failed(r, -errno, "cannot link its other name", l->file);
	}
	return 0;
}

/* Opens a file or directory that is there to be changed as a whole. */
static int open_made(struct tree_restore *r, uint32_t file)
{
	const struct view_file *f = restore_file(r, file);
	int dirfd, fd;

	if (file == 0) {
		fd = openat(r->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		dirfd = dir_cache_get(&r->dirs[0], f->parent);
		if (dirfd < 0)
			return restore_failed(r, dirfd, "cannot open its directory", file);
		fd = openat(dirfd, view_text(r->v, f->name),
			    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
			    (S_ISDIR(f->mode) ? O_DIRECTORY : 0));
	}
	return fd < 0 ? restore_failed(r, -errno, "cannot open it again", file) : fd;
}

/* Backwards: a parent stands before its children. */
static int finish_directories(struct tree_restore *r)
{
	for (uint32_t i = (uint32_t)r->v->n_files; i-- > 0;) {
		_cleanup_close_ int fd = -1;
		int k;

		if (!S_ISDIR(restore_file(r, i)->mode))
			continue;
		fd = open_made(r, i);
		if (fd < 0)
			return fd;
		k = attr_set_fd(r, i, fd);
		if (k < 0)
			return k;
	}
	return 0;
}

static int finish_flags(struct tree_restore *r)
{
	for (uint32_t i = (uint32_t)r->v->n_files; i-- > 0;) {
		_cleanup_close_ int fd = -1;
		int k;

		if (!restore_file(r, i)->flags || left_out(r, i))
			continue;
		fd = open_made(r, i);
		if (fd < 0)
			return fd;
		k = attr_set_flags(r, i, fd);
		if (k < 0)
			return k;
	}
	return 0;
}

static int run_chunks(struct tree_restore *r, size_t n,
		      int (*fn)(void *arg, unsigned int worker, uint64_t chunk))
{
	uint64_t chunks = (n + CHUNK - 1) / CHUNK;
	uint64_t threads = MIN((uint64_t)r->o.threads, chunks);

	return work_run(r->ctx, (unsigned int)threads, NULL, chunks, fn, r);
}

int tree_restore_finish(struct tree_restore *r, const struct pkram_progress *so_far)
{
	int k = drop_open(r);

	r->progress = *so_far;

	if (k == 0)
		k = run_chunks(r, r->v->n_files, finish_files);
	if (k == 0)
		k = run_chunks(r, r->v->n_links, finish_links);
	if (k == 0)
		k = finish_directories(r);
	if (k == 0)
		k = finish_flags(r);
	return k;
}
