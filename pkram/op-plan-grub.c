/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GRUB's settings are a shell script: each planned word is two lines at its end, of which the first
 * tells what the second does. They stand in a file of their own where grub-mkconfig reads such
 * files, else in /etc/default/grub.
 *
 *	# pkram plan: memmap=1G!4G
 *	GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX memmap=1G!4G"
 */
#include "machine.h"
#include "op-plan.h"

#define GRUB_FILE "/etc/default/grub"
#define GRUB_DROPIN "/etc/default/grub.d/50-pkram.cfg"
#define GRUB_DIR "/etc/default/grub.d"
#define NOTE "# pkram plan: "
#define NOTE_OPEN " (no newline above)"

static bool ends_with(const char *line, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(line + len - n, end, n) == 0;
}

static bool is_note(const char *line)
{
	return strncmp(line, NOTE, strlen(NOTE)) == 0;
}

int op_plan_grub_words(const char *text, struct op_plan_words *w)
{
	int r = 0;

	for (const char *l = text ? text : ""; *l && r == 0; l = op_plan_next_line(l)) {
		size_t len = op_plan_line_length(l);

		if (!is_note(l))
			continue;
		len -= ends_with(l, len, NOTE_OPEN) ? strlen(NOTE_OPEN) : 0;
		r = op_plan_take_note(l + strlen(NOTE), len - strlen(NOTE), w);
	}
	return r;
}

/* Debian's and its relatives' read a directory, others one file. */
static bool reads_dropins(struct pkram_ctx *ctx)
{
	static const char *const scripts[] = { "/usr/sbin/grub-mkconfig", "/usr/bin/grub-mkconfig",
					       "/usr/sbin/grub2-mkconfig" };

	if (machine_exists(ctx, GRUB_DIR))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		_cleanup_free_ char *text = NULL;

		if (machine_read(ctx, scripts[i], &text, NULL) == 0)
			return strstr(text, "default/grub.d") != NULL;
	}
	return false;
}

const char *op_plan_grub_file(struct pkram_ctx *ctx)
{
	return reads_dropins(ctx) ? GRUB_DROPIN : GRUB_FILE;
}

/* As GRUB's own language wants it. */
int op_plan_grub_form(const char *word, char **ret)
{
	char *out = malloc(2 * strlen(word) + 1), *p = out;

	if (!out)
		return -ENOMEM;
	for (; *word; word++) {
		if (strchr("$\"", *word))
			*p++ = '\\';
		*p++ = *word;
	}
	*p = '\0';
	*ret = out;
	return 0;
}

/* The variable that the line behind a note of the word changes; NULL: no note has it. */
static const char *noted_variable(const char *text, const char *word)
{
	static const char set_default[] = "GRUB_CMDLINE_LINUX_DEFAULT=";

	for (const char *l = text ? text : ""; *l; l = op_plan_next_line(l)) {
		const char *line = op_plan_next_line(l);

		if (is_note(l) && ends_with(l, op_plan_line_length(l), word))
			return memmem(line, op_plan_line_length(line), set_default,
				      strlen(set_default)) ?
				       "GRUB_CMDLINE_LINUX_DEFAULT" : "GRUB_CMDLINE_LINUX";
	}
	return NULL;
}

/* The line that puts the word in the place of the old one, wherever that stands in the variable. */
static int grub_replace(struct pkram_plan_change *c, const struct kexec_plan *p, char **ret)
{
	_cleanup_free_ char *old = NULL, *new = NULL;
	const char *v = noted_variable(c->old, p->extends);
	int r = op_plan_grub_form(p->extends, &old);

	if (r == 0)
		r = op_plan_grub_form(p->word, &new);
	if (r < 0)
		return r;
	if (!v && !strpbrk(p->extends, "'\\"))
		v = kexec_grub_variable(c->ctx, old);
	if (!v) {
		pkram_log_error(c->ctx,
				"%s is on the command line and must become %s, but GRUB's settings "
				"do not have it in that form: change it by hand",
				p->extends, p->word);
		return -EUCLEAN;
	}
	return asprintf(ret,
			"case \" $%s \" in *' %s '*) %s=\" $%s \"; "
			"%s=${%s%%%%' %s '*}' %s '${%s#*' %s '};; esac",
			v, old, v, v, v, v, old, new, v, old) < 0 ? -ENOMEM : 0;
}

static int grub_line(struct pkram_plan_change *c, const struct kexec_plan *p, char **ret)
{
	if (p->extends)
		return grub_replace(c, p, ret);
	return asprintf(ret, "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX %s\"", p->word) < 0 ?
		       -ENOMEM : 0;
}

int op_plan_grub_add(struct pkram_plan_change *c, const struct kexec_plan *p)
{
	const char *old = c->old ? c->old : "";
	bool open = *old && old[strlen(old) - 1] != '\n';
	_cleanup_free_ char *line = NULL;
	int r = grub_line(c, p, &line);

	if (r < 0)
		return r;
	if (asprintf(&c->new, "%s%s" NOTE "%s%s%s%s\n%s\n", old, open ? "\n" : "",
		     p->extends ? p->extends : "", p->extends ? OP_PLAN_ARROW : "", p->word,
		     open ? NOTE_OPEN : "", line) < 0) {
		c->new = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Less all notes and the lines behind them; NULL for a drop-in in which nothing else is. */
int op_plan_grub_remove(struct pkram_plan_change *c)
{
	char *out = strdup(c->old), *p = out, *open = NULL;

	if (!out)
		return -ENOMEM;
	for (const char *l = c->old; *l;) {
		const char *next = op_plan_next_line(l);

		if (is_note(l)) {
			if (ends_with(l, op_plan_line_length(l), NOTE_OPEN))
				open = p;
			l = op_plan_next_line(next);
			continue;
		}
		p = mempcpy(p, l, (size_t)(next - l));
		l = next;
	}
	/* The newline that was put before a note, unless others have written behind it since. */
	if (open == p && p > out)
		p--;
	*p = '\0';
	if (!*out && strcmp(c->path, GRUB_DROPIN) == 0)
		free(TAKE_PTR(out));
	c->new = out;
	return 0;
}
