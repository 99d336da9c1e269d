/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a region may lie.
 *
 * The boot loader reads no memmap=, so a region must also lie where it puts nothing: GRUB places
 * the kernel from 16 MiB up and the initrd below 896 MiB; the kernel's EFI stub asks the firmware
 * for the highest free memory, as the firmware does for itself. So the first GiB is left out, and
 * room at the top of RAM below 4 GiB (with UEFI, also at the very top), and the surroundings of the
 * initrd's last place. In what remains the lowest place above 4 GiB is taken: it is the farthest
 * from the top, where also crashkernel=,high goes and kexec -c puts its segments, and the memory
 * below 4 GiB, which devices and the crash kernel need, stays with the system.
 */
#include "kexec.h"
#include "machine.h"

#define LOW_END (4 * GIB)
#define LOADER_END GIB
#define SYSTEM_MIN (512 * MIB)	/* a kernel and its services do not start with less */
#define UNKNOWN_SIZE (16 * MIB)	/* of what a word names by its address alone */
#define ADDRESS_END (UINT64_C(1) << 52)

/* --- sets of areas --- */

struct areas {
	struct machine_area *v;
	size_t n, cap;
};

static void areas_done(struct areas *a)
{
	free(a->v);
}

static int areas_add(struct areas *a, uint64_t start, uint64_t end, int node)
{
	int r;

	if (start >= end)
		return 0;
	r = array_grow(&a->v, &a->cap, a->n + 1, sizeof(*a->v));
	if (r == 0)
		a->v[a->n++] = (struct machine_area){ start, end, node };
	return r;
}

/* Takes [start, end) away; where start is end, it only cuts. */
static int areas_cut(struct areas *a, uint64_t start, uint64_t end)
{
	size_t n = a->n;

	for (size_t i = 0; i < n; i++) {
		struct machine_area old = a->v[i];
		int r;

		if (end < start || end <= old.start || start >= old.end)
			continue;
		a->v[i].end = MAX(start, old.start);
		r = areas_add(a, MAX(end, old.start), old.end, old.node);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_start(const void *pa, const void *pb)
{
	const struct machine_area *a = pa, *b = pb;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* In order, and without those of which nothing is left. */
static void areas_sort(struct areas *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].start < a->v[i].end)
			a->v[n++] = a->v[i];
	a->n = n;
	if (n)
		qsort(a->v, n, sizeof(*a->v), by_start);
}

/* --- what is free --- */

static bool is_ram(const struct machine_range *r)
{
	return strcmp(r->name, "System RAM") == 0;
}

static uint64_t range_end(const struct machine_range *r)
{
	return MIN(r->end, ADDRESS_END - 1) + 1;
}

static int add_firmware(struct areas *a, const struct machine_ranges *firmware)
{
	int r = 0;

	for (size_t i = 0; i < firmware->n && r == 0; i++)
		if (is_ram(&firmware->v[i]))
			r = areas_add(a, firmware->v[i].start, range_end(&firmware->v[i]), -1);
	/* Nobody keeps a firmware from saying that a part of RAM is something else, too. */
	for (size_t i = 0; i < firmware->n && r == 0; i++)
		if (!is_ram(&firmware->v[i]))
			r = areas_cut(a, firmware->v[i].start, range_end(&firmware->v[i]));
	areas_sort(a);
	return r;
}

/* The end of RAM below `limit`. */
static uint64_t top_below(const struct areas *a, uint64_t limit)
{
	uint64_t top = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].start < limit)
			top = MAX(top, MIN(a->v[i].end, limit));
	return top;
}

static int cut_boot(struct areas *a, const struct kexec_plan_machine *m)
{
	uint64_t low = top_below(a, LOW_END), high = top_below(a, ADDRESS_END);
	uint64_t len = m->initrd_size, end;
	int r;

	r = areas_cut(a, 0, LOADER_END);
	if (r == 0 && low)
		r = areas_cut(a, low - MIN(low, m->boot_room), low);
	if (r == 0 && m->boots_high && high > LOW_END)
		r = areas_cut(a, MAX(LOW_END, high - MIN(high, m->boot_room)), high);
	/* It may grow, in both directions. */
	if (r == 0 && len && !mul_overflows(len, UINT64_C(2), &end) &&
	    !add_overflows(m->initrd, end, &end))
		r = areas_cut(a, m->initrd - MIN(len, m->initrd), end);
	if (r == 0)
		r = areas_cut(a, LOW_END, LOW_END);
	areas_sort(a);
	return r;
}

static int cut_reach(void *arg, const struct kexec_word *w, uint64_t start, uint64_t size)
{
	uint64_t end;

	(void)w;
	if (add_overflows(start, size ? size : UNKNOWN_SIZE, &end))
		end = UINT64_MAX;
	return areas_cut(arg, start, end);
}

static int cut_line(struct areas *a, const char *line, const struct kexec_memmaps *maps, char kind)
{
	int r = 0;

	for (size_t i = 0; i < maps->n && r == 0; i++) {
		const struct kexec_memmap *e = &maps->v[i];

		if (e->kind != KEXEC_MEMMAP_LIMIT)
			r = areas_cut(a, e->start, e->start + e->size);
		else	/* '%' needs RAM; '!' needs none, but is cut in two where it ends */
			r = areas_cut(a, e->size, kind == '%' ? UINT64_MAX : e->size);
	}
	return r == 0 ? kexec_words_reach(line, cut_reach, a) : r;
}

/*
 * What the running kernel has put into RAM. Its own image is not there for good: the next one
 * keeps clear of the region by the words on its line.
 */
static int cut_iomem(struct areas *a, const struct machine_ranges *iomem)
{
	int r = 0;

	for (size_t i = 0; i < iomem->n && r == 0; i++) {
		const struct machine_range *m = &iomem->v[i];

		if (!is_ram(m) && !(m->depth && strncmp(m->name, "Kernel ", 7) == 0))
			r = areas_cut(a, m->start, range_end(m));
	}
	return r;
}

static int cut_taken(struct areas *a, const struct kexec_plan_machine *m,
		     const struct kexec_memmaps *maps, char kind)
{
	int r = cut_line(a, m->line, maps, kind);

	if (r == 0)
		r = cut_iomem(a, m->iomem);
	areas_sort(a);
	return r;
}

/* The parts of the areas that belong to a node (-1: to any), each with its node. */
static int split_nodes(const struct areas *a, const struct kexec_plan_machine *m, int node,
		       struct areas *ret)
{
	int r = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < m->n_nodes && r == 0; k++)
			if (node < 0 || m->nodes[k].node == node)
				r = areas_add(ret, MAX(a->v[i].start, m->nodes[k].start),
					      MIN(a->v[i].end, m->nodes[k].end), m->nodes[k].node);
	areas_sort(ret);
	return r;
}

/* --- places --- */

struct place {
	uint64_t start, size;
	int node;
};

static uint64_t system_ram(const struct machine_ranges *iomem)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < iomem->n; i++)
		if (!iomem->v[i].depth && is_ram(&iomem->v[i]))
			sum += range_end(&iomem->v[i]) - MIN(iomem->v[i].start, ADDRESS_END);
	return sum;
}

static uint64_t areas_sum(const struct areas *a)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < a->n; i++)
		sum += a->v[i].end - MIN(a->v[i].start, a->v[i].end);
	return sum;
}

/* Of the struct pages of so much of a word's range; a '!' may become devdax, or stay pmem. */
static uint64_t pages_of_word(char kind, uint64_t size)
{
	uint64_t per_gib = kind == KEXEC_MEMMAP_PMEM ? KEXEC_PLAN_PAGES_PMEM :
			   kind == KEXEC_MEMMAP_CONVERT ? KEXEC_PLAN_PAGES_DEVDAX : 0;

	return size / (GIB / MIB) * (per_gib / MIB);
}

/* Less what words take of it that do not run yet, and their struct pages. */
static int system_ram_next(const struct machine_ranges *iomem, const struct kexec_memmaps *maps,
			   uint64_t *ret)
{
	_cleanup_(areas_done) struct areas a = { 0 };
	uint64_t pages = 0, sum;
	int r = 0;

	for (size_t i = 0; i < iomem->n && r == 0; i++)
		if (!iomem->v[i].depth && is_ram(&iomem->v[i]))
			r = areas_add(&a, iomem->v[i].start, range_end(&iomem->v[i]), -1);
	sum = areas_sum(&a);
	for (size_t i = 0; i < maps->n && r == 0; i++) {
		const struct kexec_memmap *e = &maps->v[i];
		uint64_t before = sum;

		if (e->kind == KEXEC_MEMMAP_LIMIT || e->kind == KEXEC_MEMMAP_RAM)
			continue;
		r = areas_cut(&a, e->start, e->start + e->size);
		sum = areas_sum(&a);
		pages += pages_of_word((char)e->kind, before - sum);
	}
	*ret = sum - MIN(sum, pages);
	return r;
}

/* Bytes of [start, end) that are the system's now. */
static uint64_t ram_in(const struct machine_ranges *iomem, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < iomem->n; i++) {
		uint64_t lo = MAX(iomem->v[i].start, start), hi = MIN(range_end(&iomem->v[i]), end);

		if (!iomem->v[i].depth && is_ram(&iomem->v[i]) && lo < hi)
			sum += hi - lo;
	}
	return sum;
}

static uint64_t pages_of(const struct kexec_plan_wish *wish, uint64_t size)
{
	return size / KEXEC_PLAN_ALIGN * (wish->pages_per_gib / (GIB / KEXEC_PLAN_ALIGN));
}

/* Which step leaves less than was wished, in the order in which they are taken. */
struct steps {
	struct areas free;	/* all steps but nodes */
	struct areas split;	/* cut at the borders of nodes, or the wished one's */
	uint64_t ram;		/* of the system at the next boot, without the region */
	enum kexec_plan_limit limit;
};

static void steps_done(struct steps *s)
{
	areas_done(&s->free);
	areas_done(&s->split);
}

/* The largest size that leaves the system enough, in an area that is its now or not. */
static uint64_t system_cap(const struct steps *s, const struct kexec_plan_machine *m,
			   const struct kexec_plan_wish *wish, const struct machine_area *a)
{
	uint64_t unit = pages_of(wish, KEXEC_PLAN_ALIGN);

	if (ram_in(m->iomem, a->start, a->end))
		unit += KEXEC_PLAN_ALIGN;
	return (s->ram - MIN(s->ram, SYSTEM_MIN)) / unit * KEXEC_PLAN_ALIGN;
}

/* A '%' region is out of the decompressor's reach only from its own size up. */
static uint64_t lowest_start(const struct kexec_plan_wish *wish, uint64_t size)
{
	return wish->kind == '%' ? size : 0;
}

static bool place_in(const struct machine_area *a, uint64_t align, uint64_t lowest, uint64_t size,
		     struct place *ret)
{
	uint64_t start;

	if (!align_up_u64(MAX(a->start, lowest), align, &start) || start > a->end ||
	    a->end - start < size)
		return false;
	*ret = (struct place){ start, size, a->node };
	return true;
}

/* 1 GiB: one huge page entry maps it; 128 MiB: memory blocks, in which it can be lent. */
static bool find_place(const struct steps *s, const struct areas *a,
		       const struct kexec_plan_machine *m, const struct kexec_plan_wish *wish,
		       uint64_t size, struct place *ret)
{
	static const uint64_t aligns[] = { GIB, 128 * MIB, KEXEC_PLAN_ALIGN };

	for (int low = 0; low < 2; low++)
		for (size_t k = 0; k < ARRAY_SIZE(aligns); k++)
			for (size_t i = 0; i < a->n; i++)
				if ((a->v[i].start < LOW_END) == low &&
				    size <= system_cap(s, m, wish, &a->v[i]) &&
				    place_in(&a->v[i], aligns[k], lowest_start(wish, size), size,
					     ret))
					return true;
	return false;
}

/* The largest size that fits into an area; `rule`: a start no lower than that. */
static uint64_t largest_in(const struct machine_area *a, bool rule)
{
	uint64_t start = ALIGN_UP(a->start, KEXEC_PLAN_ALIGN);
	uint64_t end = ALIGN_DOWN(a->end, KEXEC_PLAN_ALIGN);

	if (rule)
		start = MAX(start, ALIGN_UP(end / 2, KEXEC_PLAN_ALIGN));
	return end > start ? end - start : 0;
}

static uint64_t largest(const struct areas *a, bool rule)
{
	uint64_t best = 0;

	for (size_t i = 0; i < a->n; i++)
		best = MAX(best, largest_in(&a->v[i], rule));
	return best;
}

/* With all that holds for a place. */
static uint64_t largest_place(const struct steps *s, const struct areas *a,
			      const struct kexec_plan_machine *m,
			      const struct kexec_plan_wish *wish)
{
	uint64_t best = 0;

	for (size_t i = 0; i < a->n; i++)
		best = MAX(best, MIN(largest_in(&a->v[i], wish->kind == '%'),
				     system_cap(s, m, wish, &a->v[i])));
	return best;
}

/* --- the plan --- */

static void judge(struct steps *s, const struct areas *a, bool rule, uint64_t size,
		  enum kexec_plan_limit limit)
{
	if (s->limit == KEXEC_PLAN_FITS && largest(a, rule) < size)
		s->limit = limit;
}

static int take_steps(const struct kexec_plan_machine *m, const struct kexec_memmaps *maps,
		      const struct kexec_plan_wish *wish, struct steps *s)
{
	int r = system_ram_next(m->iomem, maps, &s->ram);

	if (r == 0)
		r = add_firmware(&s->free, m->firmware);
	judge(s, &s->free, false, wish->size, KEXEC_PLAN_FIRMWARE);
	if (r == 0)
		r = cut_boot(&s->free, m);
	judge(s, &s->free, false, wish->size, KEXEC_PLAN_BOOT);
	if (r == 0)
		r = cut_taken(&s->free, m, maps, wish->kind);
	judge(s, &s->free, false, wish->size, KEXEC_PLAN_TAKEN);
	if (r == 0)
		r = split_nodes(&s->free, m, wish->node, &s->split);
	if (wish->node >= 0)
		judge(s, &s->split, false, wish->size, KEXEC_PLAN_NODE);
	judge(s, wish->node >= 0 ? &s->split : &s->free, wish->kind == '%', wish->size,
	      KEXEC_PLAN_CONVERT);
	return r;
}

static bool choose(const struct steps *s, const struct kexec_plan_machine *m,
		   const struct kexec_plan_wish *wish, struct kexec_plan *p, struct place *ret)
{
	const struct areas *all = wish->node >= 0 ? &s->split : &s->free;
	uint64_t size = wish->size;

	p->limit = s->limit;
	if (!find_place(s, &s->split, m, wish, size, ret) &&
	    !find_place(s, all, m, wish, size, ret)) {
		if (p->limit == KEXEC_PLAN_FITS)
			p->limit = KEXEC_PLAN_SYSTEM;
		size = largest_place(s, all, m, wish);
		if (!size || (!find_place(s, &s->split, m, wish, size, ret) &&
			      !find_place(s, all, m, wish, size, ret)))
			return false;
	}
	return true;
}

static bool spans_nodes(const struct kexec_plan_machine *m, const struct place *at)
{
	bool one = false;

	for (size_t i = 0; i < m->n_nodes; i++)
		one |= m->nodes[i].start <= at->start && m->nodes[i].end >= at->start + at->size;
	return m->n_nodes && !one;
}

static int plan(struct pkram_ctx *ctx, const struct kexec_plan_machine *m,
		const struct kexec_memmaps *maps, const struct kexec_plan_wish *wish,
		struct kexec_plan *p)
{
	_cleanup_(steps_done) struct steps s = { 0 };
	struct kexec_memmap region;
	struct place at;
	int r;

	p->ram = system_ram(m->iomem);
	r = take_steps(m, maps, wish, &s);
	if (r < 0 || !choose(&s, m, wish, p, &at))
		return r;
	region = kexec_memmap_reserving(wish->kind, at.start, at.size);
	r = kexec_plan_line(ctx, m, maps, &region, p);
	if (r < 0)
		return r;
	p->start = at.start;
	p->size = at.size;
	p->node = at.node;
	p->spans = spans_nodes(m, &at);
	p->pages = pages_of(wish, at.size);
	p->left = s.ram - ram_in(m->iomem, at.start, at.start + at.size) - p->pages;
	return 0;
}

int kexec_plan(struct pkram_ctx *ctx, const struct kexec_plan_machine *m,
	       const struct kexec_plan_wish *wish, struct kexec_plan *ret)
{
	_cleanup_(kexec_memmaps_done) struct kexec_memmaps maps = { 0 };
	struct kexec_plan p = { .node = -1 };
	struct kexec_plan_advice advice = { .ctx = ctx };
	struct pkram_ctx *says;
	int r = kexec_plan_says(&advice, &says);

	if (r < 0)
		return r;
	r = kexec_memmaps_parse(says, m->line, &maps);
	pkram_unref(says);
	if (r == 0 && maps.exactmap)
		r = log_error_errno(ctx, -EOPNOTSUPP,
				    "memmap=exactmap on the command line replaces the firmware's "
				    "map: a place in it has to be chosen by hand");
	if (r == 0)
		r = plan(ctx, m, &maps, wish, &p);
	if (r < 0)
		kexec_plan_done(&p);
	else
		*ret = p;
	return r;
}
