/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of "key = value" lines.
 */
#include "machine.h"
#include "op.h"

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int read_line(struct pkram_ctx *ctx, const char *path, char *line, pkram_conf_fn fn,
		     void *userdata)
{
	char *key = trim(line), *value = strchr(key, '=');

	if (!*key || *key == '#')
		return 0;
	if (!value)
		return log_error_errno(ctx, -EINVAL, "%s: '%s' is not 'key = value'", path, key);
	*value++ = '\0';
	return fn(userdata, trim(key), trim(value));
}

int pkram_conf_read(struct pkram_ctx *ctx, const char *path, pkram_conf_fn fn, void *userdata)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	size_t len;
	int k = machine_read(ctx, path, &text, &len);

	if (k == -ENOENT)
		return k;
	if (k < 0)
		return log_error_errno(ctx, k, "%s: %m", path);
	if (strlen(text) != len)
		return log_error_errno(ctx, -EINVAL, "%s: a NUL byte is in it: it is no text",
				       path);
	rest = text;
	while (k == 0 && (line = strsep(&rest, "\n")))
		k = read_line(ctx, path, line, fn, userdata);
	return k;
}
