/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the machine, below the sysroot.
 */
#include "machine.h"

#include <fcntl.h>

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
