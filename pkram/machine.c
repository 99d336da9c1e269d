/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the machine, below the sysroot.
 */
#include "machine.h"

#include <fcntl.h>
#include <sys/stat.h>

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
	fd = open(full, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

bool machine_exists(struct pkram_ctx *ctx, const char *path)
{
	_cleanup_free_ char *full = machine_path(ctx, path);

	return full && access(full, F_OK) == 0;
}

int machine_read(struct pkram_ctx *ctx, const char *path, char **ret_text, size_t *ret_len)
{
	_cleanup_close_ int fd = machine_open(ctx, path, O_RDONLY);
	_cleanup_free_ char *text = NULL;
	size_t len = 0, cap = 0;

	if (fd < 0)
		return fd;
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
	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	if (ret_len)
		*ret_len = len;
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

static int sync_dir_of(const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int fd = -1;

	if (!dir)
		return -ENOMEM;
	*strrchr(dir, '/') = '\0';
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
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

int machine_replace(struct pkram_ctx *ctx, const char *path, const char *text)
{
	_cleanup_free_ char *full = machine_path(ctx, path), *real = NULL;
	int r = 0;

	if (!full)
		return -ENOMEM;
	/* On a recorded machine a link would lead out of it. */
	if (!*ctx->sysroot && (real = realpath(full, NULL))) {
		free(full);
		full = TAKE_PTR(real);
	}
	if (text)
		r = put_file(full, text);
	else if (unlink(full) < 0 && errno != ENOENT)
		r = -errno;
	return r == 0 ? sync_dir_of(full) : r;
}
