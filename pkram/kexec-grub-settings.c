/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GRUB's settings: /etc/default/grub and the files beside it, which grub-mkconfig has the shell
 * run. They are not run here, but read as far as they set variables to text and to other variables;
 * what a command would print is left out.
 */
#include "kexec.h"
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

/* A line that is more than an assignment: "case ...", "[ -e x ] && NAME=..." */
static int take_loosely(struct settings *s, const char *line, size_t len)
{
	struct variable *var = s->loosely ? find(s, s->loosely, strlen(s->loosely)) : NULL;
	char *value;

	if (!s->loosely || *line == '#' || !may_set(line, len, s->loosely))
		return 0;
	if (asprintf(&value, "%s %.*s", var ? var->value : "", (int)len, line) < 0)
		return -ENOMEM;
	for (char *q = value + strlen(value) - len; *q; q++)
		if (strchr("\"';", *q))
			*q = ' ';
	return set(s, s->loosely, strlen(s->loosely), value);
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
			r = take_loosely(s, p, len);
			p += len;
		}
	}
	return r;
}

static int take_file(struct pkram_ctx *ctx, const char *path, struct settings *s)
{
	_cleanup_free_ char *text = NULL;

	return machine_read(ctx, path, &text, NULL) < 0 ? 0 : take_text(s, text);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of grub-mkconfig. */
static int take_files(struct pkram_ctx *ctx, struct settings *s)
{
	_cleanup_free_ char *dir = machine_path(ctx, GRUB_DIR);
	struct dirent **files = NULL;
	int n = dir ? scandir(dir, &files, NULL, by_name) : 0;
	int r = take_file(ctx, GRUB_FILE, s);

	for (int i = 0; i < n; i++) {
		char path[sizeof(GRUB_DIR) + sizeof(files[0]->d_name) + 1];

		snprintf(path, sizeof(path), GRUB_DIR "/%s", files[i]->d_name);
		if (r == 0 && fnmatch("*.cfg", files[i]->d_name, 0) == 0)
			r = take_file(ctx, path, s);
		free(files[i]);
	}
	free(files);
	return r;
}

char *kexec_grub_setting(struct pkram_ctx *ctx, const char *name)
{
	_cleanup_(settings_done) struct settings s = { 0 };
	struct variable *var = take_files(ctx, &s) < 0 ? NULL : find(&s, name, strlen(name));

	return var ? TAKE_PTR(var->value) : NULL;
}

const char *kexec_grub_variable(struct pkram_ctx *ctx, const char *word)
{
	static const char *const names[] = { "GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(settings_done) struct settings s = { .loosely = names[i] };
		struct variable *var = take_files(ctx, &s) < 0 ?
					       NULL : find(&s, names[i], strlen(names[i]));

		if (var && kexec_line_find(var->value, word, strlen(word), NULL))
			return names[i];
	}
	return NULL;
}
