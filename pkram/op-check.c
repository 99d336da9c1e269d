/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of checks before a jump, and the list of what they found. Staging runs the same table
 * and goes on only where no row fails.
 */
#include "op-check.h"

#include <stdarg.h>

/* --- the list --- */

struct item {
	struct pkram_check pub;
	struct pkram_check_finding *findings;	/* own the strings */
	size_t cap;
};

struct pkram_check_list {
	struct item *v;
	size_t n, cap;
};

struct pkram_check_list *pkram_check_list_free(struct pkram_check_list *list)
{
	if (!list)
		return NULL;
	for (size_t i = 0; i < list->n; i++) {
		for (size_t f = 0; f < list->v[i].pub.n_findings; f++) {
			free((char *)list->v[i].findings[f].reason);
			free((char *)list->v[i].findings[f].remedy);
		}
		free(list->v[i].findings);
	}
	free(list->v);
	free(list);
	return NULL;
}

size_t pkram_check_list_count(const struct pkram_check_list *list)
{
	return list->n;
}

const struct pkram_check *pkram_check_list_get(const struct pkram_check_list *list, size_t index)
{
	return index < list->n ? &list->v[index].pub : NULL;
}

bool pkram_check_list_safe(const struct pkram_check_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].pub.result == PKRAM_CHECK_FAILS)
			return false;
	return true;
}

static int add_item(struct pkram_check_list *list, const char *name)
{
	int r = array_grow(&list->v, &list->cap, list->n + 1, sizeof(*list->v));

	if (r < 0)
		return r;
	list->v[list->n++] = (struct item){ .pub.name = name };
	return 0;
}

/* To the row that is running. */
static int add_finding(struct check *c, enum pkram_check_result result, const char *reason,
		       const char *remedy)
{
	struct item *item = &c->list->v[c->list->n - 1];
	struct pkram_check_finding f = { .result = result, .reason = strdup(reason),
					 .remedy = strdup(remedy ? remedy : "") };
	size_t n = item->pub.n_findings;
	int r = f.reason && f.remedy ? array_grow(&item->findings, &item->cap, n + 1,
						  sizeof(*item->findings)) :
				       -ENOMEM;

	if (r < 0) {
		free((char *)f.reason);
		free((char *)f.remedy);
		return r;
	}
	item->findings[n] = f;
	item->pub.findings = item->findings;
	item->pub.n_findings = n + 1;
	item->pub.result = MAX(item->pub.result, result);
	return 0;
}

/* --- what a row says --- */

/* The caller hears of it as it comes when staging; a check has its list. */
static void relay(struct check *c, int priority, const char *reason, const char *remedy)
{
	if (!c->staging && c->row)
		priority = PKRAM_LOG_DEBUG;
	if (remedy)
		ctx_log_remedy(c->caller, priority, remedy, "%s", reason);
	else
		ctx_log(c->caller, priority, "%s", reason);
}

static void on_finding(void *userdata, int priority, const char *reason, const char *remedy)
{
	struct check *c = userdata;

	relay(c, priority, reason, remedy);
	if (c->row && priority <= PKRAM_LOG_WARNING &&
	    add_finding(c, priority < PKRAM_LOG_WARNING ? PKRAM_CHECK_FAILS : PKRAM_CHECK_WARNING,
			reason, remedy) < 0)
		c->no_memory = true;
}

void check_note(struct check *c, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		c->no_memory = true;
		return;
	}
	pkram_log_debug(c->caller, "%s: %s", c->row->name, text);
	if (add_finding(c, PKRAM_CHECK_OK, text, NULL) < 0)
		c->no_memory = true;
}

/* --- the table --- */

static bool names(const char *line, const char *word)
{
	struct kexec_word w;

	while (kexec_param_next(&line, &w))
		if (kexec_word_named(&w, word))
			return true;
	return false;
}

static int check_command_line(struct check *c)
{
	/* The id takes its room on the line also where it is not known yet. */
	static const char any_id[] = "00000000000000000000000000000000";
	int r = kexec_command_line(c->ctx, c->o->command_line, c->o->append,
				   c->jump_id ? c->jump_id : any_id, &c->line);

	if (r == 0)
		r = kexec_effective_line(c->ctx, c->config, c->line, &c->read);
	if (r < 0)
		return r;
	if (strchr(c->line, '\n')) {
		pkram_log_refusal(c->ctx, "give it as one line", "the next command line has a "
				  "newline in it");
		return -EUCLEAN;
	}
	if (names(c->read, "elfcorehdr")) {
		pkram_log_refusal(c->ctx, "leave it out with --command-line",
				  "with elfcorehdr= on the next command line the kernel takes "
				  "itself for one after a crash: it restores nothing");
		return -EUCLEAN;
	}
	if (!names(c->read, "pkram.jump")) {
		pkram_log_refusal(c->ctx, "choose one with --kernel that reads its line",
				  "kernel %s is built to pass over the line that it is given: it "
				  "would not know of the jump",
				  c->kernel.version);
		return -EUCLEAN;
	}
	check_note(c, "%s", c->line);
	if (strcmp(c->read, c->line) != 0)
		check_note(c, "with what the kernel is built with: %s", c->read);
	return 0;
}

/* In the order in which they are worth reading. */
static const struct check_row rows[] = {
	{ "region", check_region, 0, CHECK_HAVE_CONTAINERS },
	{ "kernel", check_kernel, 0, CHECK_HAVE_KERNEL },
	{ "initrd", check_initrd, CHECK_HAVE_KERNEL },
	{ "command-line", check_command_line, 0, CHECK_HAVE_LINE },
	{ "drivers", check_drivers,
	  CHECK_HAVE_CONTAINERS | CHECK_HAVE_KERNEL | CHECK_HAVE_LINE },
	{ "nodes", check_nodes, CHECK_HAVE_CONTAINERS },
	{ "writers", check_writers, CHECK_HAVE_CONTAINERS, .again = true },
	{ "sources", check_sources, CHECK_HAVE_CONTAINERS, .again = true },
	{ "units", check_units, CHECK_HAVE_CONTAINERS },
	{ "content", check_content, CHECK_HAVE_CONTAINERS },
	{ "reservation", check_reservation, CHECK_HAVE_CONTAINERS | CHECK_HAVE_LINE },
	{ "other-memory", check_other_memory, CHECK_HAVE_CONTAINERS | CHECK_HAVE_LINE },
	{ "firmware-map", check_firmware_map, CHECK_HAVE_CONTAINERS },
	{ "kmem", check_kmem,
	  CHECK_HAVE_CONTAINERS | CHECK_HAVE_KERNEL | CHECK_HAVE_LINE },
	{ "devices", check_devices, CHECK_HAVE_CONTAINERS },
	{ "kexec", check_kexec },
	{ "signature", check_signature, CHECK_HAVE_KERNEL },
	{ "loaded", check_loaded },
	{ "systemd", check_systemd },
	{ "cold-boot", check_cold_boot, CHECK_HAVE_CONTAINERS },
};

static const char *missing(const struct check *c, const struct check_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].gives & row->needs & ~c->have)
			return rows[i].name;
	return NULL;
}

/* A row that says nothing against the jump has found it right. */
static int run_row(struct check *c, const struct check_row *row)
{
	const char *lacks = missing(c, row);
	_cleanup_free_ char *text = NULL;
	const struct pkram_check *made;
	int r = add_item(c->list, row->name);

	if (r < 0)
		return r;
	if (lacks) {
		if (asprintf(&text, "%s comes first", lacks) < 0) {
			text = NULL;
			return -ENOMEM;
		}
		return add_finding(c, PKRAM_CHECK_SKIPPED, text, NULL);
	}
	c->row = row;
	r = row->run(c);
	made = pkram_check_list_get(c->list, c->list->n - 1);
	/* What was met below the checks has gone to the log by itself. */
	if (r < 0 && made->result != PKRAM_CHECK_FAILS)
		r = add_finding(c, PKRAM_CHECK_FAILS, strerror(-r), NULL) < 0 ? -ENOMEM : r;
	c->row = NULL;
	if (c->no_memory)
		return -ENOMEM;
	if (r == 0 && made->result == PKRAM_CHECK_FAILS)
		r = -EUCLEAN;
	if (r == 0)
		c->have |= row->gives;
	return r;
}

/* All reasons against the jump are said at once; but not what follows from a lack of memory. */
static int run_rows(struct check *c, bool again)
{
	int bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = again && !rows[i].again ? 0 : run_row(c, &rows[i]);

		if (r == -ENOMEM || r == -ECANCELED)
			return r;
		/* Without a region, the rest is not what was asked for. */
		if (r < 0 && c->staging && rows[i].gives & CHECK_HAVE_CONTAINERS)
			return r;
		if (r < 0 && (bad == 0 || bad == -EUCLEAN))
			bad = r;
	}
	return bad;
}

int check_run(struct check *c, const char *jump_id)
{
	c->jump_id = jump_id;
	return run_rows(c, false);
}

int check_run_again(struct check *c)
{
	return run_rows(c, true);
}

int check_begin(struct check *c, struct pkram_region *region, const struct pkram_stage_options *o,
		bool staging)
{
	int r;

	*c = (struct check){ .look = *region, .caller = region->ctx, .o = o, .staging = staging };
	c->list = calloc(1, sizeof(*c->list));
	if (!c->list)
		return -ENOMEM;
	r = ctx_quiet(region->ctx, &c->ctx);
	if (r < 0)
		return r;
	c->ctx->finding_fn = on_finding;
	c->ctx->finding_userdata = c;
	c->look.ctx = c->ctx;
	return 0;
}

void check_done(struct check *c)
{
	pkram_check_list_free(c->list);
	containers_done(&c->all);
	free(c->keep);
	kexec_kernel_done(&c->kernel);
	free(c->config);
	free(c->running_config);
	kexec_initrd_done(&c->initrd);
	free(c->line);
	free(c->read);
	pkram_unref(c->ctx);
}

/* --- the call --- */

int check_stage_options(struct pkram_ctx *ctx, const struct pkram_stage_options *o)
{
	int k = op_check_options(ctx, "staging", o, sizeof(*o));

	if (k >= 0)
		k = op_check_flags(ctx, "staging", o->flags,
				   PKRAM_STAGE_NO_SYSTEMD | PKRAM_STAGE_TRUST_TIMES |
				   PKRAM_STAGE_VERIFY);
	if (k >= 0 && (unsigned int)o->method > PKRAM_STAGE_METHOD_LOAD)
		k = log_error_errno(ctx, -EINVAL, "staging: no method %u", (unsigned int)o->method);
	if (k >= 0 && o->append && o->command_line)
		k = log_error_errno(
			ctx, -EINVAL,
			"staging: words to append and a whole command line exclude each other");
	return k;
}

int pkram_check(struct pkram_region *region, const struct pkram_stage_options *opts,
		struct pkram_check_list **ret_list)
{
	static const struct pkram_stage_options none = { .struct_size = sizeof(none) };
	const struct pkram_stage_options *o = opts ? opts : &none;
	_cleanup_(check_done) struct check c = { 0 };
	int k;

	k = check_stage_options(region->ctx, o);
	if (k >= 0)
		k = op_check_kernel(region->ctx);
	if (k >= 0)
		k = check_begin(&c, region, o, false);
	if (k >= 0)
		k = check_run(&c, NULL);
	if (k == -ENOMEM || k == -ECANCELED || !c.list || !c.list->n)
		return k;
	*ret_list = TAKE_PTR(c.list);
	return 0;
}
