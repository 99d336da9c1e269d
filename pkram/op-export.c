/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy of all nodes in a file, which is a container of its own.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "hook.h"
#include "machine.h"
#include "op-copy.h"

struct export {
	struct pkram_ctx *ctx;
	const char *path;
	bool force;
	char *temp;		/* beside path; NULL: there is none */
	int fd;			/* of it */
};

static int refuse_file(const struct export *e, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return log_error_errno(e->ctx, -EEXIST, "%s: is there, and no regular file",
				       e->path);
	if (!e->force)
		return log_error_errno(e->ctx, -EEXIST, "%s: is there; --force replaces it",
				       e->path);
	return 0;
}

static int check_file(const struct export *e, const struct region *region)
{
	struct stat st, own;

	if (lstat(e->path, &st) < 0)
		return errno == ENOENT ? 0 : log_error_errno(e->ctx, -errno, "%s: %m", e->path);
	if (fstat(region->fd, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino)
		return log_error_errno(e->ctx, -EINVAL, "%s: is the region itself", e->path);
	return refuse_file(e, &st);
}

static int make_temp(struct export *e)
{
	if (asprintf(&e->temp, "%s.XXXXXX", e->path) < 0) {
		e->temp = NULL;
		return -ENOMEM;
	}
	e->fd = mkostemp(e->temp, O_CLOEXEC);
	if (e->fd >= 0)
		return 0;
	free(e->temp);
	e->temp = NULL;
	return log_error_errno(e->ctx, -errno, "%s: cannot make a file beside it: %m", e->path);
}

/* Of what is known before anything is copied; holes take nothing. */
static int check_room(const struct export *e, uint64_t need)
{
	struct statvfs fs;
	uint64_t room;

	if (fstatvfs(e->fd, &fs) < 0 || mul_overflows((uint64_t)fs.f_bavail, fs.f_frsize, &room) ||
	    need <= room)
		return 0;
	return log_error_errno(e->ctx, -ENOSPC,
			       "%s: needs %" PRIu64 " bytes, its file system has %" PRIu64, e->path,
			       need, room);
}

/* A guess from above: what the nodes take, and what aligning their large pieces may. */
static uint64_t file_size(const struct op_copy *c)
{
	uint64_t size = PKRAM_PAYLOAD_START + PKRAM_TAIL_SIZE + c->stored +
			(c->large + 1) * 2 * PKRAM_HUGE;

	return ALIGN_UP(size, MIB);
}

static int open_temp(const struct export *e, uint64_t size, struct store **ret)
{
	struct region *r;
	int k;

	if (size > INT64_MAX || ftruncate(e->fd, 0) < 0 || ftruncate(e->fd, (off_t)size) < 0)
		return log_error_errno(e->ctx, size > INT64_MAX ? -EFBIG : -errno,
				       "%s: cannot be made: %m", e->path);
	k = region_new(e->ctx, &region_ops_file_io, e->temp, false, &r);
	if (k < 0)
		return k;
	k = store_format(r);
	if (k < 0) {
		region_close(r);
		return k;
	}
	return store_open(r, ret);
}

/* A container in which all of it fits: the next try is larger. */
static int make_container(const struct export *e, struct op_copy *c, struct store **ret)
{
	uint64_t size = 0;
	int k;

	for (int try = 0; try < 16; try++) {
		_cleanup_(store_close_p) struct store *to = NULL;

		/* The needs are the same in every container. */
		size = try ? size + size / 4 : MAX(file_size(c), (uint64_t)PKRAM_MIN_SIZE);
		size = ALIGN_UP(size, MIB);
		k = open_temp(e, size, &to);
		if (k >= 0)
			k = op_copy_begin(c, to);
		if (k >= 0)
			k = store_fits(to, c->needs, c->n, false);
		if (k > 0)
			k = store_reserve(to, c->needs, c->n, NULL, NULL);
		else
			k = k < 0 ? k : -ENOSPC;
		if (k >= 0) {
			*ret = TAKE_PTR(to);
			return 0;
		}
		op_copy_undo(c);
		if (k != -ENOSPC)
			return k;
	}
	return log_error_errno(e->ctx, k, "%s: its nodes do not fit into %" PRIu64 " bytes",
			       store_region(c->from)->spec, size);
}

/* Not over what has come there meanwhile. */
static int move_new(const struct export *e)
{
	if (renameat2(AT_FDCWD, e->temp, AT_FDCWD, e->path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (link(e->temp, e->path) < 0)
		return -errno;
	unlink(e->temp);
	return 0;
}

static int publish(struct export *e)
{
	struct stat st;
	int k = 0;

	if (fsync(e->fd) < 0)
		return log_error_errno(e->ctx, -errno, "%s: cannot synchronise: %m", e->temp);
	HOOK("export-written");
	if (!e->force)
		k = move_new(e);
	else if (lstat(e->path, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse_file(e, &st);
	else if (rename(e->temp, e->path) < 0)
		k = -errno;
	if (k < 0)
		return log_error_errno(e->ctx, k, "%s: cannot give the file its name: %m", e->path);
	free(e->temp);
	e->temp = NULL;
	k = machine_sync_parent(e->path);
	if (k < 0)
		log_error_errno(e->ctx, k, "%s: cannot synchronise its directory: %m", e->path);
	return k;
}

static int write_file(struct export *e, struct op_copy *c)
{
	struct store *to;
	int k;

	k = check_room(e, c->stored + 2 * PKRAM_SLOT_SIZE);
	if (k >= 0)
		k = make_container(e, c, &to);
	if (k < 0)
		return k;
	k = op_copy_run(c, to, NULL, 0);
	op_copy_undo(c);
	store_close(to);
	return k;
}

int pkram_export(struct pkram_region *region, const char *path, uint64_t flags,
		 struct pkram_transfer *ret_transfer)
{
	struct export e = { .ctx = region->ctx, .path = path, .fd = -1,
			    .force = flags & PKRAM_EXPORT_FORCE };
	_cleanup_(op_copy_done) struct op_copy c = { 0 };
	int64_t start = op_clock();
	int k;

	k = op_check_flags(region->ctx, "export", flags, PKRAM_EXPORT_FORCE);
	if (k >= 0)
		k = check_file(&e, store_region(region->store));
	if (k >= 0)
		k = op_copy_open(region->ctx, region->store, "export", &c);
	if (k >= 0)
		k = make_temp(&e);
	if (k >= 0)
		k = write_file(&e, &c);
	if (k >= 0)
		k = publish(&e);
	if (k >= 0 && ret_transfer)
		op_copy_transfer(&c, (uint64_t)(op_clock() - start), ret_transfer);
	if (e.temp)
		unlink(e.temp);
	free(e.temp);
	close_p(&e.fd);
	return k;
}
