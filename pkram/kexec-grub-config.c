/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The "linux" commands of grub.cfg, and the one that shows boot entries. The file is a program; of
 * it, only these are read, as they are written there.
 */
#include "kexec-boot.h"
#include "machine.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int read_config(struct pkram_ctx *ctx, char **ret)
{
	int r = machine_read(ctx, "/boot/grub/grub.cfg", ret, NULL);

	return r == -ENOENT ? machine_read(ctx, "/boot/grub2/grub.cfg", ret, NULL) : r;
}

/* "linux PATH WORDS" (linux16, linuxefi), less quotes; -ENODATA: no more of them. */
static int next_command(const char **text, char **ret)
{
	for (const char *l = *text; *l; l = strchrnul(l, '\n'), l += *l == '\n') {
		l += strspn(l, " \t");
		if (strncmp(l, "linux", 5) != 0)
			continue;
		*text = l;
		return kexec_grub_words(text, ret);
	}
	return -ENODATA;
}

/* The words of the first command that fits: for this kernel, with this word; NULL: any. */
static int find_command(struct pkram_ctx *ctx, const char *kernel, const char *word, char **ret)
{
	_cleanup_free_ char *config = NULL;
	const char *text;
	int r = read_config(ctx, &config);

	text = config;
	while (r == 0) {
		_cleanup_free_ char *line = NULL;
		char *path, *words;

		r = next_command(&text, &line);
		if (r < 0)
			return r;
		path = line + strcspn(line, " ");
		path += *path == ' ';
		words = path + strcspn(path, " ");
		if (*words)
			*words++ = '\0';
		if ((kernel && strcmp(base_name(path), base_name(kernel)) != 0) ||
		    (word && !kexec_line_find(words, word, strlen(word), NULL)))
			continue;
		if (asprintf(ret, "BOOT_IMAGE=%s%s%s", path, *words ? " " : "", words) >= 0)
			return 0;
		*ret = NULL;
		return -ENOMEM;
	}
	return r == -ENOMEM ? r : -ENODATA;
}

int kexec_grub_line(struct pkram_ctx *ctx, const char *kernel, char **ret)
{
	return find_command(ctx, kernel, NULL, ret);
}

bool kexec_grub_has_word(struct pkram_ctx *ctx, const char *word)
{
	_cleanup_free_ char *line = NULL;

	return find_command(ctx, NULL, word, &line) == 0;
}

/* Behind the command's name at the start of a line; NULL: it is another one. */
static const char *argument_of(const char *line, const char *command)
{
	size_t n = strlen(command);

	line += strspn(line, " \t");
	return strncmp(line, command, n) == 0 && strchr(" \t;\n", line[n]) ? line + n : NULL;
}

static const char *find_line(const char *text, const char *command)
{
	for (const char *l = text; *l; l = strchrnul(l, '\n'), l += *l == '\n') {
		const char *found = argument_of(l, command);

		if (found)
			return found;
	}
	return NULL;
}

char *kexec_grub_sets(struct pkram_ctx *ctx, const char *name)
{
	_cleanup_free_ char *config = NULL, *value = NULL;
	const char *p;

	if (read_config(ctx, &config) < 0)
		return NULL;
	for (p = config; !value && (p = find_line(p, "set")); ) {
		_cleanup_free_ char *line = strndup(p, strcspn(p, "\n"));

		value = line ? boot_setting(line, name) : NULL;
	}
	return TAKE_PTR(value);
}

bool kexec_grub_shows_entries(struct pkram_ctx *ctx)
{
	_cleanup_free_ char *config = NULL;

	return read_config(ctx, &config) == 0 && find_line(config, "blscfg");
}
