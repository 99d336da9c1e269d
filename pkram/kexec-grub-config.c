/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The "linux" commands of grub.cfg, and the one that shows boot entries. The file is a program; of
 * it, only these are read, as they are written there.
 */
#include "kexec.h"
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

bool kexec_grub_shows_entries(struct pkram_ctx *ctx)
{
	static const char command[] = "blscfg";
	_cleanup_free_ char *config = NULL;

	if (read_config(ctx, &config) < 0)
		return false;
	for (const char *l = config; *l; l = strchrnul(l, '\n'), l += *l == '\n') {
		l += strspn(l, " \t");
		if (strncmp(l, command, strlen(command)) == 0 &&
		    strchr(" \t;\n", l[strlen(command)]))
			return true;
	}
	return false;
}
