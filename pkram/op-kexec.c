/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Staging a jump, taking it back, jumping. Whether it is safe is for the checks to say
 * (op-check.h).
 */
#include <endian.h>
#include <sys/random.h>

#include "jump.h"
#include "op-staged.h"

/* --- the jump record --- */

struct record {
	struct pkram_ctx *ctx;
	const uint8_t *boot;
	uint8_t id[16];
};

static bool is_mine(const struct record *rec, const struct pkram_jump *j)
{
	uint32_t state = le32toh(j->state);

	return (state == PKRAM_JUMP_STAGED || state == PKRAM_JUMP_ARMED) &&
	       memcmp(j->old_boot, rec->boot, sizeof(j->old_boot)) == 0;
}

static bool is_this(const struct record *rec, const struct pkram_jump *j)
{
	return is_mine(rec, j) && memcmp(j->id, rec->id, sizeof(j->id)) == 0;
}

static int edit_stage(void *arg, struct store_jump *j)
{
	const struct record *rec = arg;

	j->record = (struct pkram_jump){ .state = htole32(PKRAM_JUMP_STAGED),
					 .staged_at = htole64((uint64_t)machine_now()) };
	memcpy(j->record.id, rec->id, sizeof(j->record.id));
	memcpy(j->record.old_boot, rec->boot, sizeof(j->record.old_boot));
	jump_staged(rec->ctx, j);
	return 0;
}

/* Another record, of a container that came later or of a later staging, is not touched. */
static int edit_arm(void *arg, struct store_jump *j)
{
	const struct record *rec = arg;

	if (!is_this(rec, &j->record))
		return -EALREADY;
	j->record.state = htole32(PKRAM_JUMP_ARMED);
	j->record.armed_at = htole64((uint64_t)machine_now());
	jump_armed(rec->ctx, j);
	return 0;
}

static int edit_disarm(void *arg, struct store_jump *j)
{
	if (!is_this(arg, &j->record))
		return -EALREADY;
	j->record.state = htole32(PKRAM_JUMP_STAGED);
	j->record.armed_at = 0;
	jump_disarmed(j);
	return 0;
}

static int edit_forget(void *arg, struct store_jump *j)
{
	if (!is_mine(arg, &j->record))
		return -EALREADY;
	*j = (struct store_jump){ 0 };
	return 0;
}

/* Edits the record of each container; the first failure counts, all are tried. */
static int edit_records(struct pkram_ctx *ctx, const struct containers *c, struct record *rec,
			int (*edit)(void *, struct store_jump *))
{
	int r = 0;

	for (size_t i = 0; i < c->n; i++) {
		int k = c->v[i].store ? store_update_jump(c->v[i].store, edit, rec) : 0;

		if (k >= 0 || k == -EALREADY)
			continue;
		log_error_errno(ctx, k, "%s: cannot write the jump record: %m", c->v[i].spec);
		r = r ? r : k;
	}
	return r;
}

static void id_text(const struct record *rec, char text[33])
{
	for (size_t i = 0; i < sizeof(rec->id); i++)
		snprintf(text + 2 * i, 3, "%02x", rec->id[i]);
}

static int new_id(struct record *rec)
{
	if (getrandom(rec->id, sizeof(rec->id), 0) != sizeof(rec->id))
		return log_error_errno(rec->ctx, -errno, "no random numbers: %m");
	return 0;
}

/* --- the calls --- */

static int may_change(const struct pkram_region *region)
{
	int k = op_check_kernel(region->ctx);

	if (k < 0)
		return k;
	if (region->read_only) {
		pkram_log_error(region->ctx, "the region was opened read-only");
		return -EROFS;
	}
	return 0;
}

/* What cannot be unloaded would be jumped into, and finds all stale without its records. */
static void take_back(struct pkram_ctx *ctx, const struct containers *all, struct record *rec)
{
	if (kexec_loaded(ctx) && kexec_unload(ctx) < 0)
		return;
	edit_records(ctx, all, rec, edit_forget);
	staged_forget(ctx);
}

static int load(struct pkram_region *region, const struct check *c, struct record *rec)
{
	int k = kexec_load(region->ctx, &c->kernel, c->line, c->method, c->keep, c->all.n);

	if (k >= 0)
		k = staged_write(region->ctx, c, c->jump_id);
	if (k >= 0)
		k = edit_records(region->ctx, &c->all, rec, edit_stage);
	if (k < 0)
		take_back(region->ctx, &c->all, rec);
	return k;
}

static int stage(struct pkram_region *region, const struct pkram_stage_options *o,
		 struct record *rec, bool again)
{
	_cleanup_(check_done) struct check c = { 0 };
	char id[33];
	int k = new_id(rec);

	id_text(rec, id);
	if (k >= 0)
		k = check_begin(&c, region, o, true);
	c.again = again;
	if (k >= 0)
		k = check_run(&c, id);
	if (k >= 0)
		k = load(region, &c, rec);
	if (k >= 0)
		memcpy(region->staged, rec->id, sizeof(region->staged));
	return k;
}

int pkram_stage(struct pkram_region *region, const struct pkram_stage_options *opts)
{
	static const struct pkram_stage_options none = { .struct_size = sizeof(none) };
	const struct pkram_stage_options *o = opts ? opts : &none;
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	int k = check_stage_options(region->ctx, o);

	if (k >= 0)
		k = may_change(region);
	if (k >= 0)
		k = stage(region, o, &rec, false);
	/* Also for who jumps by 'systemctl kexec'. */
	if (k >= 0)
		kexec_service_start(region->ctx);
	return k;
}

int pkram_stage_unload(struct pkram_ctx *ctx)
{
	int k = op_check_kernel(ctx);

	if (k >= 0 && kexec_loaded(ctx))
		k = kexec_unload(ctx);
	if (k >= 0)
		staged_forget(ctx);
	return k;
}

/* The kernel goes first: a record without it is harmless, it without a record is not. */
int pkram_stage_cancel(struct pkram_region *region)
{
	_cleanup_(containers_done) struct containers all = { 0 };
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	int k;

	k = may_change(region);
	if (k >= 0)
		k = pkram_stage_unload(region->ctx);
	if (k >= 0)
		k = containers_find(region, &all);
	return k < 0 ? k : edit_records(region->ctx, &all, &rec, edit_forget);
}

/* The staged jump must be this boot's, whole, and known to every container. */
static int check_staged(struct pkram_region *region, const struct containers *c, struct record *rec)
{
	struct store_info info;
	int k;

	k = store_info(region->store, &info);
	if (k < 0)
		return k;
	if (!is_mine(rec, &info.jump) || !kexec_loaded(region->ctx)) {
		pkram_log_error(region->ctx,
				"no jump is staged by this boot: 'pkram kexec' stages one");
		return -EUCLEAN;
	}
	memcpy(rec->id, info.jump.id, sizeof(rec->id));
	for (size_t i = 0; i < c->n; i++) {
		k = c->v[i].store ? store_info(c->v[i].store, &info) : 0;
		if (k < 0)
			return k;
		if (!c->v[i].store || is_this(rec, &info.jump))
			continue;
		pkram_log_error(region->ctx,
				"%s: its container is newer than the staged jump: stage it again",
				c->v[i].spec);
		return -EUCLEAN;
	}
	return 0;
}

static int check_jump_options(struct pkram_ctx *ctx, const struct pkram_jump_options *o)
{
	int k = op_check_options(ctx, "the jump", o, sizeof(*o));

	return k < 0 ? k : op_check_flags(ctx, "the jump", o->flags,
					  PKRAM_JUMP_NO_SYSTEMD | PKRAM_JUMP_TRUST_TIMES);
}

static struct pkram_stage_options options_again(const struct pkram_jump_options *o)
{
	return (struct pkram_stage_options){
		.struct_size = sizeof(struct pkram_stage_options),
		.leave_behind = o->leave_behind, .n_leave_behind = o->n_leave_behind,
		.saved_later = o->saved_later, .n_saved_later = o->n_saved_later,
		.flags = (o->flags & PKRAM_JUMP_TRUST_TIMES ? PKRAM_STAGE_TRUST_TIMES : 0) |
			 (o->flags & PKRAM_JUMP_NO_SYSTEMD ? PKRAM_STAGE_NO_SYSTEMD : 0),
	};
}

/* Others may have loaded a kernel since, or changed what the jump depends on. */
static int stage_again(struct pkram_region *region, const struct pkram_jump_options *o,
		       struct record *rec)
{
	_cleanup_(staged_done) struct staged was = { 0 };
	struct pkram_stage_options again = options_again(o);
	char id[33];
	int k;

	id_text(rec, id);
	k = staged_read(region->ctx, id, &was);
	if (k < 0)
		return k;
	again.kernel = was.kernel;
	again.initrd = was.initrd;
	again.command_line = was.line;
	again.method = was.method;
	return stage(region, &again, rec, true);
}

/* Writers and sources once more: what this handle has staged is its own still. */
static int check_again(struct pkram_region *region, struct containers *all,
		       const struct pkram_jump_options *o)
{
	const struct pkram_stage_options again = options_again(o);
	_cleanup_(check_done) struct check c = { 0 };
	int k = check_begin(&c, region, &again, true);

	if (k < 0)
		return k;
	c.all = *all;
	c.have = CHECK_HAVE_CONTAINERS;
	k = check_run_again(&c);
	/* They are lent, and go back. */
	c.all = (struct containers){ 0 };
	return k;
}

/* The staged jump, as safe as it was. Its record is in *rec then. */
static int prove_again(struct pkram_region *region, const struct pkram_jump_options *o,
		       struct containers *all, struct record *rec)
{
	int k = check_jump_options(region->ctx, o);

	if (k >= 0)
		k = may_change(region);
	if (k >= 0)
		k = containers_find(region, all);
	if (k >= 0)
		k = containers_need_own(region, all);
	if (k >= 0)
		k = check_staged(region, all, rec);
	if (k < 0)
		return k;
	return memcmp(region->staged, rec->id, sizeof(rec->id)) == 0 ?
		check_again(region, all, o) : stage_again(region, o, rec);
}

static const struct pkram_jump_options no_jump_options = { .struct_size = sizeof(no_jump_options) };

int pkram_arm(struct pkram_region *region, const struct pkram_jump_options *opts)
{
	_cleanup_(containers_done) struct containers all = { 0 };
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	int k = prove_again(region, opts ? opts : &no_jump_options, &all, &rec);

	if (k < 0)
		return k;
	k = edit_records(region->ctx, &all, &rec, edit_arm);
	if (k < 0)
		edit_records(region->ctx, &all, &rec, edit_disarm);
	return k;
}

int pkram_jump(struct pkram_region *region, const struct pkram_jump_options *opts)
{
	const struct pkram_jump_options *o = opts ? opts : &no_jump_options;
	_cleanup_(containers_done) struct containers all = { 0 };
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	bool no_systemd = o->flags & PKRAM_JUMP_NO_SYSTEMD;
	int k = prove_again(region, o, &all, &rec);

	if (k < 0)
		return k;
	if (no_systemd || !kexec_service_runs(region->ctx))
		k = edit_records(region->ctx, &all, &rec, edit_arm);
	if (k >= 0)
		k = kexec_jump(region->ctx, no_systemd);
	if (k < 0)
		edit_records(region->ctx, &all, &rec, edit_disarm);
	return k;
}

int pkram_jump_is_queued(struct pkram_ctx *ctx)
{
	return kexec_queued(ctx);
}
