/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GRUB's settings: /etc/default/grub and the files beside it, which grub-mkconfig has the shell
 * run. They are not run here, but read as far as they set variables to text and to other variables;
 * what a command would print is left out.
 */
#include "kexec-grub.h"
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>

#define GRUB_FILE "/etc/default/grub"
#define GRUB_DIR "/etc/default/grub.d"

struct variable {
	char *name, *value;
};

struct settings {
	struct variable *v;
	size_t n, cap;
	const char *loosely;	/* lines that may set this one add all that they say; NULL: none */
};

static void settings_done(struct settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].value);
	}
	free(s->v);
}

static size_t name_length(const char *s)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_' || (n && isdigit((unsigned char)s[n])))
		n++;
	return n;
}

static struct variable *find(const struct settings *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (strlen(s->v[i].name) == len && memcmp(s->v[i].name, name, len) == 0)
			return &s->v[i];
	return NULL;
}

/* The value is taken. */
static int set(struct settings *s, const char *name, size_t len, char *value)
{
	struct variable *var = find(s, name, len), new = { .value = value };
	int r;

	if (var) {
		free(var->value);
		var->value = value;
		return 0;
	}
	new.name = strndup(name, len);
	r = new.name ? array_grow(&s->v, &s->cap, s->n + 1, sizeof(*s->v)) : -ENOMEM;
	if (r < 0) {
		free(new.name);
		free(value);
		return r;
	}
	s->v[s->n++] = new;
	return 0;
}

/* --- values --- */

/* p: behind the '('. */
static const char *skip_command(const char *p)
{
	for (int depth = 1; *p && depth; p++)
		depth += (*p == '(') - (*p == ')');
	return p;
}

/* What stands behind a '$'. */
static const char *put_variable(const struct settings *s, FILE *f, const char *p)
{
	bool brace = *p == '{';
	size_t len = name_length(p + brace);
	struct variable *var;

	if (*p == '(')
		return skip_command(p + 1);
	if (brace && (!len || p[1 + len] != '}')) {
		p = strchrnul(p, '}');
		return p + (*p == '}');
	}
	if (!len)
		fputc('$', f);
	var = find(s, p + brace, len);
	if (var)
		fputs(var->value, f);
	return p + len + 2 * brace;
}

/* p: at a backslash that something follows. */
static const char *put_escape(FILE *f, bool quoted, const char *p)
{
	if (quoted && !strchr("$`\"\\\n", p[1]))
		fputc('\\', f);
	if (p[1] != '\n')
		fputc(p[1], f);
	return p + 2;
}

/* One word as the shell reads it; returns its end. */
static const char *put_value(const struct settings *s, FILE *f, const char *p)
{
	char quote = '\0';

	while (*p && (quote || !strchr(" \t\n;&|", *p))) {
		if (*p == quote) {
			quote = '\0';
			p++;
		} else if (quote == '\'') {
			fputc(*p++, f);
		} else if (*p == '\\' && p[1]) {
			p = put_escape(f, quote, p);
		} else if (*p == '"' || (*p == '\'' && !quote)) {
			quote = *p++;
		} else if (*p == '$') {
			p = put_variable(s, f, p + 1);
		} else if (*p == '`') {
			p = strchrnul(p + 1, '`');
			p += *p == '`';
		} else {
			fputc(*p++, f);
		}
	}
	return p;
}

/* NAME=value; returns its end. */
static int take_assignment(struct settings *s, const char **p, size_t len)
{
	const char *name = *p;
	char *value;
	size_t size;
	FILE *f = open_memstream(&value, &size);

	if (!f)
		return -ENOMEM;
	*p = put_value(s, f, name + len + 1);
	if (fclose(f) != 0)
		return -ENOMEM;
	return set(s, name, len, value);
}

/* --- files --- */

static bool may_set(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 1; i + n < len; i++)
		if (line[i + n] == '=' && memcmp(line + i, name, n) == 0 &&
		    !name_length(line + i - 1))
			return true;
	return false;
}

/* A line that is more than an assignment: "[ -e x ] && NAME=..." */
static int take_loosely(struct settings *s, const char *line, size_t len)
{
	struct variable *var = s->loosely ? find(s, s->loosely, strlen(s->loosely)) : NULL;
	char *value;

	if (!s->loosely || *line == '#' || !may_set(line, len, s->loosely))
		return 0;
	if (asprintf(&value, "%s %.*s", var ? var->value : "", (int)len, line) < 0)
		return -ENOMEM;
	for (char *q = value + strlen(value) - len; *q; q++)
		if (strchr("\"'`;(){}|&<>", *q))
			*q = ' ';
	return set(s, s->loosely, strlen(s->loosely), value);
}

/* 1: it was one. */
static int take_replacement(struct settings *s, const char *line, size_t len)
{
	_cleanup_(grub_replacement_done) struct grub_replacement rep = { 0 };
	struct variable *var;
	char *value;
	int r;

	if (!grub_replaces(line, len, &rep))
		return 0;
	var = find(s, rep.variable, strlen(rep.variable));
	r = var ? grub_replace(&rep, var->value, &value) : 0;
	if (r == 0 && var)
		r = set(s, rep.variable, strlen(rep.variable), value);
	return r < 0 ? r : 1;
}

static int take_command(struct settings *s, const char *line, size_t len)
{
	int r = take_replacement(s, line, len);

	return r == 0 ? take_loosely(s, line, len) : MIN(r, 0);
}

static int take_text(struct settings *s, const char *p)
{
	int r = 0;

	while (r == 0 && *(p += strspn(p, " \t\n;"))) {
		size_t len = name_length(p);

		if (len == strlen("export") && memcmp(p, "export", len) == 0 && p[len] == ' ') {
			p += len;
		} else if (len && p[len] == '=') {
			r = take_assignment(s, &p, len);
		} else {
			len = strcspn(p, "\n");
			r = take_command(s, p, len);
			p += len;
		}
	}
	return r;
}

static int take_file(struct pkram_ctx *ctx, const char *path, struct settings *s)
{
	_cleanup_free_ char *text = NULL;
	int r = machine_read_text(ctx, path, &text);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return take_text(s, text);
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

static int take_dropins(struct pkram_ctx *ctx, struct settings *s)
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
static int take_files(struct pkram_ctx *ctx, struct settings *s)
{
	int r = take_file(ctx, GRUB_FILE, s);

	return r == 0 && kexec_grub_reads_dropins(ctx) ? take_dropins(ctx, s) : r;
}

static int read_variable(struct pkram_ctx *ctx, const char *name, bool loosely, char **ret)
{
	_cleanup_(settings_done) struct settings s = { .loosely = loosely ? name : NULL };
	struct variable *var;
	int r = take_files(ctx, &s);

	if (r < 0)
		return r;
	var = find(&s, name, strlen(name));
	if (!var)
		return -ENODATA;
	*ret = TAKE_PTR(var->value);
	return 0;
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
