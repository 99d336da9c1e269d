/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The "linux" commands of grub.cfg. The file is a program; of it, only these are read, as they are
 * written there: what variables would add at the boot is not known.
 */
#include "kexec.h"
#include "machine.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The command's words, less quotes and escapes; a word that is a variable goes. */
static void unquote(char *s)
{
	char *to = s, quote = '\0';

	while (*s) {
		if (!quote && *s == '$' && (to[-1] == ' ' || to[-1] == '\t')) {
			s += strcspn(s, " \t");
		} else if (*s == '\\' && quote != '\'' && s[1]) {
			*to++ = s[1];
			s += 2;
		} else if ((*s == '"' || *s == '\'') && (!quote || quote == *s)) {
			quote = quote ? '\0' : *s;
			s++;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "linux PATH WORDS" (linux16, linuxefi): whether PATH is this kernel's; its words then. */
static const char *words_for(char *line, const char *kernel)
{
	char *path = line + strspn(line, " \t"), *words;

	if (strncmp(path, "linux", 5) != 0)
		return NULL;
	path += strcspn(path, " \t");
	if (!*path)
		return NULL;
	unquote(path + 1);
	path += strspn(path, " \t");
	words = path + strcspn(path, " \t");
	if (*words)
		*words++ = '\0';
	return strcmp(base_name(path), base_name(kernel)) == 0 ? words : NULL;
}

int kexec_grub_line(struct pkram_ctx *ctx, const char *kernel, char **ret)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (machine_read(ctx, "/boot/grub/grub.cfg", &text, NULL) < 0 &&
	    machine_read(ctx, "/boot/grub2/grub.cfg", &text, NULL) < 0)
		return -ENODATA;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *words = words_for(l, kernel);

		if (!words)
			continue;
		*ret = strdup(words);
		return *ret ? 0 : -ENOMEM;
	}
	return -ENODATA;
}
