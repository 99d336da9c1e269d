/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GRUB's settings as text: a shell script, which is not run here, but read as far as it sets
 * variables to text and to other variables; what a command would print is left out.
 */
#include "kexec-grub.h"

#include <ctype.h>

void grub_variables_done(struct grub_variables *s)
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

static struct grub_variable *find(const struct grub_variables *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (strlen(s->v[i].name) == len && memcmp(s->v[i].name, name, len) == 0)
			return &s->v[i];
	return NULL;
}

/* The value is taken. */
static int set(struct grub_variables *s, const char *name, size_t len, char *value)
{
	struct grub_variable *var = find(s, name, len), new = { .value = value };
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
static const char *put_variable(const struct grub_variables *s, FILE *f, const char *p)
{
	bool brace = *p == '{';
	size_t len = name_length(p + brace);
	struct grub_variable *var;

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
static const char *put_value(const struct grub_variables *s, FILE *f, const char *p)
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

/* Of the '=' behind a name, or the '+=' of a sh that is bash; 0: there is none. */
static size_t sign_length(const char *p)
{
	return *p == '=' ? 1 : p[0] == '+' && p[1] == '=' ? 2 : 0;
}

/* NAME=value, or NAME+=value, which adds to it; *p moves to its end. */
static int take_assignment(struct grub_variables *s, const char **p, size_t len)
{
	const char *name = *p;
	size_t sign = sign_length(name + len), size;
	struct grub_variable *old = sign > 1 ? find(s, name, len) : NULL;
	char *value;
	FILE *f = open_memstream(&value, &size);

	if (!f)
		return -ENOMEM;
	if (old)
		fputs(old->value, f);
	*p = put_value(s, f, name + len + sign);
	if (fclose(f) != 0)
		return -ENOMEM;
	return set(s, name, len, value);
}

/* --- lines --- */

static bool may_set(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 1; i + n < len; i++)
		if (sign_length(line + i + n) && memcmp(line + i, name, n) == 0 &&
		    !name_length(line + i - 1))
			return true;
	return false;
}

/* A line that is more than an assignment: "[ -e x ] && NAME=..." */
static int take_loosely(struct grub_variables *s, const char *line, size_t len)
{
	struct grub_variable *var = s->loosely ? find(s, s->loosely, strlen(s->loosely)) : NULL;
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
static int take_replacement(struct grub_variables *s, const char *line, size_t len)
{
	_cleanup_(grub_replacement_done) struct grub_replacement rep = { 0 };
	struct grub_variable *var;
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

static int take_command(struct grub_variables *s, const char *line, size_t len)
{
	int r = take_replacement(s, line, len);

	return r == 0 ? take_loosely(s, line, len) : MIN(r, 0);
}

int grub_take_text(struct grub_variables *s, const char *p)
{
	int r = 0;

	while (r == 0 && *(p += strspn(p, " \t\n;"))) {
		size_t len = name_length(p);

		if (len == strlen("export") && memcmp(p, "export", len) == 0 && p[len] == ' ') {
			p += len;
		} else if (len && sign_length(p + len)) {
			r = take_assignment(s, &p, len);
		} else {
			len = strcspn(p, "\n");
			r = take_command(s, p, len);
			p += len;
		}
	}
	return r;
}

char *grub_take_value(struct grub_variables *s, const char *name)
{
	struct grub_variable *var = find(s, name, strlen(name));

	return var ? TAKE_PTR(var->value) : NULL;
}
