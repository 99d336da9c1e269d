/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the machine, below the sysroot.
 */
#include "machine.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Files of /proc and /sys are small; more than this is not one of them. */
#define FILE_MAX (16 * MIB)

char *machine_path(struct pkram_ctx *ctx, const char *path)
{
	char *full;

	return asprintf(&full, "%s%s", ctx->sysroot, path) < 0 ? NULL : full;
}

int machine_open(struct pkram_ctx *ctx, const char *path, int flags)
{
	_cleanup_free_ char *full = machine_path(ctx, path);
	int fd;

	if (!full)
		return -ENOMEM;
	/* Nobody may write into a pipe. */
	fd = open(full, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int machine_open_inside(struct pkram_ctx *ctx, const char *path, int flags)
{
	int more = flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct open_how how = { .flags = (uint64_t)(flags | more), .resolve = RESOLVE_IN_ROOT };
	_cleanup_close_ int root = -1;
	int fd;

	if (!*ctx->sysroot)
		return machine_open(ctx, path, flags);
	root = open(ctx->sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int machine_open_dir(struct pkram_ctx *ctx, const char *path, DIR **ret)
{
	int fd = machine_open(ctx, path, O_RDONLY | O_DIRECTORY), r;

	if (fd < 0)
		return fd;
	*ret = fdopendir(fd);
	if (*ret)
		return 0;
	r = -errno;
	close(fd);
	return r;
}

bool machine_exists(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_free_ char *full = machine_path(ctx, path);

	return full && access(full, F_OK) == 0;
}

/* -EOPNOTSUPP: a device or pipe, which need not have an end. */
static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, cap = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EOPNOTSUPP;
	for (;;) {
		ssize_t n;
		int r = array_grow(&text, &cap, len + 4096, 1);

		if (r < 0)
			return r;
		n = read(fd, text + len, cap - len - 1);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > FILE_MAX)
			return -EFBIG;
	}
	text[len] = '\0';
	*ret_len = len;
	*ret_text = TAKE_PTR(text);
	return 0;
}

int machine_read(struct pkram_ctx *ctx, const char *path, char **ret_text, size_t *ret_len)
{
	_cleanup_close_ int fd = machine_open(ctx, path, O_RDONLY);
	size_t len;
	int r = fd < 0 ? fd : read_all(fd, ret_text, &len);

	if (r < 0)
		return r;
	if (len && (*ret_text)[len - 1] == '\n')
		(*ret_text)[--len] = '\0';
	if (ret_len)
		*ret_len = len;
	return 0;
}

int machine_read_text(struct pkram_ctx *ctx, const char *path, char **ret_text)
{
	_cleanup_close_ int fd = machine_open_inside(ctx, path, O_RDONLY);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fd < 0 ? fd : read_all(fd, &text, &len);

	if (r == -ENOENT)
		return r;
	if (r == -EOPNOTSUPP || r == -ENXIO || (r == 0 && strlen(text) != len)) {
		pkram_log_error(ctx, "%s: not a file of text", path);
		return -EUCLEAN;
	}
	if (r < 0)
		return log_error_errno(ctx, r, "%s: %m", path);
	*ret_text = TAKE_PTR(text);
	return 0;
}

int machine_read_u64(struct pkram_ctx *ctx, const char *path, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	unsigned long long v;
	char *end;
	int r;

	r = machine_read(ctx, path, &text, NULL);
	if (r < 0)
		return r;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int machine_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) :
					   strdup(".");
	_cleanup_close_ int fd = -1;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems have no such thing as a directory to synchronise. */
	return fd < 0 || (fsync(fd) < 0 && errno != EINVAL) ? -errno : 0;
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += MAX(n, (ssize_t)0);
		len -= (size_t)MAX(n, (ssize_t)0);
	}
	return 0;
}

static int fill_file(int fd, const char *path, const char *text)
{
	struct stat st = { .st_mode = 0644, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1 };
	int r;

	if (stat(path, &st) < 0 && errno != ENOENT)
		return -errno;
	r = write_all(fd, text);
	if (r == 0 && (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0 ||
		       fsync(fd) < 0))
		r = -errno;
	return r;
}

static int put_file(const char *path, const char *text)
{
	_cleanup_free_ char *temp = NULL;
	int fd, r;

	/* No program takes it for one of its own files: not "*.cfg", not "*.conf". */
	if (asprintf(&temp, "%s.pkram-XXXXXX", path) < 0) {
		temp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fill_file(fd, path, text);
	close(fd);
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temp);
	return r;
}

/* Where links lead, inside of a recorded machine; malloc'ed. */
static int real_path(struct pkram_ctx *ctx, const char *path, char **ret)
{
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	_cleanup_close_ int fd = machine_open_inside(ctx, path, O_PATH);

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	*ret = realpath(link, NULL);
	return *ret ? 0 : -errno;
}

/* The same for a file that need not be there, in a directory that is. */
static int real_path_to(struct pkram_ctx *ctx, const char *path, char **ret)
{
	_cleanup_free_ char *parent = NULL, *dir = NULL;
	const char *name = strrchr(path, '/');
	int r = real_path(ctx, path, ret);

	if (r != -ENOENT)
		return r;
	parent = strndup(path, name > path ? (size_t)(name - path) : 1);
	r = parent ? real_path(ctx, parent, &dir) : -ENOMEM;
	if (r < 0)
		return r;
	if (asprintf(ret, "%s%s", dir[1] ? dir : "", name) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int machine_replace(struct pkram_ctx *ctx, const char *path, const char *text)
{
	_cleanup_free_ char *real = NULL;
	int r = real_path_to(ctx, path, &real);

	if (r < 0)
		return r;
	if (text)
		r = put_file(real, text);
	else if (unlink(real) < 0 && errno != ENOENT)
		r = -errno;
	return r == 0 ? machine_sync_parent(real) : r;
}

int machine_mkdir(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_close_ int fd = machine_open_inside(ctx, path, O_PATH | O_DIRECTORY);
	_cleanup_free_ char *real = NULL;
	int r = fd == -ENOENT ? real_path_to(ctx, path, &real) : MIN(fd, 0);

	if (fd >= 0 || r < 0)
		return r;
	/* What is there and cannot be opened leads nowhere. */
	if (mkdir(real, 0755) < 0)
		return errno == EEXIST ? -ENOENT : -errno;
	return chmod(real, 0755) < 0 ? -errno : 1;
}

int machine_rmdir(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_free_ char *real = NULL;
	int r = real_path(ctx, path, &real);

	if (r == 0 && rmdir(real) < 0)
		r = -errno;
	return r == -ENOENT || r == -ENOTEMPTY || r == -EEXIST ? 0 : r;
}
