/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A longer line does not fit with its end, and the kernel dies of it. */
#define LINE_BYTES 2047

/* No kernel that is in use comes up with less. */
#define LEAST_RAM (UINT64_C(64) << 20)
/* In one piece behind the first page and below 1 MiB. */
#define LEAST_LOW_RAM (UINT64_C(64) << 10)
#define PAGE (UINT64_C(4) << 10)
#define LOW_END (UINT64_C(1) << 20)

/* --- words --- */

static bool is_blank(char c)
{
	return c && strchr(" \t\n\v\f\r\xa0", c);
}

static void strip_last_quote(char *s)
{
	size_t n = strlen(s);

	if (n && s[n - 1] == '"')
		s[n - 1] = '\0';
}

/*
 * The next word, cut out in place; *value is NULL where it has none. A quote in first place, of
 * the word or of the value, takes one in last place with it.
 */
static char *next_word(char **rest, char **value)
{
	char *word, *p, *equals;
	bool inside = false;

	while (is_blank(**rest))
		++*rest;
	if (!**rest)
		return NULL;
	word = *rest;
	for (p = word; *p && (inside || !is_blank(*p)); p++)
		inside ^= *p == '"';
	*rest = *p ? p + 1 : p;
	*p = '\0';
	if (*word == '"') {
		word++;
		strip_last_quote(word);
	}
	equals = *word ? strchr(word + 1, '=') : NULL;
	*value = NULL;
	if (equals) {
		*equals = '\0';
		*value = equals + 1;
		if (**value == '"') {
			++*value;
			strip_last_quote(*value);
		}
	}
	return word;
}

/* --- numbers --- */

/* Digits by the prefix; none are 0. *odd: they are too many. */
static uint64_t number(char **p, bool *odd)
{
	int base = 10, n = 0;
	uint64_t v = 0;

	if (**p == '0') {
		bool hex = (*p)[1] && strchr("xX", (*p)[1]) && isxdigit((unsigned char)(*p)[2]);

		base = hex ? 16 : 8;
		*p += hex ? 2 : 0;
	}
	for (;; n++, ++*p) {
		char c = (char)tolower((unsigned char)**p);
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

		if (digit >= base)
			break;
		*odd |= v > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base;
		v = v * (uint64_t)base + (uint64_t)digit;
	}
	*odd |= n == 0;
	return v;
}

static uint64_t amount(char **p, bool *odd)
{
	static const char units[] = "KMGTPE";
	uint64_t v = number(p, odd);
	const char *unit = **p ? strchr(units, toupper((unsigned char)**p)) : NULL;

	for (; unit && unit >= units; unit--) {
		*odd |= v >> 54;
		v <<= 10;
		if (unit == units)
			++*p;
	}
	return v;
}

/* --- the map while it is made: ranges in any order, over each other --- */

struct making {
	struct model_range v[MODEL_RANGES];
	int n;
	bool touched, dead;
};

static void put(struct making *k, uint64_t start, uint64_t end, uint32_t type)
{
	if (k->n == MODEL_RANGES)
		abort();
	k->v[k->n++] = (struct model_range){ start, end, type };
}

/* What is of the type (0: of any) from start to end becomes another (0: nothing). */
static void change(struct making *k, uint64_t start, uint64_t end, uint32_t from, uint32_t to)
{
	for (int i = 0, n = k->n; i < n; i++) {
		struct model_range r = k->v[i];
		uint64_t lo = r.start > start ? r.start : start, hi = r.end < end ? r.end : end;

		if ((from && r.type != from) || lo >= hi)
			continue;
		/* Its place in the list goes to what is changed, or else to what is left. */
		if (to)
			k->v[i] = (struct model_range){ lo, hi, to };
		else if (r.start < lo)
			k->v[i].end = lo;
		else
			k->v[i].start = hi;
		if (r.start < lo && to)
			put(k, r.start, lo, r.type);
		if (hi < r.end && (to || r.start < lo))
			put(k, hi, r.end, r.type);
	}
}

static uint64_t sum_or_top(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void apply(struct making *k, const struct model_entry *e)
{
	k->touched = true;
	switch (e->op) {
	case '\0':
		change(k, e->size, UINT64_MAX, MODEL_RAM, 0);
		break;
	case '%':
		if (e->from && e->from == e->to)
			k->dead = true;
		else if (e->to && !e->from)
			put(k, e->start, e->start + e->size, e->to);
		else
			change(k, e->start, sum_or_top(e->start, e->size), e->from, e->to);
		break;
	default:
		put(k, e->start, e->start + e->size,
		    e->op == '@' ? MODEL_RAM : e->op == '$' ? MODEL_RESERVED :
		    e->op == '#' ? MODEL_ACPI : MODEL_PMEM);
	}
}

/* --- the kernel's reading --- */

static void note(struct model *m, struct making *k, const struct model_entry *e)
{
	if (m->n_entries == MODEL_RANGES)
		abort();
	m->entries[m->n_entries++] = *e;
	apply(k, e);
}

static void read_entry(struct model *m, struct making *k, char *p)
{
	struct model_entry e = { .op = '\0' };
	char *first = p;

	if (strncmp(p, "exactmap", strlen("exactmap")) == 0) {
		k->n = 0;
		k->touched = m->exactmap = true;
		m->n_entries = 0;
		return;
	}
	e.size = amount(&p, &m->odd);
	if (p == first)
		return;
	m->odd |= !e.size;
	if (*p && strchr("@#$!%", *p)) {
		e.op = *p++;
		e.start = amount(&p, &m->odd);
		m->odd |= e.start > UINT64_MAX - e.size;
	}
	if (e.op == '%') {
		uint64_t from = 0, to = 0;

		if (*p == '-' && p++)
			from = number(&p, &m->odd);
		if (*p == '+' && p++)
			to = number(&p, &m->odd);
		m->odd |= from > UINT32_MAX || to > UINT32_MAX || *p;
		if (*p)
			return;
		e.from = (uint32_t)from;
		e.to = (uint32_t)to;
	}
	m->odd |= *p != '\0';
	note(m, k, &e);
}

static void read_limit(struct model *m, struct making *k, char *value)
{
	struct model_entry e = { .op = '\0' };
	bool odd = false, none = !isdigit((unsigned char)*value);

	if (strcmp(value, "nopentium") == 0)
		return;
	k->touched = true;
	e.size = amount(&value, &odd);
	m->odd |= odd && !none;
	if (e.size)
		note(m, k, &e);
}

static void read_words(struct model *m, struct making *k, char *line)
{
	char *word, *value;

	while ((word = next_word(&line, &value)) && (value || strcmp(word, "--") != 0)) {
		if (!value)
			continue;
		if (strcmp(word, "mem") == 0)
			read_limit(m, k, value);
		if (strcmp(word, "memmap") != 0) {
			m->at |= strcmp(word, "mem") != 0 && strchr(value, '@');
			continue;
		}
		m->words++;
		for (char *end; value; value = end) {
			end = strchr(value, ',');
			if (end)
				*end++ = '\0';
			read_entry(m, k, value);
		}
	}
}

/* --- the map when it is made --- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint32_t highest_type(const struct making *k, uint64_t at)
{
	uint32_t type = 0;

	for (int i = 0; i < k->n; i++)
		if (k->v[i].start <= at && at < k->v[i].end && k->v[i].type > type)
			type = k->v[i].type;
	return type;
}

/*
 * Between any two ends of ranges there is one type: the highest. Neighbours of one type are one
 * range, but not where they may be devices.
 */
static void finish(struct model *m, const struct making *k)
{
	static uint64_t ends[2 * MODEL_RANGES];
	int n = 0;

	for (int i = 0; i < k->n; i++) {
		if (k->v[i].start == k->v[i].end)
			continue;
		ends[n++] = k->v[i].start;
		ends[n++] = k->v[i].end;
	}
	qsort(ends, (size_t)n, sizeof(*ends), by_number);
	for (int i = 0; i + 1 < n; i++) {
		uint32_t type = ends[i] < ends[i + 1] ? highest_type(k, ends[i]) : 0;
		struct model_range *last = m->n ? &m->map[m->n - 1] : NULL;

		if (!type)
			continue;
		if (last && last->end == ends[i] && last->type == type && type != MODEL_PMEM &&
		    type != MODEL_SOFT)
			last->end = ends[i + 1];
		else
			m->map[m->n++] = (struct model_range){ ends[i], ends[i + 1], type };
	}
}

static bool comes_up(const struct model *m, const struct making *k)
{
	uint64_t ram = 0;
	bool low = false;

	if (k->dead || (k->touched && k->n < 2))
		return false;
	for (int i = 0; i < k->n; i++)
		if (k->v[i].end < k->v[i].start)
			return false;
	for (int i = 0; i < m->n; i++) {
		uint64_t start = m->map[i].start, end = m->map[i].end;

		if (m->map[i].type != MODEL_RAM)
			continue;
		ram += end - start;
		start = start > PAGE ? start : PAGE;
		end = end < LOW_END ? end : LOW_END;
		low |= end > start && end - start >= LEAST_LOW_RAM;
	}
	return low && ram >= LEAST_RAM;
}

/* --- the decompressor's reading --- */

/* Without quotes, past "--", and with other blanks. */
static bool has_nokaslr(const char *line)
{
	static const char word[] = "nokaslr";

	for (const char *p = line; (p = strstr(p, word)); p++) {
		unsigned char after = (unsigned char)p[strlen(word)];

		if ((p == line || (unsigned char)p[-1] <= ' ') && after <= ' ')
			return true;
	}
	return false;
}

static void lower(struct model *m, uint64_t ceiling)
{
	if (ceiling && ceiling < m->ceiling)
		m->ceiling = ceiling;
}

static void avoid_list(struct model *m, char *list)
{
	bool odd = false;

	if (m->n_avoided == MODEL_AVOIDED)
		return;
	while (list && m->n_avoided < MODEL_AVOIDED) {
		char *p = list, *end = strchr(list, ',');
		uint64_t size, start = 0;

		if (end)
			*end = '\0';
		/* Else its first letter would be a unit. */
		if (strncmp(p, "exactmap", strlen("exactmap")) == 0)
			return;
		size = amount(&p, &odd);
		if (p == list)
			return;
		list = end ? end + 1 : NULL;
		if (*p == '@')
			continue;
		if (*p && strchr("#$!", *p)) {
			p++;
			start = amount(&p, &odd);
		}
		if (start)
			m->avoided[m->n_avoided++] =
				(struct model_range){ start, sum_or_top(start, size), 0 };
		else
			lower(m, size);
	}
	if (list && m->n_avoided == MODEL_AVOIDED)
		m->stays = true;
}

static void read_early(struct model *m, char *line)
{
	char *word, *value;

	while ((word = next_word(&line, &value)) && (value || strcmp(word, "--") != 0)) {
		bool odd = false;
		uint64_t limit;

		if (strcmp(word, "memmap") == 0 && value)
			avoid_list(m, value);
		if (strcmp(word, "mem") != 0 || (value && strcmp(value, "nopentium") == 0))
			continue;
		limit = value ? amount(&value, &odd) : 0;
		if (!limit)
			return;
		lower(m, limit);
	}
}

/* --- all --- */

void model_read(struct model *m, const struct model_range *firmware, int n, const char *line)
{
	static struct making k;
	char words[LINE_BYTES + 1];

	memset(m, 0, sizeof(*m));
	m->ceiling = UINT64_MAX;
	m->stays = has_nokaslr(line);
	k = (struct making){ .dead = strlen(line) > LINE_BYTES };
	for (int i = 0; i < n; i++)
		put(&k, firmware[i].start, firmware[i].end, firmware[i].type);
	snprintf(words, sizeof(words), "%s", line);
	read_words(m, &k, words);
	finish(m, &k);
	m->boots = comes_up(m, &k);
	snprintf(words, sizeof(words), "%s", line);
	read_early(m, words);
}

bool model_has(const struct model *m, uint64_t start, uint64_t size, uint32_t type)
{
	for (int i = 0; i < m->n; i++)
		if (m->map[i].start == start && m->map[i].end == start + size &&
		    m->map[i].type == type)
			return true;
	return false;
}

/* What is below the ceiling must lie in what is avoided, whatever pieces that has. */
bool model_may_land(const struct model *m, uint64_t start, uint64_t size)
{
	uint64_t at = start, end = start + size < m->ceiling ? start + size : m->ceiling;
	bool moved = true;

	while (!m->stays && at < end && moved) {
		moved = false;
		for (int i = 0; i < m->n_avoided; i++)
			if (m->avoided[i].start <= at && at < m->avoided[i].end) {
				at = m->avoided[i].end;
				moved = true;
			}
	}
	return !m->stays && at < end;
}
