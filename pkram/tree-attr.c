/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attributes of restored files. Order matters: chown takes setuid and capabilities away, an ACL
 * changes the mode, and nothing can be changed behind an inode flag.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "tree-erofs.h"
#include "tree-restore.h"

bool attr_mode_at_once(const struct tree_restore *r, const struct view_file *f)
{
	/* Without owner's write permission it could not be opened again. */
	return !(f->mode & 07000) && !(f->mode & r->umask) && f->mode & 0200;
}

static bool own(const struct tree_restore *r, const struct view_file *f)
{
	return f->uid == r->uid && f->gid == r->gid;
}

static void times_of(const struct view_file *f, struct timespec ret[2])
{
	/* No access times are kept: a file was last used when it was last changed. */
	ret[0] = ret[1] = (struct timespec){ .tv_sec = f->mtime, .tv_nsec = f->mtime_nsec };
}

static int xattr_failed(struct tree_restore *r, int error, const char *name, uint32_t file)
{
	_cleanup_free_ char *path = view_path(r->v, file);

	if (error == -EOPNOTSUPP) {
		pkram_log_error(r->ctx,
				"%s: the target's filesystem does not keep the attribute %s; "
				"restore to another one (--to)", path ? path : "?", name);
		return error;
	}
	return log_error_errno(r->ctx, error, "%s: cannot set the attribute %s: %m%s",
			       path ? path : "?", name, error_hint(error));
}

/* `path` is NULL where the file is open. */
static int set_xattrs(struct tree_restore *r, uint32_t file, int fd, const char *path)
{
	const struct tree_view *v = r->v;
	const struct view_file *f = restore_file(r, file);

	for (uint32_t i = 0; i < f->n_xattrs; i++) {
		const struct view_xattr *x = &v->xattrs[v->xattr_refs[f->xattrs + i]];
		const char *name = view_text(v, x->name);
		const void *value = x->len ? v->values.bytes + x->value : "";

		if ((path ? lsetxattr(path, name, value, x->len, 0) :
			    fsetxattr(fd, name, value, x->len, 0)) < 0)
			return xattr_failed(r, -errno, name, file);
	}
	return 0;
}

int attr_set_fd(struct tree_restore *r, uint32_t file, int fd)
{
	const struct view_file *f = restore_file(r, file);
	struct timespec times[2];
	int k;

	if (!own(r, f) && fchown(fd, f->uid, f->gid) < 0)
		return restore_failed(r, -errno, "cannot set the owner", file);
	k = set_xattrs(r, file, fd, NULL);
	if (k < 0)
		return k;
	if ((S_ISDIR(f->mode) || !attr_mode_at_once(r, f)) && fchmod(fd, f->mode & 07777) < 0)
		return restore_failed(r, -errno, "cannot set the mode", file);
	times_of(f, times);
	if (futimens(fd, times) < 0)
		return restore_failed(r, -errno, "cannot set the times", file);
	return 0;
}

/* For what is not opened: by its name in a directory that nobody else can reach yet. */
int attr_set_at(struct tree_restore *r, uint32_t file, int dirfd)
{
	const struct view_file *f = restore_file(r, file);
	const char *name = view_text(r->v, f->name);
	char path[64 + NAME_MAX];
	struct timespec times[2];
	int k;

	if (!own(r, f) && fchownat(dirfd, name, f->uid, f->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return restore_failed(r, -errno, "cannot set the owner", file);
	if (f->n_xattrs) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
		k = set_xattrs(r, file, -1, path);
		if (k < 0)
			return k;
	}
	if (!S_ISLNK(f->mode) &&
	    fchmodat(dirfd, name, f->mode & 07777, AT_SYMLINK_NOFOLLOW) < 0)
		return restore_failed(r, -errno, "cannot set the mode", file);
	times_of(f, times);
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return restore_failed(r, -errno, "cannot set the times", file);
	return 0;
}

int attr_set_flags(struct tree_restore *r, uint32_t file, int fd)
{
	const struct view_file *f = restore_file(r, file);
	int flags;

	/* The call takes an int, whatever its number says. */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return restore_failed(r, -errno, "cannot read the inode flags", file);
	flags = (int)(((unsigned int)flags & ~EROFS_PKRAM_FLAGS) | f->flags);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		return restore_failed(r, -errno, "cannot set the inode flags (chattr)", file);
	return 0;
}
