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

struct conf_line {
	const char *path;
	unsigned int number;
	char *text;
};

static int read_line(struct pkram_ctx *ctx, const struct conf_line *line, pkram_conf_fn fn,
		     void *userdata)
{
	char *key = trim(line->text), *value = strchr(key, '=');

	if (!*key || *key == '#')
		return 0;
	if (!value)
		return log_error_errno(ctx, -EINVAL, "%s:%u: '%s' is not 'key = value'",
				       line->path, line->number, key);
	*value++ = '\0';
	return fn(userdata, line->number, trim(key), trim(value));
}

int pkram_conf_read(struct pkram_ctx *ctx, const char *path, pkram_conf_fn fn, void *userdata)
{
	struct conf_line line = { .path = path };
	_cleanup_free_ char *text = NULL;
	char *rest;
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
	while (k == 0 && (line.text = strsep(&rest, "\n"))) {
		line.number++;
		k = read_line(ctx, &line, fn, userdata);
	}
	return k;
}
