/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GRUB's settings: /etc/default/grub and the files beside it, which grub-mkconfig has the shell
 * run, and the command line that they make.
 */
#include "kexec-grub.h"
#include "machine.h"

#include <dirent.h>
#include <fnmatch.h>

#define GRUB_FILE "/etc/default/grub"
#define GRUB_DIR "/etc/default/grub.d"

static int take_file(struct pkram_ctx *ctx, const char *path, struct grub_variables *s)
{
	_cleanup_free_ char *text = NULL;
	int r = machine_read_text(ctx, path, &text);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return grub_take_text(s, text);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

bool kexec_grub_reads_dropins(struct pkram_ctx *ctx)
{
	static const char *const scripts[] = { "/usr/sbin/grub-mkconfig", "/usr/bin/grub-mkconfig",
					       "/usr/sbin/grub2-mkconfig",
					       "/usr/bin/grub2-mkconfig" };

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		_cleanup_free_ char *text = NULL;

		if (machine_read(ctx, scripts[i], &text, NULL) == 0)
			return strstr(text, "default/grub.d") != NULL;
	}
	return machine_exists(ctx, GRUB_DIR);
}

/* As "*.cfg" of a shell. */
static bool is_dropin(const char *name)
{
	return fnmatch("*.cfg", name, FNM_PERIOD) == 0;
}

static int take_dropins(struct pkram_ctx *ctx, struct grub_variables *s)
{
	_cleanup_free_ char *dir = machine_path(ctx, GRUB_DIR);
	struct dirent **files = NULL;
	int n = dir ? scandir(dir, &files, NULL, by_name) : 0, r = 0;

	for (int i = 0; i < n; i++) {
		char path[sizeof(GRUB_DIR) + sizeof(files[0]->d_name) + 1];

		snprintf(path, sizeof(path), GRUB_DIR "/%s", files[i]->d_name);
		if (r == 0 && is_dropin(files[i]->d_name))
			r = take_file(ctx, path, s);
		free(files[i]);
	}
	free(files);
	return r;
}

/* In the order of grub-mkconfig. */
static int take_files(struct pkram_ctx *ctx, struct grub_variables *s)
{
	int r = take_file(ctx, GRUB_FILE, s);

	return r == 0 && kexec_grub_reads_dropins(ctx) ? take_dropins(ctx, s) : r;
}

static int read_variable(struct pkram_ctx *ctx, const char *name, bool loosely, char **ret)
{
	_cleanup_(grub_variables_done) struct grub_variables s = {
		.loosely = loosely ? name : NULL,
	};
	int r = take_files(ctx, &s);

	if (r < 0)
		return r;
	*ret = grub_take_value(&s, name);
	return *ret ? 0 : -ENODATA;
}

char *kexec_grub_setting(struct pkram_ctx *ctx, const char *name)
{
	char *value;

	return read_variable(ctx, name, false, &value) < 0 ? NULL : value;
}

/* --- the command line --- */

static const char *const line_variables[] = { "GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT" };

static int words_of(struct pkram_ctx *ctx, const char *name, char **ret)
{
	_cleanup_free_ char *value = NULL;
	int r = read_variable(ctx, name, true, &value);
	const char *text = value;

	return r == 0 ? kexec_grub_words(&text, ret) : r;
}

int kexec_grub_settings_line(struct pkram_ctx *ctx, char **ret)
{
	_cleanup_free_ char *first = NULL, *second = NULL;
	int r = words_of(ctx, line_variables[0], &first);

	if (r == 0 || r == -ENODATA)
		r = words_of(ctx, line_variables[1], &second);
	if (r < 0 && (r != -ENODATA || !first))
		return r;
	if (asprintf(ret, "%s%s%s", first ? first : "", first && second ? " " : "",
		     second ? second : "") >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int kexec_grub_variable(struct pkram_ctx *ctx, const char *word, const char **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(line_variables); i++) {
		_cleanup_free_ char *line = NULL;
		int r = words_of(ctx, line_variables[i], &line);

		if (r < 0 && r != -ENODATA)
			return r;
		if (r == 0 && kexec_line_find(line, word, strlen(word), NULL)) {
			*ret = line_variables[i];
			return 0;
		}
	}
	return -ENODATA;
}
