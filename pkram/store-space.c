/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Free space, derived from the rows each time: nothing of it is stored, so nothing can disagree.
 */
#include "store-internal.h"

void spans_done(struct spans *s)
{
	free(s->v);
	*s = (struct spans){};
}

int spans_add(struct spans *s, uint64_t off, uint64_t len)
{
	int k = array_grow(&s->v, &s->cap, s->n + 1, sizeof(*s->v));

	if (k < 0)
		return k;
	s->v[s->n++] = (struct span){ .off = off, .len = len };
	return 0;
}

int spans_copy(const struct spans *from, struct spans *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < from->n; i++) {
		int k = spans_add(ret, from->v[i].off, from->v[i].len);

		if (k < 0)
			return k;
	}
	return 0;
}

int spans_of_extents(const struct pkram_extent *e, uint64_t n, struct spans *ret)
{
	for (uint64_t i = 0; i < n; i++) {
		int k = spans_add(ret, le64toh(e[i].off), le64toh(e[i].len));

		if (k < 0)
			return k;
	}
	return 0;
}

uint64_t spans_total(const struct spans *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += s->v[i].len;
	return sum;
}

bool spans_locate(const struct spans *s, uint64_t off, uint64_t *ret_at, uint64_t *ret_len)
{
	for (size_t i = 0; i < s->n; i++) {
		if (off < s->v[i].len) {
			*ret_at = s->v[i].off + off;
			*ret_len = s->v[i].len - off;
			return true;
		}
		off -= s->v[i].len;
	}
	return false;
}

/* Many enough that the call costs nothing, few enough that the other threads soon have theirs. */
#define PREPARED_WINDOWS 64u

void spans_prepare(struct region *r, const struct spans *s, uint64_t index, uint64_t off,
		   bool write)
{
	uint64_t end = off + (uint64_t)PREPARED_WINDOWS * PKRAM_WINDOW, at, there;

	if (!r->map || index % PREPARED_WINDOWS)
		return;
	for (; off < end && spans_locate(s, off, &at, &there); off += there) {
		there = MIN(there, end - off);
		region_prepare(r, at, there, write);
	}
}

int spans_read(struct region *r, const struct spans *s, uint64_t off, size_t len, void *buf)
{
	size_t done = 0, padded = ALIGN_UP(len, (size_t)PKRAM_BLOCK);

	while (done < padded) {
		uint64_t at, there;
		size_t piece;
		int k;

		if (!spans_locate(s, off + done, &at, &there))
			return -EBADMSG;
		piece = MIN(there, (uint64_t)(padded - done));
		k = read_bytes(r, at, piece, (uint8_t *)buf + done);
		if (k < 0)
			return k;
		done += piece;
	}
	return 0;
}

int spans_look(struct region *r, const struct spans *s, uint64_t off, size_t len, void *bounce,
	       const void **ret)
{
	uint64_t at, there;

	if (r->map && spans_locate(s, off, &at, &there) &&
	    there >= ALIGN_UP(len, (size_t)PKRAM_BLOCK)) {
		*ret = region_ptr(r, at);
		return 0;
	}
	*ret = bounce;
	return spans_read(r, s, off, len, bounce);
}

static int span_cmp(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

int space_free(const struct catalog *c, uint64_t size, struct spans *ret)
{
	uint64_t at = PKRAM_PAYLOAD_START, end = size - PKRAM_TAIL_SIZE;
	struct spans used = {}, gaps = {};
	int k = 0;

	for (size_t i = 0; i < c->n && k >= 0; i++)
		if (c->rows[i].len)
			k = spans_add(&used, le64toh(c->rows[i].off), le64toh(c->rows[i].len));
	if (k >= 0 && used.n)
		qsort(used.v, used.n, sizeof(*used.v), span_cmp);
	for (size_t i = 0; i < used.n && k >= 0; i++) {
		if (used.v[i].off < at)
			k = -EBADMSG;
		else if (used.v[i].off > at)
			k = spans_add(&gaps, at, used.v[i].off - at);
		at = used.v[i].off + used.v[i].len;
	}
	if (k >= 0 && at < end)
		k = spans_add(&gaps, at, end - at);
	spans_done(&used);
	if (k < 0) {
		spans_done(&gaps);
		return k;
	}
	*ret = gaps;
	return 0;
}

/* Cuts [off, off + len) out of gap i; no empty gaps pile up in front of what is left. */
static int gap_cut(struct spans *gaps, size_t i, uint64_t off, uint64_t len)
{
	struct span *g = &gaps->v[i];
	uint64_t end = g->off + g->len, rest = end - (off + len);

	if (off == g->off) {
		*g = (struct span){ .off = off + len, .len = rest };
		return 0;
	}
	g->len = off - g->off;
	if (rest) {
		int k = spans_add(gaps, off + len, rest);

		if (k < 0)
			return k;
	}
	return 0;
}

/* The gap without what lies in 2 MiB pages that `apart` touches; its lowest or highest part. */
static struct span gap_apart(struct span gap, const struct spans *apart, enum space_where where)
{
	uint64_t lo = gap.off, hi = gap.off + gap.len;

	for (size_t i = 0; apart && i < apart->n; i++) {
		uint64_t a = ALIGN_DOWN(apart->v[i].off, (uint64_t)PKRAM_HUGE);
		uint64_t b = ALIGN_UP(apart->v[i].off + apart->v[i].len, (uint64_t)PKRAM_HUGE);

		if (b <= lo || a >= hi)
			continue;
		/* Spans of one node are few: one side is enough. */
		if (where == SPACE_HIGH)
			lo = MIN(MAX(lo, b), hi);
		else
			hi = MAX(MIN(hi, a), lo);
	}
	return (struct span){ .off = lo, .len = hi - lo };
}

static bool fit(struct span g, uint64_t len, uint64_t align, enum space_where where, uint64_t *ret)
{
	uint64_t off;

	if (g.len < len)
		return false;
	off = where == SPACE_LOW ? ALIGN_UP(g.off, align) : ALIGN_DOWN(g.off + g.len - len, align);
	if (off < g.off || off + len > g.off + g.len)
		return false;
	*ret = off;
	return true;
}

/* One span: the smallest gap that holds it, and of equal ones the nearest to the wanted end. */
static int take_one(struct spans *gaps, uint64_t len, uint64_t align, enum space_where where,
		    const struct spans *apart, struct spans *ret)
{
	size_t best = SIZE_MAX;
	uint64_t at = 0;
	int k;

	for (size_t i = 0; i < gaps->n; i++) {
		struct span g = gap_apart(gaps->v[i], apart, where);
		uint64_t off;
		bool nearer;

		if (!fit(g, len, align, where, &off))
			continue;
		nearer = where == SPACE_LOW ? off < at : off > at;
		if (best == SIZE_MAX || gaps->v[i].len < gaps->v[best].len ||
		    (gaps->v[i].len == gaps->v[best].len && nearer)) {
			best = i;
			at = off;
		}
	}
	if (best == SIZE_MAX)
		return -ENOSPC;
	k = gap_cut(gaps, best, at, len);
	return k < 0 ? k : spans_add(ret, at, len);
}

/* Several spans, the largest gaps first, all but the last one whole multiples of `align`. */
static int take_many(struct spans *gaps, uint64_t len, uint64_t align, struct spans *ret)
{
	while (len) {
		size_t best = SIZE_MAX;
		uint64_t best_off = 0, best_len = 0;
		int k;

		for (size_t i = 0; i < gaps->n; i++) {
			uint64_t end = gaps->v[i].off + gaps->v[i].len;
			uint64_t off = ALIGN_UP(gaps->v[i].off, align), avail;

			if (off >= end)
				continue;
			avail = end - off;
			if (avail < len)
				avail = ALIGN_DOWN(avail, align);
			avail = MIN(avail, len);
			if (avail > best_len) {
				best = i;
				best_off = off;
				best_len = avail;
			}
		}
		if (best == SIZE_MAX)
			return -ENOSPC;
		k = gap_cut(gaps, best, best_off, best_len);
		if (k >= 0)
			k = spans_add(ret, best_off, best_len);
		if (k < 0)
			return k;
		len -= best_len;
	}
	return 0;
}

int space_take(struct spans *gaps, uint64_t len, enum space_where where, const struct spans *apart,
	       struct spans *ret)
{
	uint64_t align = len >= PKRAM_HUGE ? PKRAM_HUGE : PKRAM_BLOCK;
	struct spans saved_gaps = {};
	size_t saved_n = ret->n;
	int k;

	if (!len)
		return 0;
	k = take_one(gaps, len, align, where, apart, ret);
	if (k == -ENOSPC && apart)
		k = take_one(gaps, len, align, where, NULL, ret);
	if (k != -ENOSPC)
		return k;
	/* No gap holds it whole: in pieces, on 2 MiB if that goes, else on any block. */
	k = spans_copy(gaps, &saved_gaps);
	if (k >= 0)
		k = take_many(gaps, len, align, ret);
	if (k == -ENOSPC && align != PKRAM_BLOCK) {
		ret->n = saved_n;
		k = spans_copy(&saved_gaps, gaps);
		if (k >= 0)
			k = take_many(gaps, len, PKRAM_BLOCK, ret);
	}
	spans_done(&saved_gaps);
	return k;
}

uint64_t space_extend(struct spans *gaps, struct span *last, uint64_t len)
{
	for (size_t i = 0; i < gaps->n; i++) {
		struct span *g = &gaps->v[i];
		uint64_t more = MIN(g->len, len);

		if (g->len == 0 || g->off != last->off + last->len)
			continue;
		g->off += more;
		g->len -= more;
		last->len += more;
		return more;
	}
	return 0;
}
