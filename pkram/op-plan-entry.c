/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that kernel-install gives to boot entries. Its file has no room for notes: what
 * was added to it is noted in a file beside it.
 */
#include "machine.h"
#include "op-plan.h"

#define NOTES_FILE KEXEC_INSTALL_FILE ".pkram"
#define NOTE_CREATED "created"		/* the file is there for the words alone */
#define NOTE_DIR "created with its directory"

struct notes {
	struct op_plan_words words;
	bool created, own_dir;
};

static void notes_done(struct notes *n)
{
	op_plan_words_done(&n->words);
}

static bool line_is(const char *line, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(line, text, len) == 0;
}

static int read_notes(const char *text, struct notes *n)
{
	int r = 0;

	for (const char *l = text; *l && r == 0; l = op_plan_next_line(l)) {
		size_t len = op_plan_line_length(l);

		n->own_dir |= line_is(l, len, NOTE_DIR);
		if (line_is(l, len, NOTE_CREATED) || line_is(l, len, NOTE_DIR))
			n->created = true;
		else if (len)
			r = op_plan_take_note(l, len, &n->words);
	}
	return r;
}

/* --- adding --- */

/* The text with blanks for comments: what stands in it has its place in the text. */
static char *without_comments(const char *text)
{
	char *flat = strdup(text);

	for (char *l = flat; l && *l; l += strcspn(l, "\n"), l += *l == '\n')
		if (l[strspn(l, " \t\f\v\r")] == '#')
			memset(l, ' ', strcspn(l, "\n"));
	return flat;
}

static int put_word(const char *text, size_t at, const char *before, const char *word,
		    const char *behind, size_t rest, char **ret)
{
	if (asprintf(ret, "%.*s%s%s%s%s", (int)at, text, before, word, behind, text + rest) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

/* Behind the last parameter; else before what "--" ends, or at the end. */
static int append_word(const char *text, const char *flat, const char *word, char **ret)
{
	size_t len = strlen(text), at = strspn(flat, " \t\f\v\r\n");
	const char *p = flat;
	struct kexec_word w;

	while (kexec_param_next(&p, &w))
		continue;
	if (p > flat)
		return put_word(text, (size_t)(p - flat), " ", word, "", (size_t)(p - flat), ret);
	if (!flat[at])
		at = len - (len && text[len - 1] == '\n');
	else if (at == 0)
		return put_word(text, 0, "", word, " ", 0, ret);
	else
		at--;
	return put_word(text, at, len ? "\n" : "", word, "", at, ret);
}

static int not_closed(struct pkram_ctx *ctx, const struct kexec_word *w)
{
	pkram_log_error(ctx, KEXEC_INSTALL_FILE ": has a quote that is not closed: %.*s: a word "
			"behind it would be part of that: close it first",
			(int)strcspn(w->raw, "\n"), w->raw);
	return -EUCLEAN;
}

static int change_text(struct pkram_ctx *ctx, const char *text, const struct kexec_plan *p,
		       char **ret)
{
	_cleanup_free_ char *flat = without_comments(text);
	const char *rest = flat;
	struct kexec_word w;
	size_t at;

	if (!flat)
		return -ENOMEM;
	while (kexec_param_next(&rest, &w))
		if (w.open)
			return not_closed(ctx, &w);
	if (!p->extends)
		return append_word(text, flat, p->word, ret);
	if (!kexec_line_find(flat, p->extends, strlen(p->extends), &w)) {
		pkram_log_error(ctx, KEXEC_INSTALL_FILE ": %s is on the command line and must "
				"become %s, but does not stand there: change it by hand",
				p->extends, p->word);
		return -EUCLEAN;
	}
	at = (size_t)(w.raw - flat);
	return put_word(text, at, "", p->word, "", at + w.raw_len, ret);
}

/* Whether the kernel would read it, whichever systemd made the entry. */
static int check_text(struct pkram_ctx *ctx, const char *text, const char *word)
{
	int readings = 1 + kexec_install_keeps_comments(ctx);

	for (int comments = 0; comments < readings; comments++) {
		_cleanup_free_ char *line = kexec_install_line(text, comments);

		if (!line)
			return -ENOMEM;
		if (strlen(line) > KEXEC_LINE_BYTES) {
			pkram_log_error(ctx, KEXEC_INSTALL_FILE ": with %s it has %zu bytes, and "
					"the kernel reads %u: make it shorter first", word,
					strlen(line), KEXEC_LINE_BYTES);
			return -E2BIG;
		}
		if (!kexec_line_find(line, word, strlen(word), NULL)) {
			pkram_log_error(ctx, KEXEC_INSTALL_FILE ": systemd before 257 takes its "
					"comments for words, and the kernel would not read what "
					"is behind them: take them away first");
			return -EUCLEAN;
		}
	}
	return 0;
}

static bool has_line(const char *text, const char *line)
{
	for (const char *l = text; *l; l = op_plan_next_line(l))
		if (line_is(l, op_plan_line_length(l), line))
			return true;
	return false;
}

/* A word that was taken out by hand since has its note already. */
static int put_note(const struct op_plan_file *f, struct op_plan_file *notes,
		    const struct kexec_plan *p, bool no_dir)
{
	_cleanup_free_ char *note = op_plan_note(p);
	const char *old = notes->old ? notes->old : "";
	bool there = note && has_line(old, note);

	if (note && asprintf(&notes->new, "%s%s%s%s", old,
			     f->old ? "" : no_dir ? NOTE_DIR "\n" : NOTE_CREATED "\n",
			     there ? "" : note, there ? "" : "\n") >= 0)
		return 0;
	notes->new = NULL;
	return -ENOMEM;
}

/* Notes of what is not there yet do no harm; words without notes could not be taken back. */
int op_plan_entry_add(struct pkram_plan_change *c, const struct kexec_plan *p)
{
	_cleanup_free_ char *base = NULL;
	struct op_plan_file *notes, *f;
	int r = op_plan_open(c, NOTES_FILE, &notes);

	if (r == 0)
		r = op_plan_open(c, KEXEC_INSTALL_FILE, &f);
	if (r == 0 && !f->old)
		r = kexec_install_base(c->ctx, &base);
	if (r == 0)
		r = change_text(c->ctx, f->old ? f->old : base, p, &f->new);
	if (r == 0)
		r = check_text(c->ctx, f->new, p->word);
	return r == 0 ? put_note(f, notes, p, !machine_exists(c->ctx, "/etc/kernel")) : r;
}

/* --- taking it away --- */

static int take_word(struct pkram_plan_change *c, const struct op_plan_word *one, char **text)
{
	_cleanup_free_ char *flat = without_comments(*text);
	struct kexec_word w;
	size_t at, end;
	char *now;
	int r;

	if (!flat)
		return -ENOMEM;
	if (!kexec_line_find(flat, one->word, strlen(one->word), &w)) {
		pkram_log_warning(c->ctx, KEXEC_INSTALL_FILE ": has no %s any more; what stands "
				  "there stays", one->word);
		return 0;
	}
	at = (size_t)(w.raw - flat);
	end = at + w.raw_len;
	/* It came with one blank: the one before, if there was room for one. */
	if (!one->old && at)
		at--;
	else if (!one->old && flat[end] == ' ')
		end++;
	r = put_word(*text, at, "", one->old ? one->old : "", "", end, &now);
	if (r < 0)
		return r;
	free(*text);
	*text = now;
	return 0;
}

static int take_words(struct pkram_plan_change *c, const struct notes *n, struct op_plan_file *f)
{
	_cleanup_free_ char *text = strdup(f->old), *base = NULL;
	int r = text ? 0 : -ENOMEM;

	for (size_t i = n->words.n; i > 0 && r == 0; i--)
		r = take_word(c, &n->words.v[i - 1], &text);
	if (r == 0)
		r = kexec_install_base(c->ctx, &base);
	/* Not where kernel-install would then take the running line, which may have the words. */
	if (r == 0 && (!n->created || strcmp(text, base) != 0))
		f->new = TAKE_PTR(text);
	return r;
}

int op_plan_entry_remove(struct pkram_plan_change *c)
{
	_cleanup_(notes_done) struct notes n = { 0 };
	struct op_plan_file *f, *notes;
	int r = op_plan_open(c, KEXEC_INSTALL_FILE, &f);

	if (r == 0)
		r = op_plan_open(c, NOTES_FILE, &notes);
	if (r < 0)
		return r;
	if (!notes->old) {
		op_plan_leave(c);
		op_plan_leave(c);
		return 0;
	}
	r = read_notes(notes->old, &n);
	notes->own_dir = n.own_dir;
	return r == 0 && f->old ? take_words(c, &n, f) : r;
}
