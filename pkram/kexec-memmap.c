/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memmap= and mem= words: reading them as the kernel does.
 */
#include "kexec-memmap.h"

#include <ctype.h>

/* --- numbers and entries --- */

static int digit(char c, unsigned int base)
{
	int v = hex_digit(c);

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

bool span_take_size(struct span *s, uint64_t *ret)
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

bool span_is_exactmap(const struct span *s)
{
	return s->len >= 8 && memcmp(s->p, "exactmap", 8) == 0;
}

bool span_parse_memmap(struct span s, struct kexec_memmap *ret)
{
	struct kexec_memmap m = { .kind = KEXEC_MEMMAP_LIMIT };
	uint64_t end;

	if (!span_take_size(&s, &m.size) || !m.size)
		return false;
	if (s.len && strchr("!$#@%", *s.p)) {
		m.kind = (enum kexec_memmap_kind)*s.p;
		take_char(&s, *s.p);
		if (!span_take_size(&s, &m.start) || add_overflows(m.start, m.size, &end))
			return false;
		if (m.kind == KEXEC_MEMMAP_CONVERT &&
		    ((take_char(&s, '-') && !take_type(&s, &m.old_type)) ||
		     (take_char(&s, '+') && !take_type(&s, &m.new_type))))
			return false;
		/* The kernel is built to die of a change that is none. */
		if (m.old_type && m.old_type == m.new_type)
			return false;
	}
	if (s.len)
		return false;
	*ret = m;
	return true;
}

bool span_next_entry(struct span *list, struct span *ret)
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
	while (span_next_entry(&list, &one)) {
		if (span_is_exactmap(&one)) {
			m->n = 0;
			m->exactmap = true;
			continue;
		}
		if (!span_parse_memmap(one, &e))
			return -EINVAL;
		e.word = w->raw;
		e.word_len = w->raw_len;
		r = memmaps_add(m, cap, &e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* mem=0, as anything without a number, is passed over; text behind the number, too. */
static int add_mem_word(struct kexec_memmaps *m, size_t *cap, const struct kexec_word *w)
{
	struct kexec_memmap e = { .kind = KEXEC_MEMMAP_LIMIT, .by_mem = true, .word = w->raw,
				  .word_len = w->raw_len };
	struct span s = { w->value, w->value_len };

	if (!s.len || !isdigit((unsigned char)*s.p))
		return 0;
	if (!span_take_size(&s, &e.size))
		return -EINVAL;
	return e.size ? memmaps_add(m, cap, &e) : 0;
}

int kexec_memmaps_read(const char *line, struct kexec_memmaps *ret, struct kexec_word *ret_bad)
{
	struct kexec_memmaps m = { 0 };
	size_t cap = 0;
	int r = 0;

	while (r == 0 && kexec_param_next(&line, ret_bad)) {
		if (!ret_bad->value)
			continue;
		if (kexec_word_named(ret_bad, "memmap"))
			r = add_memmap_word(&m, &cap, ret_bad);
		else if (kexec_word_named(ret_bad, "mem"))
			r = add_mem_word(&m, &cap, ret_bad);
	}
	if (r < 0)
		kexec_memmaps_done(&m);
	else
		*ret = m;
	return r;
}

int kexec_memmaps_parse(struct pkram_ctx *ctx, const char *line, struct kexec_memmaps *ret)
{
	struct kexec_word bad;
	int r = kexec_memmaps_read(line, ret, &bad);

	if (r == -EINVAL)
		pkram_log_refusal(ctx, "correct or remove it with --command-line",
				  "%.*s: not understood", (int)bad.raw_len, bad.raw);
	return r;
}

bool kexec_memmaps_have(const struct kexec_memmaps *m, const struct kexec_memmap *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == e->kind && m->v[i].start == e->start &&
		    m->v[i].size == e->size)
			return true;
	return false;
}

void kexec_memmaps_done(struct kexec_memmaps *m)
{
	free(m->v);
	*m = (struct kexec_memmaps){ 0 };
}
