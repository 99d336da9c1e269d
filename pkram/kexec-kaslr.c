/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's first reader of the line: its decompressor, which looks for a place at random
 * (KASLR) on the firmware's map. That calls a region RAM; it avoids no more than four ranges of the
 * line, and only those it understands.
 */
#include "kexec-memmap.h"

/*
 * Has no '%' and reads it as a limit; '@' means nothing to it; an entry that it does not
 * understand (exactmap) ends a list; a list that goes on past the fourth range turns it off, a
 * fifth word does not.
 */
static void kaslr_memmap(struct kexec_kaslr *k, const struct kexec_word *w)
{
	struct span list = { w->value, w->value_len }, one;
	struct kexec_memmap e;

	if (k->n == KASLR_RANGES)
		return;
	while (k->n < KASLR_RANGES && span_next_entry(&list, &one)) {
		if (span_is_exactmap(&one) || !span_parse_memmap(one, &e))
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
static bool kaslr_mem(struct kexec_kaslr *k, const struct kexec_word *w)
{
	struct span s = { w->value, w->value_len };
	uint64_t size;

	if (s.len == strlen("nopentium") && memcmp(s.p, "nopentium", s.len) == 0)
		return true;
	if (!span_take_size(&s, &size) || !size)
		return false;
	k->limit = MIN(k->limit, size);
	return true;
}

/*
 * It looks for this one by itself: whole between other blanks, without knowing quotes, and past
 * "--".
 */
static bool has_nokaslr(const char *line)
{
	static const char word[] = "nokaslr";

	for (const char *p = line; (p = strstr(p, word)); p++)
		if ((p == line || (uint8_t)p[-1] <= ' ') && (uint8_t)p[strlen(word)] <= ' ')
			return true;
	return false;
}

struct kexec_kaslr kexec_kaslr_read(const char *line)
{
	bool nokaslr = has_nokaslr(line);
	struct kexec_kaslr k = { .limit = UINT64_MAX, .nokaslr = nokaslr, .off = nokaslr };
	struct kexec_word w;
	bool reading = true;

	while (kexec_param_next(&line, &w)) {
		bool memmap = w.value && kexec_word_named(&w, "memmap");

		k.words += memmap;
		if (reading && memmap)
			kaslr_memmap(&k, &w);
		else if (reading && kexec_word_named(&w, "mem"))
			reading = kaslr_mem(&k, &w);
	}
	return k;
}

bool kexec_kaslr_off(const char *line)
{
	return kexec_kaslr_read(line).off;
}

bool kexec_kaslr_avoids(const struct kexec_kaslr *k, const struct kexec_keep *keep)
{
	if (k->off || keep->phys >= k->limit)
		return true;
	for (unsigned int i = 0; i < k->n; i++)
		if (k->avoid[i].start <= keep->phys &&
		    k->avoid[i].start + k->avoid[i].size >= keep->phys + keep->size)
			return true;
	return false;
}
