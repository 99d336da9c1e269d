/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that kernel-install gives to boot entries. Its file has no room for notes: what
 * was added to it is noted in a file beside it.
 */
#include "op-plan.h"

#define ENTRY_DEFAULT "/usr/lib/kernel/cmdline"
#define NOTE_CREATED "created"

int op_plan_entry_words(const char *text, struct op_plan_words *w)
{
	int r = 0;

	for (const char *l = text ? text : ""; *l && r == 0; l = op_plan_next_line(l)) {
		size_t len = op_plan_line_length(l);

		if (len == strlen(NOTE_CREATED) && memcmp(l, NOTE_CREATED, len) == 0)
			w->created = true;
		else if (len)
			r = op_plan_take_note(l, len, w);
	}
	return r;
}

/* --- boot entries --- */

/* What kernel-install would take without the file. */
static int entry_base(struct pkram_ctx *ctx, char **ret)
{
	_cleanup_free_ char *line = NULL;
	int r = op_plan_read_text(ctx, ENTRY_DEFAULT, ret);

	if (r < 0 || *ret)
		return r;
	r = kexec_command_line(ctx, NULL, NULL, NULL, &line);
	if (r < 0)
		return r;
	return asprintf(ret, "%s\n", line) < 0 ? -ENOMEM : 0;
}

static int put_word(const char *text, const char *at, const char *space, const char *word,
		    const char *rest, char **ret)
{
	return asprintf(ret, "%.*s%s%s%s", (int)(at - text), text, space, word, rest) < 0 ?
		       -ENOMEM : 0;
}

static int not_there(struct pkram_ctx *ctx, const char *word)
{
	pkram_log_error(ctx, OP_PLAN_ENTRY_FILE ": has no %s any more: change it by hand", word);
	return -EUCLEAN;
}

int op_plan_entry_add(struct pkram_plan_change *c, const struct kexec_plan *p)
{
	_cleanup_free_ char *base = NULL;
	const char *text, *end;
	struct kexec_word w;
	int r;

	r = c->old ? 0 : entry_base(c->ctx, &base);
	if (r < 0)
		return r;
	text = end = c->old ? c->old : base;
	if (p->extends && !kexec_line_find(text, p->extends, strlen(p->extends), &w))
		return not_there(c->ctx, p->extends);
	while (kexec_param_next(&end, &w) && !(p->extends && w.raw_len == strlen(p->extends) &&
					       memcmp(w.raw, p->extends, w.raw_len) == 0))
		continue;
	r = p->extends ? put_word(text, w.raw, "", p->word, w.raw + w.raw_len, &c->new) :
			 put_word(text, end, " ", p->word, end, &c->new);
	if (r == 0 && asprintf(&c->new_notes, "%s%s%s%s%s\n", c->old_notes ? c->old_notes : "",
			       c->old ? "" : NOTE_CREATED "\n", p->extends ? p->extends : "",
			       p->extends ? OP_PLAN_ARROW : "", p->word) < 0) {
		c->new_notes = NULL;
		r = -ENOMEM;
	}
	return r;
}

static int entry_take(struct pkram_plan_change *c, const struct op_plan_word *one, char **text)
{
	struct kexec_word w;
	const char *from;
	char *now;
	int r;

	if (!kexec_line_find(*text, one->word, strlen(one->word), &w))
		return not_there(c->ctx, one->word);
	from = w.raw - (!one->old && w.raw > *text);
	r = put_word(*text, one->old ? w.raw : from, "", one->old ? one->old : "",
		     w.raw + w.raw_len, &now);
	if (r < 0)
		return r;
	free(*text);
	*text = now;
	return 0;
}

int op_plan_entry_remove(struct pkram_plan_change *c, const struct op_plan_words *words)
{
	_cleanup_free_ char *text = strdup(c->old ? c->old : ""), *base = NULL;
	int r = text ? 0 : -ENOMEM;

	for (size_t i = words->n; i > 0 && r == 0; i--)
		r = entry_take(c, &words->v[i - 1], &text);
	if (r == 0)
		r = entry_base(c->ctx, &base);
	if (r < 0)
		return r;
	/* Not where kernel-install would then take the running line, which may have the words. */
	if (!words->created || strcmp(text, base) != 0)
		c->new = TAKE_PTR(text);
	return 0;
}
