/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * However deep a tree is, three descriptors are enough: a directory's subdirectories are moved up
 * to the top before it is removed, until nothing but the top is left.
 */
#include "tree-remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* Inode flags that keep root from removing something. Filesystems without them are fine. */
static void clear_flags(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	if (!(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/*
 * Takes away what may forbid to remove `name` or to move it, in a directory that is ours: flags,
 * and modes for those who are not root.
 */
static void loosen(int dirfd, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	clear_flags(dirfd);
	(void)fchmod(dirfd, 0700);
	/* A device must not be opened. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return;
	if (S_ISDIR(st.st_mode))
		(void)fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		clear_flags(fd);
}

static int unlink_entry(int dirfd, const char *name, int flags)
{
	if (unlinkat(dirfd, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (errno != EPERM && errno != EACCES)
		return -errno;
	loosen(dirfd, name);
	return unlinkat(dirfd, name, flags) == 0 || errno == ENOENT ? 0 : -errno;
}

/* -EISDIR for a directory, which stays. */
static int unlink_file(int dirfd, const struct dirent *e)
{
	struct stat st;
	int r;

	if (e->d_type == DT_DIR)
		return -EISDIR;
	r = unlink_entry(dirfd, e->d_name, 0);
	if (r != -EPERM)
		return r;
	/* Some filesystems say EPERM for a directory. */
	if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	return r;
}

/* Opens a directory of the same mount for reading. */
static int open_dir(int dirfd, const char *name, DIR **ret)
{
	_cleanup_close_ int fd = -1;
	struct statx stx;
	DIR *d;

	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) == 0 &&
	    stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EBUSY;
	d = fdopendir(fd);
	if (!d)
		return -errno;
	(void)TAKE_FD(fd);
	*ret = d;
	return 0;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int move_up(int from, const char *name, int top, uint64_t *serial)
{
	char to[40];

	for (bool again = false;;) {
		snprintf(to, sizeof(to), "pkram-%llu", (unsigned long long)++*serial);
		if (renameat2(from, name, top, to, RENAME_NOREPLACE) == 0)
			return 0;
		if ((errno == EPERM || errno == EACCES) && !again) {
			loosen(from, name);
			clear_flags(top);
			again = true;
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
}

/* Empties and removes a directory in `top`; its subdirectories come to lie there. */
static int remove_flat(int top, const char *name, uint64_t *serial)
{
	struct dirent *e;
	DIR *d = NULL;
	int r;

	r = open_dir(top, name, &d);
	if (r == -EACCES) {
		loosen(top, name);
		r = open_dir(top, name, &d);
	}
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while (r == 0 && (e = readdir(d))) {
		if (is_dot(e->d_name))
			continue;
		r = unlink_file(dirfd(d), e);
		if (r == -EISDIR)
			r = move_up(dirfd(d), e->d_name, top, serial);
	}
	closedir(d);
	return r < 0 ? r : unlink_entry(top, name, AT_REMOVEDIR);
}

static int empty_top(DIR *top)
{
	uint64_t serial = 0;
	bool any = true;
	int r = 0;

	while (any && r == 0) {
		struct dirent *e;

		any = false;
		rewinddir(top);
		while (r == 0 && (e = readdir(top))) {
			if (is_dot(e->d_name))
				continue;
			any = true;
			r = unlink_file(dirfd(top), e);
			if (r == -EISDIR)
				r = remove_flat(dirfd(top), e->d_name, &serial);
			/* Removed and filled again in between: the next round sees it. */
			if (r == -ENOTEMPTY)
				r = 0;
		}
	}
	return r;
}

/* Flags and modes of `dir` are not ours to change: here only what may go goes. */
int tree_remove(int dir, const char *name)
{
	struct stat st;
	DIR *top = NULL;
	int r;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dir, name, 0) < 0 ? -errno : 0;
	r = open_dir(dir, name, &top);
	if (r < 0)
		return r;
	r = empty_top(top);
	closedir(top);
	if (r < 0)
		return r;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
