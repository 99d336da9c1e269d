/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memmap= words: reading them as the kernel does, and proving that a line reserves what must be
 * kept.
 *
 * Two readers see the line. The kernel itself makes its memory map of all the words. Before that,
 * its decompressor looks for a place at random (KASLR), on the firmware's map, which calls the
 * region RAM: it avoids no more than four ranges, and only those it understands. A region must be
 * safe from both.
 *
 * What is not understood, or not known to be harmless, is refused: a false alarm costs a word on
 * the line.
 */
#include "kexec.h"

#include <ctype.h>
#include <inttypes.h>

#define KASLR_RANGES 4u

/* --- numbers and entries --- */

struct span {
	const char *p;
	size_t len;
};

static int digit(char c, unsigned int base)
{
	int v = isdigit((unsigned char)c) ? c - '0' :
		isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;

	return v < (int)base ? v : -1;
}

static bool span_is(const struct span *s, size_t at, char c)
{
	return at < s->len && tolower((unsigned char)s->p[at]) == c;
}

/* 0x for hex, a leading 0 for octal. Where the kernel would wrap or take nothing for 0: false. */
static bool take_number(struct span *s, uint64_t *ret)
{
	bool zero = span_is(s, 0, '0');
	bool hex = zero && span_is(s, 1, 'x') && s->len > 2 && digit(s->p[2], 16) >= 0;
	unsigned int base = hex ? 16 : zero ? 8 : 10;
	size_t i = hex ? 2 : 0, start = i;
	uint64_t v = 0;

	for (; i < s->len && digit(s->p[i], base) >= 0; i++)
		if (mul_overflows(v, (uint64_t)base, &v) ||
		    add_overflows(v, (uint64_t)digit(s->p[i], base), &v))
			return false;
	if (i == start)
		return false;
	*s = (struct span){ s->p + i, s->len - i };
	*ret = v;
	return true;
}

/* A number with K, M, G, T, P or E behind it. */
static bool take_size(struct span *s, uint64_t *ret)
{
	static const char units[] = "kmgtpe";
	struct span t = *s;
	const char *unit;
	uint64_t v;

	if (!take_number(&t, &v))
		return false;
	unit = t.len ? strchr(units, tolower((unsigned char)*t.p)) : NULL;
	if (unit) {
		if (mul_overflows(v, UINT64_C(1) << (10 * (unit - units + 1)), &v))
			return false;
		t = (struct span){ t.p + 1, t.len - 1 };
	}
	*s = t;
	*ret = v;
	return true;
}

static bool take_char(struct span *s, char c)
{
	if (!s->len || *s->p != c)
		return false;
	*s = (struct span){ s->p + 1, s->len - 1 };
	return true;
}

static bool take_type(struct span *s, uint32_t *ret)
{
	uint64_t v;

	if (!take_number(s, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool is_exactmap(const struct span *s)
{
	return s->len >= 8 && memcmp(s->p, "exactmap", 8) == 0;
}

/* One entry of a comma list, apart from exactmap. */
static bool parse_entry(struct span s, struct kexec_memmap *ret)
{
	struct kexec_memmap m = { .kind = KEXEC_MEMMAP_LIMIT };
	uint64_t end;

	if (!take_size(&s, &m.size) || !m.size)
		return false;
	if (s.len && strchr("!$#@%", *s.p)) {
		m.kind = (enum kexec_memmap_kind)*s.p;
		take_char(&s, *s.p);
		if (!take_size(&s, &m.start) || add_overflows(m.start, m.size, &end))
			return false;
		if (m.kind == KEXEC_MEMMAP_CONVERT &&
		    ((take_char(&s, '-') && !take_type(&s, &m.old_type)) ||
		     (take_char(&s, '+') && !take_type(&s, &m.new_type))))
			return false;
	}
	if (s.len)
		return false;
	*ret = m;
	return true;
}

/* The next entry of a comma list; an empty one counts, as the kernel splits. */
static bool next_entry(struct span *list, struct span *ret)
{
	const char *comma;

	if (!list->p)
		return false;
	comma = memchr(list->p, ',', list->len);
	*ret = (struct span){ list->p, comma ? (size_t)(comma - list->p) : list->len };
	*list = comma ? (struct span){ comma + 1, list->len - ret->len - 1 } :
			(struct span){ NULL, 0 };
	return true;
}

/* --- the kernel's reading --- */

static int memmaps_add(struct kexec_memmaps *m, size_t *cap, const struct kexec_memmap *e)
{
	int r = array_grow(&m->v, cap, m->n + 1, sizeof(*m->v));

	if (r < 0)
		return r;
	m->v[m->n++] = *e;
	return 0;
}

static int add_memmap_word(struct kexec_memmaps *m, size_t *cap, const struct kexec_word *w)
{
	struct span list = { w->value, w->value_len }, one;
	struct kexec_memmap e;
	int r;

	m->words++;
	while (next_entry(&list, &one)) {
		if (is_exactmap(&one)) {
			m->n = 0;
			m->exactmap = true;
			continue;
		}
		if (!parse_entry(one, &e))
			return -EINVAL;
		r = memmaps_add(m, cap, &e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* mem=0, as anything without a number, is passed over; text behind the number, too. */
static int add_mem_word(struct kexec_memmaps *m, size_t *cap, const struct kexec_word *w)
{
	struct kexec_memmap e = { .kind = KEXEC_MEMMAP_LIMIT };
	struct span s = { w->value, w->value_len };

	if (!s.len || !isdigit((unsigned char)*s.p))
		return 0;
	if (!take_size(&s, &e.size))
		return -EINVAL;
	return e.size ? memmaps_add(m, cap, &e) : 0;
}

int kexec_memmaps_parse(struct pkram_ctx *ctx, const char *line, struct kexec_memmaps *ret)
{
	struct kexec_memmaps m = { 0 };
	struct kexec_word w;
	size_t cap = 0;
	int r = 0;

	while (r == 0 && kexec_param_next(&line, &w)) {
		if (!w.value)
			continue;
		if (kexec_word_named(&w, "memmap"))
			r = add_memmap_word(&m, &cap, &w);
		else if (kexec_word_named(&w, "mem"))
			r = add_mem_word(&m, &cap, &w);
	}
	if (r == -EINVAL)
		pkram_log_error(ctx,
				"%.*s: not understood; correct or remove it with --command-line",
				(int)w.raw_len, w.raw);
	if (r < 0) {
		kexec_memmaps_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void kexec_memmaps_done(struct kexec_memmaps *m)
{
	free(m->v);
	*m = (struct kexec_memmaps){ 0 };
}

/* --- the decompressor's reading --- */

struct kaslr {
	struct kexec_memmap avoid[KASLR_RANGES];
	unsigned int n;
	uint64_t limit;	/* it goes no higher */
	bool off;	/* the kernel stays where kexec put it */
};

/*
 * Has no '%' and reads it as a limit; '@' means nothing to it; an entry that it does not
 * understand (exactmap) ends a list; a list that goes on past the fourth range turns it off, a
 * fifth word does not.
 */
static void kaslr_memmap(struct kaslr *k, const struct kexec_word *w)
{
	struct span list = { w->value, w->value_len }, one;
	struct kexec_memmap e;

	if (k->n == KASLR_RANGES)
		return;
	while (k->n < KASLR_RANGES && next_entry(&list, &one)) {
		if (is_exactmap(&one) || !parse_entry(one, &e))
			return;
		if (e.kind == KEXEC_MEMMAP_RAM)
			continue;
		if (e.kind == KEXEC_MEMMAP_LIMIT || e.kind == KEXEC_MEMMAP_CONVERT || !e.start)
			k->limit = MIN(k->limit, e.size);
		else
			k->avoid[k->n++] = e;
	}
	if (k->n == KASLR_RANGES && list.p)
		k->off = true;
}

/* False for mem=0, with which it stops reading. */
static bool kaslr_mem(struct kaslr *k, const struct kexec_word *w)
{
	struct span s = { w->value, w->value_len };
	uint64_t size;

	if (s.len == strlen("nopentium") && memcmp(s.p, "nopentium", s.len) == 0)
		return true;
	if (!take_size(&s, &size) || !size)
		return false;
	k->limit = MIN(k->limit, size);
	return true;
}

static struct kaslr kaslr_read(const char *line)
{
	struct kaslr k = { .limit = UINT64_MAX };
	const char *p = line;
	struct kexec_word w;
	bool reading = true;

	while (kexec_param_next(&p, &w)) {
		/* It looks for this one without knowing quotes. */
		if (!w.value && *w.raw != '"' && kexec_word_named(&w, "nokaslr"))
			k.off = true;
		if (!reading)
			continue;
		if (w.value && kexec_word_named(&w, "memmap"))
			kaslr_memmap(&k, &w);
		else if (kexec_word_named(&w, "mem"))
			reading = kaslr_mem(&k, &w);
	}
	return k;
}

bool kexec_kaslr_off(const char *line)
{
	return kaslr_read(line).off;
}

static bool kaslr_avoids(const struct kaslr *k, const struct kexec_keep *keep)
{
	if (k->off || keep->phys >= k->limit)
		return true;
	for (unsigned int i = 0; i < k->n; i++)
		if (k->avoid[i].start <= keep->phys &&
		    k->avoid[i].start + k->avoid[i].size >= keep->phys + keep->size)
			return true;
	return false;
}

/* --- the proof --- */

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
		snprintf(t.s, sizeof(t.s), "mem=%.24s", size.s);
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

/* The word that would do. */
static struct text wanted_text(const struct kexec_keep *keep)
{
	struct kexec_memmap m = { .kind = (enum kexec_memmap_kind)keep->kind, .start = keep->phys,
				  .size = keep->size };

	if (m.kind == KEXEC_MEMMAP_CONVERT) {
		m.old_type = KEXEC_E820_RAM;
		m.new_type = KEXEC_E820_SOFT_RESERVED;
	}
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

static int refuse_other(struct pkram_ctx *ctx, const struct kexec_memmap *m,
			const struct kexec_keep *keep)
{
	struct text found = memmap_text(m), wanted = wanted_text(keep);
	const char *how = m->kind == KEXEC_MEMMAP_LIMIT ? "cuts" :
			  m->kind != (enum kexec_memmap_kind)keep->kind ? "lies over" :
			  same_range(m, keep) ? "has other types than" :
			  m->start != keep->phys ? "is moved against" :
			  m->size < keep->size ? "is smaller than" : "is larger than";

	if (keep->kind)
		pkram_log_error(ctx,
				"%s: %s on the next command line %s its memory, which is %s: give "
				"the right line with --command-line",
				keep->what, found.s, how, wanted.s);
	else
		pkram_log_error(ctx,
				"%s: %s on the next command line lies over its memory, which the "
				"firmware describes: leave it out with --command-line",
				keep->what, found.s);
	return -EUCLEAN;
}

static int refuse_missing(struct pkram_ctx *ctx, const struct kexec_memmaps *m,
			  const struct kexec_keep *keep)
{
	struct text wanted = wanted_text(keep), found;

	/* Of the same size elsewhere: the word was meant for it. */
	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].kind != (enum kexec_memmap_kind)keep->kind ||
		    m->v[i].size != keep->size)
			continue;
		found = memmap_text(&m->v[i]);
		pkram_log_error(ctx,
				"%s: the next command line reserves %s, its memory is %s: add it: "
				"pkram kexec --append '%s'",
				keep->what, found.s, wanted.s, wanted.s);
		return -EUCLEAN;
	}
	pkram_log_error(ctx,
			"%s: %s the next command line reserves its memory: add %s to the line: "
			"pkram kexec --append '%s'",
			keep->what, m->exactmap ? "no word after memmap=exactmap on" : "no word on",
			wanted.s, wanted.s);
	return -EUCLEAN;
}

static int check_map(struct pkram_ctx *ctx, const struct kexec_memmaps *m,
		     const struct kexec_keep *keep)
{
	bool reserved = !keep->kind;
	int r = 0;

	for (size_t i = 0; i < m->n; i++) {
		/* The same word twice makes the same device. */
		if (reserves(&m->v[i], keep))
			reserved = true;
		else if (hurts(&m->v[i], keep))
			r = refuse_other(ctx, &m->v[i], keep);
	}
	if (keep->kind != KEXEC_MEMMAP_PMEM && m->exactmap) {
		pkram_log_error(ctx,
				"%s: memmap=exactmap on the next command line drops the firmware's "
				"map, on which it rests: leave it out with --command-line",
				keep->what);
		return -EUCLEAN;
	}
	return r == 0 && !reserved ? refuse_missing(ctx, m, keep) : r;
}

/* Memory that the firmware describes is no RAM to the decompressor. */
static int check_kaslr(struct pkram_ctx *ctx, const struct kaslr *k, const struct kexec_keep *keep)
{
	struct text wanted = wanted_text(keep);

	if (!keep->kind || kaslr_avoids(k, keep))
		return 0;
	if (keep->kind == KEXEC_MEMMAP_CONVERT)
		pkram_log_error(ctx,
				"%s: with %s the kernel may place itself at random inside it (a "
				"'%%' region is avoided only from its own size up): add nokaslr to "
				"the line: pkram kexec --append nokaslr",
				keep->what, wanted.s);
	else
		pkram_log_error(ctx,
				"%s: the next kernel may place itself at random inside it, because "
				"%s is not among the %u first ranges that it reads: put it first "
				"with --command-line, or pkram kexec --append nokaslr",
				keep->what, wanted.s, KASLR_RANGES);
	return -EUCLEAN;
}

/* SIZE@START anywhere in a value: crashkernel=, cma=, ... */
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
		if (!take_size(&right, &start) ||
		    (right.len && (isalnum((unsigned char)*right.p) || *right.p == '.')))
			continue;
		if (!take_size(&left, &size))
			size = 0;
		r = fn(arg, w, start, size);
	}
	return r;
}

/* Drivers that write to an address they are given. */
static int each_address(const struct kexec_word *w, kexec_reach_fn fn, void *arg)
{
	static const char *const names[] = { "ramoops.mem_address", "phram", "phram.phram",
					     "slram" };
	struct span list = { w->value, w->value_len }, one;
	bool named = false;
	uint64_t start;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		named |= kexec_word_named(w, names[i]);
	while (r == 0 && named && next_entry(&list, &one))
		if (take_size(&one, &start))
			r = fn(arg, w, start, 0);
	return r;
}

static int word_reach(const struct kexec_word *w, kexec_reach_fn fn, void *arg)
{
	int r = each_fixed_range(w, fn, arg);

	return r ? r : each_address(w, fn, arg);
}

static bool is_other_word(const struct kexec_word *w)
{
	return w->value && !kexec_word_named(w, "memmap") && !kexec_word_named(w, "mem");
}

int kexec_words_reach(const char *line, kexec_reach_fn fn, void *arg)
{
	struct kexec_word w;
	int r = 0;

	while (r == 0 && kexec_param_next(&line, &w))
		if (is_other_word(&w))
			r = word_reach(&w, fn, arg);
	return r;
}

static int overlaps_keep(void *arg, const struct kexec_word *w, uint64_t start, uint64_t size)
{
	const struct kexec_keep *keep = arg;
	uint64_t len = size ? size : 1;

	(void)w;
	return ranges_overlap(start, MIN(len, UINT64_MAX - start), keep->phys, keep->size);
}

static bool has_option(const struct kexec_word *w, const char *name, const char *option)
{
	struct span list = { w->value, w->value_len }, one;

	while (kexec_word_named(w, name) && next_entry(&list, &one))
		if (one.len == strlen(option) && memcmp(one.p, option, one.len) == 0)
			return true;
	return false;
}

/* Words other than memmap= and mem= that reach for the memory. */
static int check_words(struct pkram_ctx *ctx, const char *line, const struct kexec_keep *keep)
{
	struct kexec_word w;
	int r = 0;

	while (kexec_param_next(&line, &w)) {
		if (!is_other_word(&w))
			continue;
		if (!word_reach(&w, overlaps_keep, (void *)keep) &&
		    !kexec_word_named(&w, "efi_fake_mem") &&
		    (keep->kind || !has_option(&w, "efi", "nosoftreserve")))
			continue;
		pkram_log_error(ctx,
				"%s: %.*s on the next command line reaches for its memory: leave "
				"it out with --command-line",
				keep->what, (int)w.raw_len, w.raw);
		r = -EUCLEAN;
	}
	return r;
}

int kexec_check_reservations(struct pkram_ctx *ctx, const char *line, const struct kexec_keep *keep,
			     size_t n)
{
	_cleanup_(kexec_memmaps_done) struct kexec_memmaps m = { 0 };
	struct kaslr k;
	int r, bad = 0;

	r = kexec_memmaps_parse(ctx, line, &m);
	if (r < 0)
		return r == -EINVAL ? -EUCLEAN : r;
	k = kaslr_read(line);
	for (size_t i = 0; i < n; i++) {
		r = check_map(ctx, &m, &keep[i]);
		/* Where the kernel goes is worth saying once the map is right. */
		if (r == 0)
			r = check_kaslr(ctx, &k, &keep[i]);
		bad |= r;
		bad |= check_words(ctx, line, &keep[i]);
	}
	if (m.words > KASLR_RANGES && !k.off && n) {
		pkram_log_error(ctx,
				"the next command line has %u memmap= words, and the kernel avoids "
				"only the first %u when it places itself: join them with commas "
				"into %u, or pkram kexec --append nokaslr",
				m.words, KASLR_RANGES, KASLR_RANGES);
		bad = -EUCLEAN;
	}
	return bad ? -EUCLEAN : 0;
}
