/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The account of the last jump: the moments that the container keeps, as phases on one line of
 * time, whose zero is the jump.
 */
#include <endian.h>

#include "jump.h"
#include "kexec.h"
#include "op.h"

/* A shorter pause between two restores is no phase; it is counted all the same. */
#define WAIT_MIN UINT64_C(1000000)

struct pkram_report {
	struct pkram_report_info info;
	struct store_node *nodes;	/* own the names */
	size_t n_nodes;
	struct pkram_phase *phases;
	size_t n, cap;
};

struct pkram_report *pkram_report_free(struct pkram_report *report)
{
	if (!report)
		return NULL;
	store_nodes_free(report->nodes, report->n_nodes);
	free(report->phases);
	free(report);
	return NULL;
}

const struct pkram_report_info *pkram_report_get_info(const struct pkram_report *report)
{
	return &report->info;
}

size_t pkram_report_count(const struct pkram_report *report)
{
	return report->n;
}

const struct pkram_phase *pkram_report_get(const struct pkram_report *report, size_t index)
{
	return index < report->n ? &report->phases[index] : NULL;
}

static int add(struct pkram_report *r, const struct pkram_phase *p)
{
	int k = array_grow(&r->phases, &r->cap, r->n + 1, sizeof(*r->phases));

	if (k < 0)
		return k;
	r->phases[r->n] = *p;
	if (!p->name)
		r->phases[r->n].name = "";
	r->n++;
	return 0;
}

static const struct store_node *node_of(const struct pkram_report *r, uint64_t id)
{
	for (size_t i = 0; i < r->n_nodes; i++)
		if (r->nodes[i].id == id && !r->nodes[i].damaged && !r->nodes[i].writing)
			return &r->nodes[i];
	return NULL;
}

/* --- before the jump --- */

static bool came_by(const struct store_info *info, const struct store_node *n)
{
	return !n->damaged && !n->writing && memcmp(n->boot_id, info->arrival.old_boot, 16) == 0;
}

static uint64_t set_bytes(const struct pkram_report *r, const struct store_info *info,
			  const struct store_node *n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_nodes; i++)
		if (came_by(info, &r->nodes[i]) && r->nodes[i].generation == n->generation)
			sum += r->nodes[i].size;
	return sum;
}

/* ns from the jump until the node was saved: by its boot's clock, else by the wall's. */
static int64_t saved_offset(const struct store_info *info, const struct jump_timeline *line,
			    const struct store_node *n)
{
	int64_t off;

	if (line->known && n->saved_up && n->saved_up <= line->armed)
		return (int64_t)n->saved_up - (int64_t)line->armed;
	if (__builtin_sub_overflow(n->saved_at, (int64_t)le64toh(info->arrival.armed_at), &off))
		return 0;
	return MIN(off, (int64_t)0);
}

static int add_saves(struct pkram_report *r, const struct store_info *info,
		     const struct jump_timeline *line)
{
	int k = 0;

	for (size_t i = 0; i < r->n_nodes && k >= 0; i++) {
		const struct store_node *n = &r->nodes[i];
		uint64_t took = n->save_took <= n->saved_up ? n->save_took : 0;
		struct pkram_phase p = { .kind = PKRAM_PHASE_SAVE, .name = n->name, .id = n->id,
					 .ns = took, .bytes = n->size };

		if (!came_by(info, n))
			continue;
		r->info.nodes++;
		p.moved = set_bytes(r, info, n);
		if (!__builtin_sub_overflow(saved_offset(info, line, n), (int64_t)took, &p.start))
			k = add(r, &p);
	}
	return k;
}

static int64_t staged_offset(const struct store_info *info, const struct jump_timeline *line)
{
	int64_t off;

	if (line->known && line->staged <= line->armed)
		return (int64_t)line->staged - (int64_t)line->armed;
	if (__builtin_sub_overflow((int64_t)le64toh(info->arrival.staged_at),
				   (int64_t)le64toh(info->arrival.armed_at), &off))
		return 0;
	return MIN(off, (int64_t)0);
}

/* --- after it --- */

static int add_boot(struct pkram_report *r, const struct jump_timeline *line)
{
	struct pkram_phase boot = { .kind = PKRAM_PHASE_BOOT, .ns = line->claimed };
	int k;

	r->info.boot = line->claimed;
	r->info.down = line->gap - line->claimed;
	boot.start = (int64_t)r->info.down;
	k = add(r, &(struct pkram_phase){ .kind = PKRAM_PHASE_DOWN, .ns = r->info.down });
	return k >= 0 && line->known ? add(r, &boot) : k;
}

/* Of what the container says, in ns from the jump; it may say anything. */
static bool restored_phase(const struct pkram_report *r, const struct jump_timeline *line,
			   const struct pkram_restored *e, struct pkram_phase *ret)
{
	uint64_t id = le64toh(e->id), end = le64toh(e->end), took = le64toh(e->took);
	const struct store_node *n = node_of(r, id);

	if (end < line->claimed || end - line->claimed > INT64_MAX / 4)
		return false;
	/* What opened the region did so before it restored. */
	took = MIN(took, end - line->claimed);
	*ret = (struct pkram_phase){ .kind = PKRAM_PHASE_RESTORE, .name = n ? n->name : NULL,
				     .id = id, .ns = took, .bytes = le64toh(e->bytes),
				     .moved = le64toh(e->bytes),
				     .start = (int64_t)(line->gap + (end - took - line->claimed)) };
	return true;
}

static int phase_cmp(const void *a, const void *b)
{
	const struct pkram_phase *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

/* Restores may overlap: time counts once. `at`: up to where it is accounted for. */
static int add_wait(struct pkram_report *r, int64_t until, int64_t *at)
{
	uint64_t ns;

	if (until <= *at)
		return 0;
	ns = (uint64_t)(until - *at);
	r->info.wait += ns;
	if (ns < WAIT_MIN)
		return 0;
	return add(r, &(struct pkram_phase){ .kind = PKRAM_PHASE_WAIT, .start = *at, .ns = ns });
}

/*
 * What is past the restores that are told: of the others, if there are any, else what a tree took
 * to appear once it was built.
 */
static int add_rest(struct pkram_report *r, const struct pkram_account *a,
		    const struct jump_timeline *line, uint64_t told_ns, int64_t at)
{
	uint64_t done = le64toh(a->done), took = le64toh(a->took), more;
	int64_t end = at;

	if (done >= line->claimed && done - line->claimed < INT64_MAX / 4)
		end = (int64_t)(line->gap + (done - line->claimed));
	if (end <= at)
		return 0;
	more = (uint64_t)(end - at);
	if (r->info.untold)
		more = MIN(more, took > told_ns ? took - told_ns : 0);
	r->info.restore += more;
	at += (int64_t)more;
	return add_wait(r, end, &at);
}

static int add_restores(struct pkram_report *r, const struct store_info *info,
			const struct jump_timeline *line)
{
	const struct pkram_account *a = &info->account;
	uint64_t n = MIN(le64toh(a->nodes), (uint64_t)PKRAM_RESTORED_MAX), told_ns = 0;
	struct pkram_phase phases[PKRAM_RESTORED_MAX];
	int64_t at = (int64_t)line->gap;
	size_t told = 0;
	int k = 0;

	for (uint64_t i = 0; i < n; i++)
		told += restored_phase(r, line, &a->restored[i], &phases[told]);
	if (told)
		qsort(phases, told, sizeof(*phases), phase_cmp);
	for (size_t i = 0; i < told && k >= 0; i++) {
		int64_t end = phases[i].start + (int64_t)phases[i].ns;

		k = add_wait(r, phases[i].start, &at);
		at = MAX(at, phases[i].start);
		r->info.restore += end > at ? (uint64_t)(end - at) : 0;
		at = MAX(at, end);
		told_ns += phases[i].ns;
		if (k >= 0)
			k = add(r, &phases[i]);
	}
	r->info.restored = le64toh(a->nodes);
	r->info.untold = r->info.restored - told;
	r->info.restored_bytes = le64toh(a->bytes);
	if (r->info.kernel_at && a->nodes &&
	    __builtin_add_overflow(r->info.kernel_at, le64toh(a->done), &r->info.restored_at))
		r->info.restored_at = 0;
	return k < 0 ? k : add_rest(r, a, line, told_ns, at);
}

/* Without an account, the marks of this boot's restores are all there is. */
static void count_restored(struct pkram_report *r, const struct pkram_region *region,
			   const struct store_info *info)
{
	for (size_t i = 0; i < r->n_nodes; i++)
		r->info.restored += came_by(info, &r->nodes[i]) &&
				    op_restored(region, &r->nodes[i]);
	r->info.untold = r->info.restored;
}

/* Those that are here were counted with their saves. What the container says may be anything. */
static void count_came(struct pkram_report *r, const struct store_info *info)
{
	uint64_t here = r->info.nodes;

	r->info.nodes = MAX(le64toh(info->account.came), MAX(here, r->info.restored));
	r->info.gone = r->info.nodes - here;
}

/* --- all of it --- */

static void describe(struct pkram_report *r, const struct pkram_region *region,
		     const struct store_info *info, const struct jump_timeline *line)
{
	const struct pkram_jump *a = &info->arrival;
	struct pkram_report_info *i = &r->info;

	memcpy(i->id, a->id, sizeof(i->id));
	i->jump = memcmp(a->claim_boot, region->boot_id, 16) == 0 ? PKRAM_JUMP_STATUS_ARRIVED :
								     PKRAM_JUMP_STATUS_PAST;
	i->next = jump_next(info, region->boot_id, kexec_loaded(region->ctx), &i->next_at);
	i->clock = line->clock;
	i->tsc_khz = line->tsc_khz;
	i->uncertainty = line->uncertainty;
	i->staged_at = (int64_t)le64toh(a->staged_at);
	i->jumped_at = (int64_t)le64toh(a->armed_at);
	i->available_at = (int64_t)le64toh(a->claimed_at);
	if (line->known &&
	    __builtin_sub_overflow(i->available_at, (int64_t)line->claimed, &i->kernel_at))
		i->kernel_at = 0;
}

static int build(struct pkram_report *r, struct pkram_region *region,
		 const struct store_info *info)
{
	const struct jump_timeline line = jump_timeline(info);
	int k;

	describe(r, region, info, &line);
	k = store_nodes(region->store, &r->nodes, &r->n_nodes);
	if (k >= 0)
		k = add_saves(r, info, &line);
	if (k >= 0)
		k = add(r, &(struct pkram_phase){ .kind = PKRAM_PHASE_STAGE,
						  .start = staged_offset(info, &line) });
	if (k >= 0)
		k = add_boot(r, &line);
	if (k >= 0 && line.known)
		k = add_restores(r, info, &line);
	else if (k >= 0)
		count_restored(r, region, info);
	if (k < 0)
		return k;
	count_came(r, info);
	r->info.downtime = r->info.down + r->info.boot + r->info.wait + r->info.restore;
	qsort(r->phases, r->n, sizeof(*r->phases), phase_cmp);
	return 0;
}

/* Why there is no account, from what stands there instead. */
static int no_arrival(struct pkram_region *region, const struct store_info *info)
{
	const char *why = "no jump has arrived here";
	int64_t at;

	switch (jump_next(info, region->boot_id, kexec_loaded(region->ctx), &at)) {
	case PKRAM_JUMP_STATUS_STAGED:
	case PKRAM_JUMP_STATUS_ARMED:
		why = "a jump is staged and has not happened yet; none has arrived here before";
		break;
	case PKRAM_JUMP_STATUS_PAST:
		why = le32toh(info->jump.state) == PKRAM_JUMP_ARMED ?
			      "an earlier boot was about to jump, but this kernel was not started "
			      "by that jump; none has arrived here" :
			      "an earlier boot staged a jump that never happened; none has arrived "
			      "here";
		break;
	default:
		break;
	}
	return log_error_errno(region->ctx, -ENODATA, "%s: nothing to report: %s",
			       store_region(region->store)->spec, why);
}

int pkram_report_new(struct pkram_region *region, struct pkram_report **ret_report)
{
	struct pkram_report *r;
	struct store_info info;
	int k;

	k = store_info(region->store, &info);
	if (k < 0)
		return k;
	if (le32toh(info.arrival.state) != PKRAM_JUMP_CLAIMED)
		return no_arrival(region, &info);
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	k = build(r, region, &info);
	if (k < 0) {
		pkram_report_free(r);
		return k;
	}
	*ret_report = r;
	return 0;
}
