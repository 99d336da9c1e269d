/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boot entries, whose options are edited where they stand: to have kernel-install make them anew
 * may put another one in the place of the default, and more beside those that it did not make; and
 * the command line that it gives to those of kernels to come. Neither has room for notes: what was
 * added is noted in a file beside the latter.
 */
#include "machine.h"
#include "op-plan.h"

#define NOTES_FILE KEXEC_INSTALL_FILE ".pkram"
#define NOTE_CREATED "created"		/* the file is there for the words alone */
#define NOTE_DIR "created with its directory"
#define BLANKS " \t\f\v\r\n"

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

/* --- texts, and where words have their place in them --- */

/* The text with blanks for comments. */
static char *without_comments(const char *text)
{
	char *flat = strdup(text);

	for (char *l = flat; l && *l; l += strcspn(l, "\n"), l += *l == '\n')
		if (l[strspn(l, " \t\f\v\r")] == '#')
			memset(l, ' ', strcspn(l, "\n"));
	return flat;
}

/* The text of a boot entry with blanks for all but its options. */
static char *options_alone(const char *text)
{
	static const char key[] = "options";
	char *flat = strdup(text);

	for (char *l = flat, *end; l && *l; l = end) {
		char *k = l + strspn(l, " \t"), *value = k + strcspn(k, BLANKS);
		bool options = (size_t)(value - k) == strlen(key) &&
			       memcmp(k, key, strlen(key)) == 0;

		end = strchrnul(l, '\n');
		end += *end == '\n';
		memset(l, ' ', (size_t)((options ? value : end) - l));
	}
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

/* --- adding --- */

/* Behind the last parameter; else before what "--" ends, or at the end. */
static int append_word(const char *text, const char *flat, const char *word, char **ret)
{
	size_t len = strlen(text), at = strspn(flat, BLANKS);
	const char *p = flat;
	struct kexec_word w;

	while (kexec_param_next(&p, &w))
		continue;
	if (p > flat)
		return put_word(text, (size_t)(p - flat), " ", word, "", (size_t)(p - flat), ret);
	if (flat[at])
		return put_word(text, at, "", word, " ", at, ret);
	at = len - (len && text[len - 1] == '\n');
	return put_word(text, at, len ? "\n" : "", word, "", at, ret);
}

static int not_closed(struct pkram_ctx *ctx, const char *path, const struct kexec_word *w)
{
	pkram_log_error(ctx, "%s: has a quote that is not closed: %.*s: a word behind it would be "
			"part of that: close it first", path, (int)strcspn(w->raw, "\n"), w->raw);
	return -EUCLEAN;
}

static int change_text(struct pkram_ctx *ctx, const struct op_plan_file *f, const char *text,
		       const char *flat, const struct kexec_plan *p, char **ret)
{
	const char *rest = flat;
	struct kexec_word w;
	size_t at;

	while (kexec_param_next(&rest, &w))
		if (w.open)
			return not_closed(ctx, f->path, &w);
	if (!p->extends)
		return append_word(text, flat, p->word, ret);
	if (!kexec_line_find(flat, p->extends, strlen(p->extends), &w)) {
		pkram_log_error(ctx, "%s: %s is on the command line and must become %s, but does "
				"not stand there: change it by hand", f->path, p->extends, p->word);
		return -EUCLEAN;
	}
	at = (size_t)(w.raw - flat);
	return put_word(text, at, "", p->word, "", at + w.raw_len, ret);
}

static int check_length(struct pkram_ctx *ctx, const struct op_plan_file *f, const char *line,
			const char *word)
{
	if (strlen(line) <= KEXEC_LINE_BYTES)
		return 0;
	pkram_log_error(ctx, "%s: with %s it has %zu bytes, and the kernel reads %u: make it "
			"shorter first", f->path, word, strlen(line), KEXEC_LINE_BYTES);
	return -E2BIG;
}

/* Whether the kernel would read it, whichever systemd made the entry. */
static int check_install(struct pkram_ctx *ctx, const struct op_plan_file *f, const char *word)
{
	int readings = 1 + kexec_install_keeps_comments(ctx);

	for (int comments = 0; comments < readings; comments++) {
		_cleanup_free_ char *line = kexec_install_line(f->new, comments);
		int r = line ? check_length(ctx, f, line, word) : -ENOMEM;

		if (r < 0)
			return r;
		if (!kexec_line_find(line, word, strlen(word), NULL)) {
			pkram_log_error(ctx, "%s: systemd before 257 takes its comments for words, "
					"and the kernel would not read what is behind them: take "
					"them away first", f->path);
			return -EUCLEAN;
		}
	}
	return 0;
}

static int add_to_install(struct pkram_plan_change *c, const struct kexec_plan *p,
			  bool *ret_created)
{
	_cleanup_free_ char *base = NULL, *flat = NULL;
	struct op_plan_file *f;
	const char *text;
	int r = op_plan_open(c, KEXEC_INSTALL_FILE, &f);

	if (r == 0 && !f->old)
		r = kexec_install_base(c->ctx, &base);
	if (r < 0)
		return r;
	*ret_created = base;
	text = base ? base : f->old;
	flat = without_comments(text);
	if (!flat)
		return -ENOMEM;
	r = change_text(c->ctx, f, text, flat, p, &f->new);
	return r == 0 ? check_install(c->ctx, f, p->word) : r;
}

struct adding {
	struct pkram_plan_change *c;
	const struct kexec_plan *plan;
	size_t n;	/* entries that have the word, or get it */
};

static int change_entry(struct pkram_ctx *ctx, struct op_plan_file *f, const char *flat,
			const struct kexec_plan *p)
{
	_cleanup_free_ char *options = NULL, *line = NULL;
	int r;

	/* Kernels to come have it, too, and not what stands beside it here. */
	if (kexec_line_find(flat, "$kernelopts", strlen("$kernelopts"), NULL)) {
		pkram_log_error(ctx, "%s: has the words of GRUB's variable kernelopts: add %s to "
				"GRUB_CMDLINE_LINUX in /etc/default/grub by hand, and run "
				"grub2-mkconfig", f->path, p->word);
		return -EOPNOTSUPP;
	}
	r = change_text(ctx, f, f->old, flat, p, &f->new);
	if (r < 0)
		return r;
	options = options_alone(f->new);
	line = options ? kexec_install_line(options, true) : NULL;
	return line ? check_length(ctx, f, line, p->word) : -ENOMEM;
}

/* Without options, it starts an image that has them inside, or a kernel that is given none. */
static int add_to_entry(void *arg, const char *path)
{
	struct adding *a = arg;
	_cleanup_free_ char *flat = NULL;
	struct op_plan_file *f;
	int r = op_plan_open(a->c, path, &f);
	bool has;

	if (r < 0)
		return r;
	flat = options_alone(f->old ? f->old : "");
	if (!flat)
		return -ENOMEM;
	has = kexec_line_find(flat, a->plan->word, strlen(a->plan->word), NULL);
	if (has || !flat[strspn(flat, BLANKS)]) {
		a->n += has;
		op_plan_leave(a->c);
		return 0;
	}
	a->n++;
	return change_entry(a->c->ctx, f, flat, a->plan);
}

static int add_to_entries(struct pkram_plan_change *c, const struct kexec_plan *p)
{
	struct adding a = { .c = c, .plan = p };
	int r = kexec_boot_entry_files(c->ctx, false, add_to_entry, &a);

	if (r < 0 || a.n)
		return r;
	pkram_log_error(c->ctx, "no boot entry has a line of options, as unified kernel images "
			"have their words inside: add %s to " KEXEC_INSTALL_FILE " by hand, and "
			"make them anew", p->word);
	return -EOPNOTSUPP;
}

static bool has_line(const char *text, const char *line)
{
	for (const char *l = text; *l; l = op_plan_next_line(l))
		if (line_is(l, op_plan_line_length(l), line))
			return true;
	return false;
}

/* A word that was taken out by hand since has its note already. */
static int put_note(struct op_plan_file *notes, const struct kexec_plan *p, bool created,
		    bool no_dir)
{
	_cleanup_free_ char *note = op_plan_note(p);
	const char *old = notes->old ? notes->old : "";
	bool there = note && has_line(old, note);

	if (note && asprintf(&notes->new, "%s%s%s%s", old,
			     !created ? "" : no_dir ? NOTE_DIR "\n" : NOTE_CREATED "\n",
			     there ? "" : note, there ? "" : "\n") >= 0)
		return 0;
	notes->new = NULL;
	return -ENOMEM;
}

/* Notes of what is not there yet do no harm; words without notes could not be taken back. */
int op_plan_entry_add(struct pkram_plan_change *c, const struct kexec_plan *p)
{
	struct op_plan_file *notes;
	bool created;
	int r = op_plan_open(c, NOTES_FILE, &notes);

	if (r == 0)
		r = add_to_install(c, p, &created);
	if (r == 0)
		r = add_to_entries(c, p);
	return r == 0 ? put_note(notes, p, created, !machine_exists(c->ctx, "/etc/kernel")) : r;
}

/* --- taking it away --- */

/* 1: it was there. */
static int take_word(const struct op_plan_word *one, char *(*words_of)(const char *text),
		     char **text)
{
	_cleanup_free_ char *flat = words_of(*text);
	struct kexec_word w;
	size_t at, end;
	char *now;
	int r;

	if (!flat)
		return -ENOMEM;
	if (!kexec_line_find(flat, one->word, strlen(one->word), &w))
		return 0;
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
	return 1;
}

static int take_from_install(struct pkram_plan_change *c, const struct notes *n)
{
	_cleanup_free_ char *text = NULL, *base = NULL;
	struct op_plan_file *f;
	int r = op_plan_open(c, KEXEC_INSTALL_FILE, &f);

	if (r < 0 || !f->old)
		return r;
	text = strdup(f->old);
	if (!text)
		return -ENOMEM;
	for (size_t i = n->words.n; i > 0; i--) {
		const struct op_plan_word *one = &n->words.v[i - 1];

		r = take_word(one, without_comments, &text);
		if (r < 0)
			return r;
		if (r == 0)
			pkram_log_warning(c->ctx, "%s: has no %s any more; what stands there stays",
					  f->path, one->word);
	}
	r = kexec_install_base(c->ctx, &base);
	/* Not where kernel-install would then take the running line, which may have the words. */
	if (r == 0 && (!n->created || strcmp(text, base) != 0))
		f->new = TAKE_PTR(text);
	return r;
}

struct taking {
	struct pkram_plan_change *c;
	const struct notes *notes;
};

/* From those that were made since, too, and so from one that had the word before. */
static int take_from_entry(void *arg, const char *path)
{
	const struct taking *t = arg;
	struct op_plan_file *f;
	bool taken = false;
	int r = op_plan_open(t->c, path, &f);

	if (r == 0) {
		f->new = strdup(f->old ? f->old : "");
		r = f->new ? 0 : -ENOMEM;
	}
	for (size_t i = t->notes->words.n; i > 0 && r >= 0; i--) {
		r = take_word(&t->notes->words.v[i - 1], options_alone, &f->new);
		taken |= r > 0;
	}
	if (r >= 0 && !taken)
		op_plan_leave(t->c);
	return MIN(r, 0);
}

int op_plan_entry_remove(struct pkram_plan_change *c)
{
	_cleanup_(notes_done) struct notes n = { 0 };
	_cleanup_free_ char *text = NULL;
	struct taking t = { .c = c, .notes = &n };
	struct op_plan_file *f;
	int r = machine_read_text(c->ctx, NOTES_FILE, &text);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = read_notes(text, &n);
	if (r == 0)
		r = take_from_install(c, &n);
	if (r == 0)
		r = kexec_boot_entry_files(c->ctx, true, take_from_entry, &t);
	/* Last: see op_plan_entry_add(). */
	if (r == 0)
		r = op_plan_open(c, NOTES_FILE, &f);
	if (r == 0)
		f->own_dir = n.own_dir;
	return r;
}
