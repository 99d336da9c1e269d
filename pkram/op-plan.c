/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Planning a region on this machine: what is known of its memory, its boot loader and the words
 * that are there already goes into the plan; what comes out is put into words.
 */
#include "machine.h"
#include "op-plan.h"

#include <inttypes.h>

/* What firmware and boot loader use at the top of RAM beside the initrd, which is copied once. */
#define ROOM_BIOS (256 * MIB)
#define ROOM_UEFI (512 * MIB)
#define ROOM_COPY (128 * MIB)

struct inputs {
	struct machine_ranges firmware, iomem;
	struct machine_area *nodes;
	char *line, *settings;
	struct kexec_plan_machine machine;
};

static void inputs_done(struct inputs *in)
{
	machine_ranges_done(&in->firmware);
	machine_ranges_done(&in->iomem);
	free(in->nodes);
	free(in->line);
	free(in->settings);
}

static int read_maps(struct pkram_ctx *ctx, struct inputs *in)
{
	int r = machine_firmware_map(ctx, &in->firmware);

	if (r == -ENOENT)
		return log_error_errno(ctx, -EOPNOTSUPP,
				       "no /sys/firmware/memmap: a region is planned from the "
				       "firmware's memory map, which x86 has");
	if (r < 0)
		return r;
	r = machine_iomem(ctx, &in->iomem);
	if (r == -EPERM)
		return log_error_errno(ctx, r, "/proc/iomem shows its addresses to root alone: "
					       "run this as root");
	return r;
}

static int check_node(struct pkram_ctx *ctx, const struct pkram_plan_options *o,
		      const struct kexec_plan_machine *m)
{
	if (!(o->flags & PKRAM_PLAN_ON_NODE))
		return 0;
	for (size_t i = 0; i < m->n_nodes; i++)
		if (m->nodes[i].node == (int)o->node)
			return 0;
	if (!m->n_nodes)
		pkram_log_error(ctx, "this kernel does not show which memory belongs to a node");
	else
		pkram_log_error(ctx, "no memory on node %u; see 'numactl --hardware'", o->node);
	return -ENOENT;
}

static int read_inputs(struct pkram_ctx *ctx, const struct pkram_plan_options *o,
		       enum kexec_loader loader, struct inputs *in)
{
	struct kexec_plan_machine *m = &in->machine;
	int r = read_maps(ctx, in);

	if (r == 0)
		r = op_plan_next(ctx, loader, &in->line, &in->settings);
	if (r == 0)
		r = machine_node_memory(ctx, &in->nodes, &m->n_nodes);
	if (r < 0)
		return r;
	m->firmware = &in->firmware;
	m->iomem = &in->iomem;
	m->nodes = in->nodes;
	m->line = in->line;
	m->settings = in->settings;
	m->boots_high = machine_exists(ctx, "/sys/firmware/efi");
	machine_initrd(ctx, &m->initrd, &m->initrd_size);
	m->boot_room = MAX(m->boots_high ? ROOM_UEFI : ROOM_BIOS,
			   MIN(2 * MIN(m->initrd_size, GIB) + ROOM_COPY, 4 * GIB));
	/* Where kexec puts one, no boot loader does. */
	if (machine_came_by_kexec(ctx))
		m->initrd_size = 0;
	return check_node(ctx, o, m);
}

/* --- in words --- */

/* As a size that can be asked for. */
static void put_size(FILE *f, uint64_t v)
{
	bool whole = IS_ALIGNED(v, GIB);

	fprintf(f, "%" PRIu64 " %s", v / (whole ? GIB : MIB), whole ? "GiB" : "MiB");
}

static void put_reason(FILE *f, const struct kexec_plan *p, const struct kexec_plan_wish *w)
{
	switch (p->limit) {
	case KEXEC_PLAN_FITS:
		break;
	case KEXEC_PLAN_FIRMWARE:
		fputs("no usable range of the firmware's map is that large", f);
		break;
	case KEXEC_PLAN_BOOT:
		fputs("firmware and boot loader use the rest of the largest range", f);
		break;
	case KEXEC_PLAN_TAKEN:
		fputs("what is reserved already leaves no piece that large", f);
		break;
	case KEXEC_PLAN_NODE:
		fprintf(f, "node %d has no free piece that large", w->node);
		break;
	case KEXEC_PLAN_CONVERT:
		fputs("a soft-reserved region must start no lower than its own size", f);
		break;
	case KEXEC_PLAN_SYSTEM:
		fputs("the system needs at least 512 MiB", f);
		break;
	}
}

/* What a wish without that condition would give, where it is more. */
static void put_other(FILE *f, struct pkram_ctx *quiet, const struct inputs *in,
		      const struct kexec_plan *p, const struct kexec_plan_wish *other,
		      const char *how)
{
	struct kexec_plan q = { 0 };

	if (kexec_plan(quiet, &in->machine, other, &q) == 0 && q.size > p->size) {
		fprintf(f, "; %s ", how);
		put_size(f, q.size);
		fputs(q.size < other->size ? " would fit" : " fit", f);
	}
	kexec_plan_done(&q);
}

static int explain_limit(struct pkram_ctx *ctx, const struct inputs *in,
			 const struct kexec_plan *p, const struct kexec_plan_wish *w, char **ret)
{
	struct kexec_plan_wish anywhere = *w, pmem = *w;
	struct pkram_ctx *quiet;
	size_t len;
	int r = ctx_quiet(ctx, &quiet);
	FILE *f = r == 0 ? open_memstream(ret, &len) : NULL;

	if (!f) {
		if (r == 0)
			pkram_unref(quiet);
		return -ENOMEM;
	}
	put_reason(f, p, w);
	fputs(": the largest that fits is ", f);
	if (p->size)
		put_size(f, p->size);
	else
		fputs("none", f);
	anywhere.node = -1;
	pmem.kind = '!';
	if (w->node >= 0)
		put_other(f, quiet, in, p, &anywhere, "without --node");
	if (w->kind == '%')
		put_other(f, quiet, in, p, &pmem, "with --kind devdax");
	pkram_unref(quiet);
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

/* What is used and cannot be given up has to fit beside the region. */
static void warn_use(struct pkram_ctx *ctx, const struct kexec_plan *p)
{
	uint64_t available, cgroup;

	if (!machine_exists(ctx, "/proc/meminfo") || machine_memory(ctx, &available, &cgroup) < 0 ||
	    p->ram - MIN(p->ram, available) <= p->left)
		return;
	pkram_log_warning(ctx,
			  "%" PRIu64 " MiB are in use now, more than the %" PRIu64
			  " MiB that would be left",
			  (p->ram - MIN(p->ram, available)) / MIB, p->left / MIB);
}

static void warn(struct pkram_ctx *ctx, const struct kexec_plan *p)
{
	if (p->spans)
		pkram_log_warning(ctx, "the region would lie on several memory nodes: two regions, "
				       "one on each, are faster");
	if (p->kaslr_off)
		pkram_log_warning(ctx, "with more than four ranges in memmap= the kernel places "
				       "itself at random (KASLR) no more");
	warn_use(ctx, p);
}

static void fill_info(const struct pkram_plan_options *o, const struct kexec_plan_wish *w,
		      struct pkram_plan *plan)
{
	const struct kexec_plan *p = &plan->plan;

	plan->info = (struct pkram_plan_info){
		.kind = o->kind, .wanted = w->size, .limit = plan->limit, .start = p->start,
		.size = p->size, .node = p->node, .ram = p->ram, .left = p->left,
		.pages = p->pages, .fixed_kernel = p->kaslr_off, .word = p->word,
		.extends = p->extends, .command_line = p->line, .config = plan->config,
		.config_word = plan->config_word,
	};
}

static int name_config(struct pkram_ctx *ctx, enum kexec_loader loader, const char *word,
		       char **ret_file, char **ret_word)
{
	bool grub = loader == KEXEC_LOADER_GRUB;
	char *file = strdup(grub ? op_plan_grub_file(ctx) : KEXEC_INSTALL_FILE), *form = NULL;
	int r = file ? 0 : -ENOMEM;

	if (r == 0 && grub)
		r = op_plan_grub_form(word, &form);
	else if (r == 0 && !(form = strdup(word)))
		r = -ENOMEM;
	if (r < 0) {
		free(file);
		return r;
	}
	*ret_file = file;
	*ret_word = form;
	return 0;
}

static int make_plan(struct pkram_ctx *ctx, const struct pkram_plan_options *o,
		     const struct kexec_plan_wish *w, struct pkram_plan *plan)
{
	_cleanup_(inputs_done) struct inputs in = { 0 };
	int r;

	r = kexec_boot_loader(ctx, &plan->loader);
	if (r == 0)
		r = read_inputs(ctx, o, plan->loader, &in);
	if (r == 0)
		r = kexec_plan(ctx, &in.machine, w, &plan->plan);
	if (r == 0 && plan->plan.limit != KEXEC_PLAN_FITS)
		r = explain_limit(ctx, &in, &plan->plan, w, &plan->limit);
	if (r == 0 && plan->plan.size && plan->loader != KEXEC_LOADER_UNKNOWN)
		r = name_config(ctx, plan->loader, plan->plan.word, &plan->config,
				&plan->config_word);
	if (r == 0 && plan->plan.size)
		warn(ctx, &plan->plan);
	if (r == 0)
		fill_info(o, w, plan);
	return r;
}

static int check_options(struct pkram_ctx *ctx, const struct pkram_plan_options *o,
			 struct kexec_plan_wish *ret)
{
	int r = op_check_options(ctx, "planning", o, sizeof(*o));

	if (r >= 0)
		r = op_check_flags(ctx, "planning", o->flags, PKRAM_PLAN_ON_NODE);
	if (r < 0)
		return r;
	*ret = (struct kexec_plan_wish){
		.node = o->flags & PKRAM_PLAN_ON_NODE ? (int)o->node : -1,
		.kind = o->kind == PKRAM_PLAN_SOFT_RESERVED ? '%' : '!',
		.pages_per_gib = o->kind == PKRAM_PLAN_PMEM ? KEXEC_PLAN_PAGES_PMEM :
								KEXEC_PLAN_PAGES_DEVDAX,
	};
	if ((unsigned int)o->kind > PKRAM_PLAN_SOFT_RESERVED || !o->size ||
	    !align_up_u64(o->size, KEXEC_PLAN_ALIGN, &ret->size))
		return log_error_errno(ctx, -EINVAL, "planning: no such kind or size of a region");
	return 0;
}

int pkram_plan_new(struct pkram_ctx *ctx, const struct pkram_plan_options *opts,
		   struct pkram_plan **ret_plan)
{
	struct kexec_plan_wish wish;
	struct pkram_plan *plan;
	int r = check_options(ctx, opts, &wish);

	if (r < 0)
		return r;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return -ENOMEM;
	r = make_plan(ctx, opts, &wish, plan);
	if (r < 0)
		pkram_plan_free(plan);
	else
		*ret_plan = plan;
	return r;
}

struct pkram_plan *pkram_plan_free(struct pkram_plan *plan)
{
	if (plan) {
		kexec_plan_done(&plan->plan);
		free(plan->limit);
		free(plan->config);
		free(plan->config_word);
		free(plan);
	}
	return NULL;
}

const struct pkram_plan_info *pkram_plan_get_info(const struct pkram_plan *plan)
{
	return &plan->info;
}
