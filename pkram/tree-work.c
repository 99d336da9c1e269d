/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work directories: private to root, beside the target and so on its filesystem, and locked while
 * their restore lives. A lock that can be taken tells that it does not.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tree-remove.h"

#define RANDOM_CHARS 6

static int random_name(char **ret)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bytes[RANDOM_CHARS];
	char text[RANDOM_CHARS + 1] = "";

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		text[i] = set[bytes[i] % (sizeof(set) - 1)];
	return asprintf(ret, TREE_WORK_PREFIX "%s", text) < 0 ? -ENOMEM : 0;
}

/* Takes the lock of the directory that still has this name. -EAGAIN: somebody else has it. */
static int lock_work(int dirfd, const char *name, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct stat a, b;

	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (fstat(fd, &a) < 0 || fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return -EAGAIN;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The parent's group, setgid bit and default ACL must not reach what is restored below. */
static int make_private(int fd)
{
	if (fremovexattr(fd, "system.posix_acl_default") < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return -errno;
	if (fremovexattr(fd, "system.posix_acl_access") < 0 && errno != ENODATA &&
	    errno != EOPNOTSUPP)
		return -errno;
	if (fchown(fd, geteuid(), getegid()) < 0)
		return -errno;
	return fchmod(fd, 0700) < 0 ? -errno : 0;
}

int tree_work_new(int dirfd, char **ret_name, int *ret_fd)
{
	for (;;) {
		_cleanup_free_ char *name = NULL;
		_cleanup_close_ int fd = -1;
		int r;

		r = random_name(&name);
		if (r < 0)
			return r;
		if (mkdirat(dirfd, name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		/* Until it is locked, another restore may take it for a leftover. */
		r = lock_work(dirfd, name, &fd);
		if (r == -EAGAIN || r == -ENOENT)
			continue;
		if (r == 0)
			r = make_private(fd);
		if (r < 0) {
			unlinkat(dirfd, name, AT_REMOVEDIR);
			return r;
		}
		*ret_name = TAKE_PTR(name);
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
}

static bool is_work(int dirfd, const struct dirent *e)
{
	struct stat st;

	if (strncmp(e->d_name, TREE_WORK_PREFIX, strlen(TREE_WORK_PREFIX)) != 0 ||
	    strlen(e->d_name) != strlen(TREE_WORK_PREFIX) + RANDOM_CHARS)
		return false;
	/* In a directory that everybody may write to, only our own are ours. */
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && !(st.st_mode & 077);
}

void tree_work_clean(struct pkram_ctx *ctx, int dir, const char *path)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		close_p(&fd);
		return;
	}
	while ((e = readdir(d))) {
		_cleanup_close_ int lock = -1;
		int r;

		if (!is_work(dir, e) || lock_work(dir, e->d_name, &lock) < 0)
			continue;
		r = tree_remove(dir, e->d_name);
		if (r < 0) {
			errno = -r;
			pkram_log_warning(ctx,
					  "%s/%s: cannot remove what a killed restore left: %m",
					  path, e->d_name);
		} else {
			pkram_log_info(ctx, "%s/%s: removed what a killed restore left", path,
				       e->d_name);
		}
	}
	closedir(d);
}
