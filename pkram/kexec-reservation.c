/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proving that a line reserves what must be kept.
 *
 * Two readers see the line. The kernel itself makes its memory map of all the words. Before that,
 * its decompressor looks for a place at random (kexec-kaslr.c). A region must be safe from both,
 * and the kernel must come up: from the firmware's reset that follows, nothing may come back.
 *
 * What is not understood, or not known to be harmless, is refused: a false alarm costs a word on
 * the line. Which those are: tests/lines/refusals.
 */
#include "kexec-memmap.h"

#include <ctype.h>
#include <inttypes.h>

struct text {
	char s[KEXEC_MEMMAP_TEXT];
};

static struct text number_text(uint64_t v)
{
	static const char units[] = "KMGT";
	struct text t;
	int unit = -1;

	while (unit < 3 && v && v % 1024 == 0) {
		v /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(t.s, sizeof(t.s), "%#" PRIx64, v);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "%c", v, units[unit]);
	return t;
}

static struct text memmap_text(const struct kexec_memmap *m)
{
	struct text t, size = number_text(m->size), start = number_text(m->start);
	int n;

	if (m->kind == KEXEC_MEMMAP_LIMIT) {
		snprintf(t.s, sizeof(t.s), "%s=%.24s", m->by_mem ? "mem" : "memmap", size.s);
		return t;
	}
	n = snprintf(t.s, sizeof(t.s), "memmap=%.24s%c%.24s", size.s, m->kind, start.s);
	if (m->old_type)
		n += snprintf(t.s + n, sizeof(t.s) - (size_t)n, "-%u", m->old_type);
	if (m->new_type)
		snprintf(t.s + n, sizeof(t.s) - (size_t)n, "+%#x", m->new_type);
	return t;
}

void kexec_memmap_word(const struct kexec_memmap *m, char buf[static KEXEC_MEMMAP_TEXT])
{
	struct text t = memmap_text(m);

	memcpy(buf, t.s, sizeof(t.s));
}

struct kexec_memmap kexec_memmap_reserving(char kind, uint64_t start, uint64_t size)
{
	struct kexec_memmap m = { .kind = (enum kexec_memmap_kind)kind, .start = start,
				  .size = size };

	if (m.kind == KEXEC_MEMMAP_CONVERT) {
		m.old_type = KEXEC_E820_RAM;
		m.new_type = KEXEC_E820_SOFT_RESERVED;
	}
	return m;
}

/* The word that would do. */
static struct text wanted_text(const struct kexec_keep *keep)
{
	struct kexec_memmap m = kexec_memmap_reserving(keep->kind, keep->phys, keep->size);

	return memmap_text(&m);
}

static bool same_range(const struct kexec_memmap *m, const struct kexec_keep *keep)
{
	return m->start == keep->phys && m->size == keep->size;
}

/* '%' that makes Soft Reserved of RAM, or of anything. */
static bool reserves(const struct kexec_memmap *m, const struct kexec_keep *keep)
{
	if (!keep->kind || m->kind != (enum kexec_memmap_kind)keep->kind || !same_range(m, keep))
		return false;
	return m->kind != KEXEC_MEMMAP_CONVERT ||
	       (m->old_type <= KEXEC_E820_RAM && m->new_type == KEXEC_E820_SOFT_RESERVED);
}

/*
 * A limit takes RAM away and nothing else; but '%' reserves by changing what is RAM, and where
 * RAM ends inside a range of '!', the kernel cuts that in two.
 */
static bool hurts(const struct kexec_memmap *m, const struct kexec_keep *keep)
{
	if (m->kind != KEXEC_MEMMAP_LIMIT)
		return ranges_overlap(m->start, m->size, keep->phys, keep->size);
	return keep->kind && m->size < keep->phys + keep->size &&
	       (keep->kind == KEXEC_MEMMAP_CONVERT || m->size > keep->phys);
}

/* A word that the kernel is built with cannot be left out of the line that it is given. */
static const char *remedy_of(const char *given, const char *word, size_t len, const char *remedy)
{
	return kexec_line_find(given, word, len, NULL) ?
		       remedy : "it is built into the kernel: choose another one with --kernel";
}

static const char *exactmap_remedy(const char *given, const char *remedy)
{
	return kexec_line_lists(given, "memmap", "exactmap") ? remedy : remedy_of(given, "", 0, "");
}

static int refuse_other(struct pkram_ctx *ctx, const char *given, const struct kexec_memmap *m,
			const struct kexec_keep *keep)
{
	struct text found = memmap_text(m), wanted = wanted_text(keep);
	const char *how = m->kind == KEXEC_MEMMAP_LIMIT ? "cuts" :
			  m->kind != (enum kexec_memmap_kind)keep->kind ? "lies over" :
			  same_range(m, keep) ? "has other types than" :
			  m->start != keep->phys ? "is moved against" :
			  m->size < keep->size ? "is smaller than" : "is larger than";

	if (keep->kind)
		pkram_log_refusal(ctx, remedy_of(given, m->word, m->word_len,
						 "give the right line with --command-line"),
				  "%s: %s on the next command line %s its memory, which is %s",
				  keep->what, found.s, how, wanted.s);
	else
		pkram_log_refusal(ctx, remedy_of(given, m->word, m->word_len,
						 "leave it out with --command-line"),
				  "%s: %s on the next command line lies over its memory, which the "
				  "firmware describes",
				  keep->what, found.s);
	return -EUCLEAN;
}

struct remedy {
	char s[2 * KEXEC_MEMMAP_TEXT + 48];
};

static struct remedy append_remedy(const struct text *word)
{
	struct remedy r;

	snprintf(r.s, sizeof(r.s), "add %s to the line: pkram kexec --append '%s'", word->s,
		 word->s);
	return r;
}

static int refuse_missing(struct pkram_ctx *ctx, const struct kexec_memmaps *m,
			  const struct kexec_keep *keep)
{
	struct text wanted = wanted_text(keep), found;
	struct remedy remedy = append_remedy(&wanted);

	/* Of the same size elsewhere: the word was meant for it. */
	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].kind != (enum kexec_memmap_kind)keep->kind ||
		    m->v[i].size != keep->size)
			continue;
		found = memmap_text(&m->v[i]);
		pkram_log_refusal(ctx, remedy.s,
				  "%s: the next command line reserves %s, its memory is %s",
				  keep->what, found.s, wanted.s);
		return -EUCLEAN;
	}
	pkram_log_refusal(ctx, remedy.s, "%s: %s the next command line reserves its memory",
			  keep->what,
			  m->exactmap ? "no word after memmap=exactmap on" : "no word on");
	return -EUCLEAN;
}

static int check_map(struct pkram_ctx *ctx, const char *given, const struct kexec_memmaps *m,
		     const struct kexec_keep *keep)
{
	bool reserved = !keep->kind;
	int r = 0;

	for (size_t i = 0; i < m->n; i++) {
		/* The same word twice makes the same device. */
		if (reserves(&m->v[i], keep))
			reserved = true;
		else if (hurts(&m->v[i], keep))
			r = refuse_other(ctx, given, &m->v[i], keep);
	}
	if (keep->kind != KEXEC_MEMMAP_PMEM && m->exactmap) {
		pkram_log_refusal(ctx, exactmap_remedy(given, "leave it out with --command-line"),
				  "%s: memmap=exactmap on the next command line drops the "
				  "firmware's map, on which it rests",
				  keep->what);
		return -EUCLEAN;
	}
	return r == 0 && !reserved ? refuse_missing(ctx, m, keep) : r;
}

/* Memory that the firmware describes is no RAM to the decompressor. */
static int check_kaslr(struct pkram_ctx *ctx, const struct kexec_kaslr *k,
		       const struct kexec_keep *keep)
{
	struct text wanted = wanted_text(keep);

	if (!keep->kind || kexec_kaslr_avoids(k, keep))
		return 0;
	if (keep->kind == KEXEC_MEMMAP_CONVERT)
		pkram_log_refusal(ctx, "add nokaslr to the line: pkram kexec --append nokaslr",
				  "%s: with %s the kernel may place itself at random inside it (a "
				  "'%%' region is avoided only from its own size up)",
				  keep->what, wanted.s);
	else
		pkram_log_refusal(
			ctx, "put it first with --command-line, or pkram kexec --append nokaslr",
			"%s: the next kernel may place itself at random inside it, because %s is "
			"not among the %u first ranges that it reads",
			keep->what, wanted.s, KASLR_RANGES);
	return -EUCLEAN;
}

/* SIZE@START anywhere in a value: crashkernel=, cma=, ...; or @START:SIZE, of trace_instance=. */
static int each_fixed_range(const struct kexec_word *w, kexec_reach_fn fn, void *arg)
{
	const char *end = w->value + w->value_len, *at;
	int r = 0;

	for (at = w->value; r == 0 && (at = memchr(at, '@', (size_t)(end - at))); at++) {
		struct span right = { at + 1, (size_t)(end - at - 1) }, left;
		const char *p = at;
		uint64_t start, size;

		while (p > w->value && isalnum((unsigned char)p[-1]))
			p--;
		left = (struct span){ p, (size_t)(at - p) };
		if (!span_take_size(&right, &start) ||
		    (right.len && (isalnum((unsigned char)*right.p) || *right.p == '.')))
			continue;
		right = right.len && *right.p == ':' ? (struct span){ right.p + 1, right.len - 1 } :
						       left;
		if (!span_take_size(&right, &size))
			size = 0;
		r = fn(arg, w, start, size);
	}
	return r;
}

/* The number that the last word of the name on the line has; 0: none. */
static uint64_t number_of(const char *line, const char *name)
{
	uint64_t value = 0;
	struct kexec_word w;

	while (kexec_param_next(&line, &w)) {
		struct span s = { w.value, w.value_len };

		if (w.value && kexec_word_named(&w, name) && !span_take_size(&s, &value))
			value = UINT64_MAX;
	}
	return value;
}

/* A length, or with `absolute` the end unless a '+' says otherwise; what is not told goes on. */
static uint64_t take_length(struct span *list, uint64_t start, bool absolute)
{
	struct span one;
	uint64_t n;
	bool plus;

	if (!span_next_entry(list, &one))
		return UINT64_MAX;
	plus = one.len && *one.p == '+';
	if (plus)
		one = (struct span){ one.p + 1, one.len - 1 };
	if (!span_take_size(&one, &n))
		return UINT64_MAX;
	if (!absolute || plus)
		return n;
	return n > start ? n - start : UINT64_MAX;
}

/* NAME,START,LENGTH (phram) or NAME,START,END again and again (slram). */
static int each_device(const struct kexec_word *w, bool absolute, kexec_reach_fn fn, void *arg)
{
	struct span list = { w->value, w->value_len }, name, one;
	uint64_t start;
	int r = 0;

	while (r == 0 && span_next_entry(&list, &name)) {
		if (!span_next_entry(&list, &one) || !span_take_size(&one, &start))
			continue;
		r = fn(arg, w, start, take_length(&list, start, absolute));
	}
	return r;
}

/* The registers of a serial line, as ADDRESS between commas; its speed is no such number. */
static int each_console(const struct kexec_word *w, kexec_reach_fn fn, void *arg)
{
	struct span list = { w->value, w->value_len }, one;
	uint64_t start;
	int r = 0;

	while (r == 0 && span_next_entry(&list, &one))
		if (span_take_size(&one, &start) && !one.len && start >= MIB * 16)
			r = fn(arg, w, start, 4 * KIB);
	return r;
}

/* Drivers that write to an address they are given. */
static int each_address(const char *line, const struct kexec_word *w, kexec_reach_fn fn, void *arg)
{
	struct span one = { w->value, w->value_len };
	uint64_t start;

	if (kexec_word_named(w, "ramoops.mem_address") && span_take_size(&one, &start))
		return fn(arg, w, start, number_of(line, "ramoops.mem_size"));
	if (kexec_word_named(w, "phram") || kexec_word_named(w, "phram.phram"))
		return each_device(w, false, fn, arg);
	if (kexec_word_named(w, "slram") || kexec_word_named(w, "slram.map"))
		return each_device(w, true, fn, arg);
	if (kexec_word_named(w, "earlycon") || kexec_word_named(w, "earlyprintk") ||
	    kexec_word_named(w, "console"))
		return each_console(w, fn, arg);
	return 0;
}

static int word_reach(const char *line, const struct kexec_word *w, kexec_reach_fn fn, void *arg)
{
	int r = each_fixed_range(w, fn, arg);

	return r ? r : each_address(line, w, fn, arg);
}

static bool is_other_word(const struct kexec_word *w)
{
	return w->value && !kexec_word_named(w, "memmap") && !kexec_word_named(w, "mem");
}

int kexec_words_reach(const char *line, kexec_reach_fn fn, void *arg)
{
	const char *rest = line;
	struct kexec_word w;
	int r = 0;

	while (r == 0 && kexec_param_next(&rest, &w))
		if (is_other_word(&w))
			r = word_reach(line, &w, fn, arg);
	return r;
}

static int overlaps_keep(void *arg, const struct kexec_word *w, uint64_t start, uint64_t size)
{
	const struct kexec_keep *keep = arg;
	uint64_t len = size ? size : 1;

	(void)w;
	return ranges_overlap(start, MIN(len, UINT64_MAX - start), keep->phys, keep->size);
}

/* Words other than memmap= and mem= that reach for the memory. */
static int check_words(struct pkram_ctx *ctx, const char *given, const char *line,
		       const struct kexec_keep *keep)
{
	const char *rest = line;
	struct kexec_word w;
	int r = 0;

	while (kexec_param_next(&rest, &w)) {
		if (!is_other_word(&w))
			continue;
		if (!word_reach(line, &w, overlaps_keep, (void *)keep) &&
		    !kexec_word_named(&w, "efi_fake_mem") &&
		    (keep->kind || !kexec_word_named(&w, "efi") ||
		     !kexec_word_lists(&w, "nosoftreserve")))
			continue;
		pkram_log_refusal(ctx, remedy_of(given, w.raw, w.raw_len,
						 "leave it out with --command-line"),
				  "%s: %.*s on the next command line reaches for its memory",
				  keep->what, (int)w.raw_len, w.raw);
		r = -EUCLEAN;
	}
	return r;
}

/* --- that the kernel comes up --- */

/* All that the kernel needs below 1 MiB lies between these two. */
#define LOW_START (64 * KIB)
#define LOW_END (512 * KIB)
#define LEAST_RAM (128 * MIB)

static bool leaves_too_little(const struct kexec_memmap *m)
{
	if (m->kind == KEXEC_MEMMAP_LIMIT)
		return m->size < LEAST_RAM;
	return m->kind != KEXEC_MEMMAP_RAM && m->start <= LOW_START &&
	       m->start + m->size >= LOW_END;
}

/* Whether a '@' has so much from `start` on that no other entry takes. */
static bool has_ram(const struct kexec_memmaps *m, const struct kexec_memmap *ram, uint64_t start,
		    uint64_t end, uint64_t least)
{
	start = MAX(start, ram->start);
	end = MIN(end, ram->start + ram->size);
	for (size_t i = 0; i < m->n; i++) {
		const struct kexec_memmap *e = &m->v[i];

		if (e->kind == KEXEC_MEMMAP_LIMIT)
			end = MIN(end, e->size);
		else if (e->kind != KEXEC_MEMMAP_RAM && start < end &&
			 ranges_overlap(e->start, e->size, start, end - start))
			return false;
	}
	return end > start && end - start >= least;
}

static int check_exactmap(struct pkram_ctx *ctx, const char *given, const struct kexec_memmaps *m)
{
	bool low = false, enough = false;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].kind != KEXEC_MEMMAP_RAM)
			continue;
		low |= has_ram(m, &m->v[i], 4 * KIB, 636 * KIB, 64 * KIB);
		enough |= has_ram(m, &m->v[i], MIB, UINT64_MAX, LEAST_RAM);
	}
	if (low && enough)
		return 0;
	pkram_log_refusal(ctx, exactmap_remedy(given, "give the right line with --command-line"),
			  "memmap=exactmap on the next command line leaves the kernel %s",
			  low ? "too little memory to start"
			      : "no memory below 1 MiB, without which it does not start");
	return -EUCLEAN;
}

static int check_start(struct pkram_ctx *ctx, const char *given, const struct kexec_memmaps *m)
{
	int r = m->exactmap ? check_exactmap(ctx, given, m) : 0;

	for (size_t i = 0; i < m->n; i++) {
		struct text found = memmap_text(&m->v[i]);

		if (!leaves_too_little(&m->v[i]))
			continue;
		pkram_log_refusal(ctx, remedy_of(given, m->v[i].word, m->v[i].word_len,
						 "give the right line with --command-line"),
				  "%s on the next command line leaves the kernel too little memory "
				  "%sto start",
				  found.s,
				  m->v[i].kind == KEXEC_MEMMAP_LIMIT ? "" : "below 1 MiB ");
		r = -EUCLEAN;
	}
	return r;
}

/* --- all --- */

/* Some kernels die of a longer line, others read a part of it. */
static int check_length(struct pkram_ctx *ctx, const char *line)
{
	size_t n = strlen(line);

	if (n <= KEXEC_LINE_BYTES)
		return 0;
	pkram_log_refusal(ctx, "give a shorter one with --command-line",
			  "the next command line has %zu bytes, the kernel has room for %u", n,
			  KEXEC_LINE_BYTES);
	return -EUCLEAN;
}

static int check_words_count(struct pkram_ctx *ctx, const struct kexec_kaslr *k)
{
	if (k->words <= KASLR_RANGES || k->off)
		return 0;
	pkram_log_refusal(ctx, "join them with commas, or pkram kexec --append nokaslr",
			  "the next command line has %u memmap= words, and the kernel avoids only "
			  "the first %u when it places itself",
			  k->words, KASLR_RANGES);
	return -EUCLEAN;
}

int kexec_check_lines(struct pkram_ctx *ctx, const char *given, const char *read,
		      const struct kexec_keep *keep, size_t n)
{
	_cleanup_(kexec_memmaps_done) struct kexec_memmaps m = { 0 };
	struct kexec_kaslr k;
	struct kexec_word w;
	int r, bad;

	bad = check_length(ctx, read);
	r = kexec_memmaps_read(read, &m, &w);
	if (r == -EINVAL) {
		pkram_log_refusal(ctx, remedy_of(given, w.raw, w.raw_len,
						 "correct or remove it with --command-line"),
				  "%.*s: not understood", (int)w.raw_len, w.raw);
		return -EUCLEAN;
	}
	if (r < 0)
		return r;
	if (!n)
		return bad;
	k = kexec_kaslr_read(given);
	for (size_t i = 0; i < n; i++) {
		r = check_map(ctx, given, &m, &keep[i]);
		/* Where the kernel goes is worth saying once the map is right. */
		if (r == 0)
			r = check_kaslr(ctx, &k, &keep[i]);
		bad |= r;
		bad |= check_words(ctx, given, read, &keep[i]);
	}
	bad |= check_start(ctx, given, &m);
	bad |= check_words_count(ctx, &k);
	return bad ? -EUCLEAN : 0;
}

int kexec_check_reservations(struct pkram_ctx *ctx, const char *line, const struct kexec_keep *keep,
			     size_t n)
{
	return kexec_check_lines(ctx, line, line, keep, n);
}

/* --- kernels of old --- */

static bool is_before(const char *version, const char *other)
{
	return kexec_version_compare(version, other) < 0;
}

/*
 * Up to 4.7 the kernel goes no higher than 1 GiB, and from 4.8 on anywhere; from 4.11 on it keeps
 * clear of the last memmap= word, and from 4.13 on of more than one.
 */
int kexec_check_old_kernel(struct pkram_ctx *ctx, const char *version, const char *config,
			   const char *given, const struct kexec_keep *keep, size_t n)
{
	static const char *const why[] = { "one before 4.11, which reads no memmap= word",
					   "one before 4.13, which reads the last memmap= word" };
	struct kexec_kaslr k = kexec_kaslr_read(given);
	bool reads_last = !is_before(version, "4.11"), low = is_before(version, "4.8");
	int r = 0;

	if (k.nokaslr || !is_before(version, "4.13") || (reads_last && k.words < 2) ||
	    (config && kexec_config_denies(config, "CONFIG_RANDOMIZE_BASE")))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!keep[i].kind || (low && keep[i].phys >= GIB))
			continue;
		pkram_log_refusal(ctx, "add nokaslr to the line: pkram kexec --append nokaslr",
				  "%s: the next kernel, %s, is %s when it places itself at random, "
				  "and may do so inside it",
				  keep[i].what, version, why[reads_last]);
		r = -EUCLEAN;
	}
	return r;
}
