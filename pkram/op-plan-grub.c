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
#define NOTE_DIR " (no directory before)"

static bool ends_with(const char *line, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(line + len - n, end, n) == 0;
}

static bool is_note(const char *line)
{
	return strncmp(line, NOTE, strlen(NOTE)) == 0;
}

/* Up to the end of the word. */
static size_t note_length(const char *line)
{
	size_t len = op_plan_line_length(line);

	if (ends_with(line, len, NOTE_OPEN))
		return len - strlen(NOTE_OPEN);
	return len - (ends_with(line, len, NOTE_DIR) ? strlen(NOTE_DIR) : 0);
}

static int take_note(const char *line, struct op_plan_words *w)
{
	return op_plan_take_note(line + strlen(NOTE), note_length(line) - strlen(NOTE), w);
}

const char *op_plan_grub_file(struct pkram_ctx *ctx)
{
	return kexec_grub_reads_dropins(ctx) ? GRUB_DROPIN : GRUB_FILE;
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

/* The line that adds the word, or puts it in the place of the old one, wherever that stands. */
static int line_of(const char *v, const char *old_word, const char *word, char **ret)
{
	_cleanup_free_ char *old = NULL, *new = NULL;
	int r = 0;

	if (!old_word)
		return asprintf(ret, "%s=\"$%s %s\"", v, v, word) < 0 ? -ENOMEM : 0;
	r = op_plan_grub_form(old_word, &old);
	if (r == 0)
		r = op_plan_grub_form(word, &new);
	if (r < 0)
		return r;
	return kexec_grub_replacing(v, old, new, ret);
}

static int variable_of(struct pkram_ctx *ctx, const struct kexec_plan *p, const char **ret)
{
	int r;

	*ret = "GRUB_CMDLINE_LINUX";
	if (!p->extends)
		return 0;
	r = strpbrk(p->extends, "'\"\\") ? -ENODATA : kexec_grub_variable(ctx, p->extends, ret);
	if (r != -ENODATA)
		return r;
	pkram_log_error(ctx,
			"%s is on the command line and must become %s, but GRUB's settings do not "
			"have it in that form: change it by hand", p->extends, p->word);
	return -EUCLEAN;
}

/* Of a machine that starts boot entries, too, whose words may differ from these. */
static int has_word(struct pkram_ctx *ctx, const char *word)
{
	const char *v;
	int r = kexec_grub_variable(ctx, word, &v);

	return r == 0 ? 1 : r == -ENODATA ? 0 : r;
}

int op_plan_grub_add(struct pkram_plan_change *c, const struct kexec_plan *p)
{
	_cleanup_free_ char *line = NULL, *note = op_plan_note(p);
	const char *old, *v;
	struct op_plan_file *f;
	bool open, no_dir;
	int r = note ? has_word(c->ctx, p->word) : -ENOMEM;

	if (r != 0)
		return MIN(r, 0);
	r = variable_of(c->ctx, p, &v);
	if (r == 0)
		r = line_of(v, p->extends, p->word, &line);
	if (r == 0)
		r = op_plan_open(c, op_plan_grub_file(c->ctx), &f);
	if (r < 0)
		return r;
	old = f->old ? f->old : "";
	open = *old && old[strlen(old) - 1] != '\n';
	no_dir = strcmp(f->path, GRUB_DROPIN) == 0 && !machine_exists(c->ctx, GRUB_DIR);
	if (asprintf(&f->new, "%s%s" NOTE "%s%s\n%s\n", old, open ? "\n" : "", note,
		     open ? NOTE_OPEN : no_dir ? NOTE_DIR : "", line) >= 0)
		return 0;
	f->new = NULL;
	return -ENOMEM;
}

/* --- taking it away --- */

static bool line_has(const char *line, const char *text)
{
	return memmem(line, op_plan_line_length(line), text, strlen(text)) != NULL;
}

/* 1: this is the line that was written for the word; 0: it is another one. */
static int is_written(const char *line, const struct op_plan_word *one)
{
	static const char *const names[] = { "GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT" };
	size_t len = op_plan_line_length(line);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *want = NULL;
		int r = line_of(names[i], one->old, one->word, &want);

		if (r < 0) {
			want = NULL;
			return r;
		}
		if (strlen(want) == len && memcmp(want, line, len) == 0)
			return 1;
	}
	return 0;
}

/*
 * Whether the line behind a note goes with it: 1, or 0: somebody else's. -EUCLEAN (logged): it was
 * edited, and still gives the word.
 */
static int goes_with_note(struct pkram_ctx *ctx, const char *path, const char *note,
			  const char *line)
{
	_cleanup_(op_plan_words_done) struct op_plan_words w = { 0 };
	_cleanup_free_ char *form = NULL;
	int r = take_note(note, &w);

	if (r == 0)
		r = op_plan_grub_form(w.v[0].word, &form);
	if (r == 0)
		r = is_written(line, &w.v[0]);
	if (r != 0 || !*line || is_note(line))
		return r;
	if (line_has(line, w.v[0].word) || line_has(line, form)) {
		pkram_log_error(ctx,
				"%s: the line behind the note of %s has been edited since: take "
				"both away by hand", path, w.v[0].word);
		return -EUCLEAN;
	}
	pkram_log_warning(ctx, "%s: the line behind the note of %s is not pkram's, and stays",
			  path, w.v[0].word);
	return 0;
}

/* Less all notes and their lines; NULL for a drop-in in which nothing else is. */
static int remove_notes(struct pkram_ctx *ctx, struct op_plan_file *f)
{
	char *out = strdup(f->old), *p = out, *open = NULL;

	f->new = out;
	if (!out)
		return -ENOMEM;
	for (const char *l = f->old, *next; *l; l = next) {
		int r;

		next = op_plan_next_line(l);
		if (!is_note(l)) {
			p = mempcpy(p, l, (size_t)(next - l));
			continue;
		}
		if (ends_with(l, op_plan_line_length(l), NOTE_OPEN))
			open = p;
		f->own_dir |= ends_with(l, op_plan_line_length(l), NOTE_DIR);
		r = goes_with_note(ctx, f->path, l, next);
		if (r < 0)
			return r;
		if (r > 0)
			next = op_plan_next_line(next);
	}
	/* The newline that was put before a note, unless others have written behind it since. */
	if (open == p && p > out)
		p--;
	*p = '\0';
	if (!*out && strcmp(f->path, GRUB_DROPIN) == 0)
		free(TAKE_PTR(f->new));
	return 0;
}

static bool has_note(const char *text)
{
	for (const char *l = text ? text : ""; *l; l = op_plan_next_line(l))
		if (is_note(l))
			return true;
	return false;
}

/* Which of the two was written may have changed since. */
int op_plan_grub_remove(struct pkram_plan_change *c)
{
	static const char *const files[] = { GRUB_FILE, GRUB_DROPIN };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct op_plan_file *f;
		int r = op_plan_open(c, files[i], &f);

		if (r < 0)
			return r;
		if (!has_note(f->old))
			op_plan_leave(c);
		else
			r = remove_notes(c->ctx, f);
		if (r < 0)
			return r;
	}
	return 0;
}
