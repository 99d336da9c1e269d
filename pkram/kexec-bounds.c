/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keeping kexec_load away from the regions. There kexec-tools choose the place of the new kernel's
 * segments, by a map that does not know memmap=: so they are given bounds inside which there is
 * nothing but RAM, and what they did with them is read from what they print.
 */
#include "kexec-bounds.h"
#include "kexec.h"
#include "machine.h"

#include <inttypes.h>

/* Below it lie what BIOS and real mode use. */
#define LOWEST MIB
/* One of the segments, kexec-tools' own code, goes nowhere above 2 GiB. */
#define LOW_END (2 * GIB)
#define LOW_NEED (16 * MIB)

/* --- the bounds --- */

static void take_hole(uint64_t start, uint64_t end, struct kexec_bounds *best)
{
	start = MAX(start, (uint64_t)LOWEST);
	if (end < start || start > LOW_END - LOW_NEED || end - start < LOW_NEED)
		return;
	if (!best->max || end - start > best->max - best->min)
		*best = (struct kexec_bounds){ start, end };
}

/* What a piece of RAM holds of no region: with the regions in order, each cuts off its front. */
static void take_piece(uint64_t start, uint64_t end, const struct kexec_keep *keep, size_t n,
		       struct kexec_bounds *best)
{
	for (;;) {
		const struct kexec_keep *first = NULL;

		for (size_t i = 0; i < n; i++)
			if (keep[i].phys <= end && keep[i].phys + (keep[i].size - 1) >= start &&
			    (!first || keep[i].phys < first->phys))
				first = &keep[i];
		if (!first) {
			take_hole(start, end, best);
			return;
		}
		if (first->phys > start)
			take_hole(start, first->phys - 1, best);
		if (first->phys + (first->size - 1) >= end)
			return;
		start = first->phys + first->size;
	}
}

int kexec_bounds_find(const struct machine_ranges *iomem, const struct kexec_keep *keep, size_t n,
		      struct kexec_bounds *ret)
{
	struct kexec_bounds best = { 0 };
	uint64_t start = 0, end = 0;

	for (size_t i = 0; i < iomem->n; i++) {
		const struct machine_range *r = &iomem->v[i];

		if (r->depth || strcmp(r->name, "System RAM") != 0)
			continue;
		/* Pieces that touch are one. */
		if (!end || r->start != end + 1) {
			if (end)
				take_piece(start, end, keep, n, &best);
			start = r->start;
		}
		end = r->end;
	}
	if (end)
		take_piece(start, end, keep, n, &best);
	if (!best.max)
		return -ENOSPC;
	*ret = best;
	return 0;
}

/* --- the segments --- */

struct segments {
	uint64_t mem[KEXEC_SEGMENTS], size[KEXEC_SEGMENTS];
	bool have_mem[KEXEC_SEGMENTS], have_size[KEXEC_SEGMENTS];
	unsigned int n;	/* as they were counted */
	bool counted, odd;
};

static void read_segment(struct segments *s, const char *line)
{
	unsigned int i;
	uint64_t v;

	if (sscanf(line, "nr_segments = %u", &i) == 1) {
		s->odd |= s->counted || !i || i > KEXEC_SEGMENTS;
		s->counted = true;
		s->n = i;
	} else if (sscanf(line, "segment[%u].memsz = %" SCNx64, &i, &v) == 2) {
		s->odd |= i >= KEXEC_SEGMENTS || s->have_size[i];
		if (!s->odd) {
			s->size[i] = v;
			s->have_size[i] = true;
		}
	} else if (sscanf(line, "segment[%u].mem = %" SCNx64, &i, &v) == 2) {
		s->odd |= i >= KEXEC_SEGMENTS || s->have_mem[i];
		if (!s->odd) {
			s->mem[i] = v;
			s->have_mem[i] = true;
		}
	}
}

static bool are_whole(const struct segments *s)
{
	if (s->odd || !s->counted)
		return false;
	for (unsigned int i = 0; i < KEXEC_SEGMENTS; i++) {
		bool wanted = i < s->n;

		if (s->have_mem[i] != wanted || s->have_size[i] != wanted)
			return false;
	}
	return true;
}

static const struct kexec_keep *hit(uint64_t start, uint64_t end, const struct kexec_keep *keep,
				    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i].phys <= end && keep[i].phys + (keep[i].size - 1) >= start)
			return &keep[i];
	return NULL;
}

int kexec_segments_check(struct pkram_ctx *ctx, const char *told, const struct kexec_bounds *bounds,
			 const struct kexec_keep *keep, size_t n)
{
	struct segments s = { .n = 0 };

	for (const char *l = told; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
		read_segment(&s, l);
	if (!are_whole(&s)) {
		pkram_log_error(ctx, "kexec -d does not say where it put the new kernel");
		return -EUCLEAN;
	}
	for (unsigned int i = 0; i < s.n; i++) {
		const struct kexec_keep *k;
		uint64_t end;

		if (!s.size[i] || add_overflows(s.mem[i], s.size[i] - 1, &end)) {
			pkram_log_error(ctx, "kexec -d tells of a segment that cannot be");
			return -EUCLEAN;
		}
		k = hit(s.mem[i], end, keep, n);
		if (!k && s.mem[i] >= bounds->min && end <= bounds->max)
			continue;
		pkram_log_error(ctx,
				"kexec put %#" PRIx64 " bytes of the new kernel at %#" PRIx64
				", %s%s, against its bounds",
				s.size[i], s.mem[i], k ? "into " : "outside of them",
				k ? k->what : "");
		return -EUCLEAN;
	}
	return 0;
}
