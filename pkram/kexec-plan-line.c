/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that reserves a planned region: with a word more, or, where the kernel would not
 * read that one when it places itself at random, with one range more in a word that is there.
 */
#include "kexec-memmap.h"

static void on_finding(void *userdata, int priority, const char *reason, const char *remedy)
{
	const struct kexec_plan_advice *a = userdata;

	if (!remedy)
		ctx_log(a->ctx, priority, "%s", reason);
	else
		ctx_log_remedy(a->ctx, priority,
			       a->remedy ? a->remedy :
			       "change that in the boot loader's settings, reboot, and plan again",
			       "%s", reason);
}

int kexec_plan_says(struct kexec_plan_advice *advice, struct pkram_ctx **ret)
{
	int r = ctx_quiet(advice->ctx, ret);

	if (r < 0)
		return r;
	(*ret)->finding_fn = on_finding;
	(*ret)->finding_userdata = advice;
	return 0;
}

struct keeps {
	struct kexec_keep *v;
	size_t n;
};

static bool is_region(const struct kexec_memmap *e)
{
	return e->kind == KEXEC_MEMMAP_PMEM || e->kind == KEXEC_MEMMAP_CONVERT;
}

/* The new region, and what is a safe region already and must remain one. */
static int collect_keeps(struct pkram_ctx *quiet, const char *line,
			 const struct kexec_memmaps *maps, const struct kexec_keep *region,
			 struct keeps *ret)
{
	ret->v = calloc(maps->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	ret->v[ret->n++] = *region;
	for (size_t i = 0; i < maps->n; i++) {
		struct kexec_keep k = { .what = "", .phys = maps->v[i].start,
					.size = maps->v[i].size, .kind = (char)maps->v[i].kind };

		if (is_region(&maps->v[i]) && kexec_check_reservations(quiet, line, &k, 1) == 0)
			ret->v[ret->n++] = k;
	}
	return 0;
}

/* The line with ",ENTRY" at the end of the word's list, inside of its quotes. */
static int extend_word(const char *line, const struct kexec_word *w, const char *entry,
		       struct kexec_plan *p)
{
	const char *end = w->value + w->value_len;
	int head = (int)(end - line), in_word = (int)(end - w->raw);

	if (asprintf(&p->line, "%.*s,%s%s", head, line, entry, end) < 0)
		p->line = NULL;
	if (asprintf(&p->word, "%.*s,%s%.*s", in_word, w->raw, entry,
		     (int)(w->raw + w->raw_len - end), end) < 0)
		p->word = NULL;
	p->extends = strndup(w->raw, w->raw_len);
	return p->line && p->word && p->extends ? 0 : -ENOMEM;
}

static void forget_line(struct kexec_plan *p)
{
	free(p->line);
	free(p->word);
	free(p->extends);
	p->line = p->word = p->extends = NULL;
}

/* The last memmap= word of the line before `before` that can be changed. */
static bool last_memmap(const char *line, const char *settings, const char *before,
			struct kexec_word *ret)
{
	struct kexec_word w;
	bool found = false;

	while (kexec_param_next(&line, &w) && (!before || w.raw < before))
		if (w.value && !w.open && kexec_word_named(&w, "memmap") &&
		    (!settings || kexec_line_find(settings, w.raw, w.raw_len, NULL))) {
			*ret = w;
			found = true;
		}
	return found;
}

/* Joins it to a word that is there, the last one first: a list past four ranges then ends them. */
static int join_line(struct pkram_ctx *quiet, const char *line, const char *settings,
		     const char *entry, const struct keeps *keeps, struct kexec_plan *p)
{
	const char *before = NULL;
	struct kexec_word w;

	while (last_memmap(line, settings, before, &w)) {
		int r = extend_word(line, &w, entry, p);

		if (r == 0)
			r = kexec_check_reservations(quiet, p->line, keeps->v, keeps->n);
		if (r == 0)
			return 0;
		forget_line(p);
		if (r != -EUCLEAN)
			return r;
		before = w.raw;
	}
	return -EUCLEAN;
}

static int add_word(struct pkram_ctx *ctx, const char *line, const char *word,
		    const struct keeps *keeps, struct kexec_plan *p)
{
	int r = kexec_command_line(ctx, line, word, NULL, &p->line);

	if (r == 0)
		r = kexec_check_reservations(ctx, p->line, keeps->v, keeps->n);
	if (r == 0 && !(p->word = strdup(word)))
		r = -ENOMEM;
	if (r < 0)
		forget_line(p);
	return r;
}

/* A joined one was not measured yet, and each jump needs room for its mark. */
static int fits_line(struct pkram_ctx *ctx, struct kexec_plan *p)
{
	size_t n;
	char *line;
	struct kexec_plan_advice advice = { .ctx = ctx };
	struct pkram_ctx *says;
	int r = kexec_plan_says(&advice, &says);

	if (r < 0)
		return r;
	r = kexec_command_line(says, p->line, NULL, NULL, &line);
	pkram_unref(says);
	if (r < 0)
		return r;
	free(p->line);
	p->line = line;
	n = strlen(line) + KEXEC_JUMP_BYTES;
	if (n <= KEXEC_LINE_BYTES)
		return 0;
	pkram_log_refusal(ctx, "take words off it first",
			  "with %s and the mark of a jump the command line has %zu bytes, the "
			  "kernel reads %u", p->word, n, KEXEC_LINE_BYTES);
	return -E2BIG;
}

static unsigned int count_words(const char *line)
{
	return kexec_kaslr_read(line).words;
}

/* Where no word can be made longer. */
static bool all_fixed(const struct kexec_plan_machine *m)
{
	struct kexec_word w;

	return count_words(m->line) && m->settings &&
	       !last_memmap(m->line, m->settings, NULL, &w);
}

/* Whether nokaslr would do. */
static bool nokaslr_helps(struct pkram_ctx *quiet, const char *line, const char *word,
			  const struct keeps *keeps, struct kexec_plan *p)
{
	char words[KEXEC_MEMMAP_TEXT + 16];
	int r;

	snprintf(words, sizeof(words), "nokaslr %s", word);
	r = add_word(quiet, line, words, keeps, p);
	forget_line(p);
	return r == 0;
}

/* Says why that is the result. */
static int explain(struct pkram_ctx *ctx, struct pkram_ctx *quiet, int r,
		   const struct kexec_plan_machine *m, const char *word, const struct keeps *keeps,
		   struct kexec_plan *p)
{
	struct kexec_plan_advice advice = { .ctx = ctx };
	struct pkram_ctx *says;

	if (r == -EUCLEAN && all_fixed(m)) {
		pkram_log_refusal(ctx, "set them there, joined with commas, or nokaslr, and reboot "
				  "first",
				  "behind %u memmap= words the kernel may not read one more when "
				  "it places itself at random, and the boot loader's settings do "
				  "not have those: none can be made longer", count_words(m->line));
		return -EUCLEAN;
	}
	if (r == -EUCLEAN && nokaslr_helps(quiet, m->line, word, keeps, p))
		advice.remedy = "set nokaslr in the boot loader's settings, reboot, and plan again";
	r = kexec_plan_says(&advice, &says);
	if (r < 0)
		return r;
	r = add_word(says, m->line, word, keeps, p);
	pkram_unref(says);
	return r;
}

/* A fifth word holds with nokaslr only, and that may go one day: a longer one holds by itself. */
static int make_line(struct pkram_ctx *ctx, struct pkram_ctx *quiet,
		     const struct kexec_plan_machine *m, const struct kexec_memmap *e,
		     const struct keeps *keeps, struct kexec_plan *p)
{
	const char *line = m->line;
	bool full = count_words(line) >= KASLR_RANGES;
	char word[KEXEC_MEMMAP_TEXT];
	int r;

	kexec_memmap_word(e, word);
	r = full ? -EUCLEAN : add_word(quiet, line, word, keeps, p);
	if (r == -EUCLEAN)
		r = join_line(quiet, line, m->settings, word + strlen("memmap="), keeps, p);
	if (r == -EUCLEAN && full) {
		r = add_word(quiet, line, word, keeps, p);
		if (r == 0)
			pkram_log_warning(ctx, "the command line then has %u memmap= words: the "
					  "kernel keeps clear of all of them only as long as it "
					  "does not place itself at random (nokaslr)",
					  count_words(p->line));
	}
	if (r < 0 && r != -ENOMEM)
		r = explain(ctx, quiet, r, m, word, keeps, p);
	if (r == 0)
		r = fits_line(ctx, p);
	if (r == 0)
		p->kaslr_off = kexec_kaslr_off(p->line) && !kexec_kaslr_off(line);
	return r;
}

int kexec_plan_line(struct pkram_ctx *ctx, const struct kexec_plan_machine *m,
		    const struct kexec_memmaps *maps, const struct kexec_memmap *region,
		    struct kexec_plan *p)
{
	struct kexec_keep keep = { .what = "the planned region", .phys = region->start,
				   .size = region->size, .kind = (char)region->kind };
	struct keeps keeps = { 0 };
	struct pkram_ctx *quiet;
	int r = ctx_quiet(ctx, &quiet);

	if (r < 0)
		return r;
	r = collect_keeps(quiet, m->line, maps, &keep, &keeps);
	if (r == 0)
		r = make_line(ctx, quiet, m, region, &keeps, p);
	if (r < 0)
		forget_line(p);
	free(keeps.v);
	pkram_unref(quiet);
	return r;
}

void kexec_plan_done(struct kexec_plan *p)
{
	forget_line(p);
}
