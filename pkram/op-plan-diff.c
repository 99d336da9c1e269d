/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A unified diff of one change in one place, which is all that a plan makes.
 */
#include "op-plan.h"

#define CONTEXT 3

struct lines {
	const char **v;	/* each begins a line; one more for the end */
	size_t n;
};

static int split(const char *text, struct lines *ret)
{
	size_t cap = 0;

	*ret = (struct lines){ 0 };
	for (const char *p = text ? text : "";; p = strchrnul(p, '\n'), p += *p == '\n') {
		int r = array_grow(&ret->v, &cap, ret->n + 1, sizeof(*ret->v));

		if (r < 0)
			return r;
		ret->v[ret->n] = p;
		if (!*p)
			return 0;
		ret->n++;
	}
}

static bool same_line(const struct lines *a, size_t i, const struct lines *b, size_t j)
{
	size_t len = (size_t)(a->v[i + 1] - a->v[i]);

	return len == (size_t)(b->v[j + 1] - b->v[j]) && memcmp(a->v[i], b->v[j], len) == 0;
}

static void put_lines(FILE *f, char sign, const struct lines *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		int len = (int)(l->v[i + 1] - l->v[i]);

		fprintf(f, "%c%.*s", sign, len, l->v[i]);
		if (l->v[i][len - 1] != '\n')
			fputs("\n\\ No newline at end of file\n", f);
	}
}

/* "3,2": from line 3 two lines; of none, the line before. */
static void put_range(FILE *f, char sign, size_t from, size_t n)
{
	fprintf(f, " %c%zu", sign, from + (n ? 1 : 0));
	if (n != 1)
		fprintf(f, ",%zu", n);
}

static void put_diff(FILE *f, const char *path, const struct lines *a, bool no_a,
		     const struct lines *b, bool no_b)
{
	size_t head = 0, tail = 0, from, end;

	while (head < a->n && head < b->n && same_line(a, head, b, head))
		head++;
	while (tail < a->n - head && tail < b->n - head &&
	       same_line(a, a->n - 1 - tail, b, b->n - 1 - tail))
		tail++;
	from = head - MIN(head, (size_t)CONTEXT);
	end = MIN(tail, (size_t)CONTEXT);
	fprintf(f, "--- %s\n+++ %s\n@@", no_a ? "/dev/null" : path, no_b ? "/dev/null" : path);
	put_range(f, '-', from, a->n - tail + end - from);
	put_range(f, '+', from, b->n - tail + end - from);
	fputs(" @@\n", f);
	put_lines(f, ' ', a, from, head);
	put_lines(f, '-', a, head, a->n - tail);
	put_lines(f, '+', b, head, b->n - tail);
	put_lines(f, ' ', a, a->n - tail, a->n - tail + end);
}

int op_plan_diff(FILE *f, const char *path, const char *old, const char *new)
{
	struct lines a = { 0 }, b = { 0 };
	int r;

	r = split(old, &a);
	if (r == 0)
		r = split(new, &b);
	if (r == 0)
		put_diff(f, path, &a, !old, &b, !new);
	free(a.v);
	free(b.v);
	return r;
}
