/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Staging a jump, taking it back, jumping.
 *
 * A jump ends the running kernel for every container of the machine, so all of them are looked at,
 * and all of them carry its record: what lies in any of them is fresh in the next kernel.
 */
#include <endian.h>
#include <sys/random.h>

#include "jump.h"
#include "kexec.h"
#include "machine.h"
#include "op.h"
#include "tree.h"

/* --- the containers of this machine --- */

struct container {
	char *spec;
	struct machine_device device;
	struct store *store;	/* NULL: damaged; its memory is kept all the same */
	bool ours;		/* the store is to be closed */
};

struct containers {
	struct container *v;
	size_t n, cap;
};

static void containers_done(struct containers *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].ours)
			store_close(c->v[i].store);
		free(c->v[i].spec);
	}
	free(c->v);
}

static int containers_add(struct containers *c, const struct machine_device *d, const char *spec,
			  struct store *store, bool ours)
{
	char *copy = strdup(spec);
	int k;

	k = copy ? array_grow(&c->v, &c->cap, c->n + 1, sizeof(*c->v)) : -ENOMEM;
	if (k < 0) {
		free(copy);
		return k;
	}
	c->v[c->n++] = (struct container){ .spec = copy, .device = *d, .store = store,
					   .ours = ours };
	return 0;
}

/*
 * A container that nobody named. One that cannot be opened is no reason to lose it. One that came
 * by the last jump arrives now, as it would by being opened: the new record takes the place of the
 * old one.
 */
static int add_other(struct pkram_ctx *ctx, struct containers *c, const struct machine_device *d,
		     const char *spec)
{
	struct store *store = NULL;
	struct region *bytes;
	int k;

	k = region_open(ctx, spec, false, &bytes);
	if (k >= 0)
		k = store_open(bytes, &store);
	if (k < 0) {
		pkram_log_warning(ctx, "%s: its container cannot be opened; its memory is kept",
				  spec);
		return containers_add(c, d, spec, NULL, false);
	}
	k = store_region(store)->read_only ? 0 : jump_claim(store);
	if (k < 0)
		log_error_errno(ctx, k, "%s: cannot record the arrival of its nodes: %m", spec);
	else
		k = containers_add(c, d, spec, store, true);
	if (k < 0)
		store_close(store);
	return k;
}

static int containers_find(struct pkram_region *region, struct containers *c)
{
	const struct region *mine = store_region(region->store);
	_cleanup_free_ struct machine_device *devices = NULL;
	struct pkram_ctx *quiet;
	bool found = false;
	size_t n = 0;
	int k;

	k = machine_devices(region->ctx, &devices, &n);
	if (k < 0)
		return log_error_errno(region->ctx, k, "cannot look for regions: %m");
	k = ctx_quiet(region->ctx, &quiet);
	if (k < 0)
		return k;
	for (size_t i = 0; i < n && k >= 0; i++) {
		const struct machine_device *d = &devices[i];
		char spec[sizeof(d->path) + 8];

		snprintf(spec, sizeof(spec), "%s:%s",
			 d->kind == MACHINE_DEVICE_PMEM ? "pmem" : "devdax", d->path);
		if (strcmp(d->path, mine->path) == 0) {
			found = true;
			k = containers_add(c, d, mine->spec, region->store, false);
		} else if (!d->system_ram && op_holds_container(quiet, spec)) {
			k = add_other(region->ctx, c, d, spec);
		}
	}
	pkram_unref(quiet);
	if (k < 0 || found)
		return k;
	if (!region_survives(mine))
		pkram_log_error(region->ctx,
				"%s: a file does not survive the jump: save into reserved memory",
				mine->spec);
	else
		pkram_log_error(region->ctx, "%s: the kernel does not show where its memory lies",
				mine->spec);
	return -EUCLEAN;
}

/* --- what must be kept --- */

/* Whether the firmware itself calls all of the memory so: then the next kernel does, too. */
static bool firmware_describes(struct pkram_ctx *ctx, const struct machine_device *d,
			       const char *type)
{
	for (unsigned int i = 0;; i++) {
		_cleanup_free_ char *text = NULL;
		uint64_t start, end;
		char path[64];

		snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/type", i);
		if (machine_read(ctx, path, &text, NULL) < 0)
			return false;
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/start", i);
		if (strcmp(text, type) != 0 || machine_read_u64(ctx, path, &start) < 0)
			continue;
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%u/end", i);
		if (machine_read_u64(ctx, path, &end) == 0 && start <= d->res_phys &&
		    end >= d->res_phys + (d->res_size - 1))
			return true;
	}
}

/* Memory of another kind than these two is the firmware's (NFIT). */
static char keep_kind(struct pkram_ctx *ctx, const struct machine_device *d)
{
	if (d->legacy)
		return firmware_describes(ctx, d, "Persistent Memory (legacy)") ? 0 : '!';
	if (d->soft_reserved)
		return firmware_describes(ctx, d, "Soft Reserved") ? 0 : '%';
	return 0;
}

static int check_reservations(struct pkram_ctx *ctx, const struct containers *c, const char *line)
{
	_cleanup_free_ struct kexec_keep *keep = calloc(c->n, sizeof(*keep));

	if (!keep)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		const struct machine_device *d = &c->v[i].device;

		if (!d->res_phys || !d->res_size) {
			pkram_log_error(ctx,
					"%s: cannot tell the address of its memory (only root can)",
					c->v[i].spec);
			return -EUCLEAN;
		}
		keep[i] = (struct kexec_keep){ .what = c->v[i].spec, .phys = d->res_phys,
					       .size = d->res_size, .kind = keep_kind(ctx, d) };
	}
	return kexec_check_reservations(ctx, line, keep, c->n);
}

/* --- what is saved --- */

struct check {
	const char *const *leave_behind;
	size_t n_leave_behind;
	bool trust_times;
	bool again;	/* staging said what is there: only what is against the jump is said now */
};

static bool left_behind(const struct check *o, const char *name)
{
	for (size_t i = 0; i < o->n_leave_behind; i++)
		if (strcmp(o->leave_behind[i], name) == 0)
			return true;
	return false;
}

/* What was saved in this boot should be what is lost with it. */
/*
 * `restored`: the node came by the last jump, and its source was restored from it: new inodes and
 * times are no change then, only other bytes are.
 */
static int check_source(struct pkram_ctx *ctx, const struct check *o, const struct store_node *n,
			bool restored)
{
	int k;

	/* What is gone cannot be newer. */
	if (access(n->source, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	k = tree_source_check(ctx, n->source, n->fingerprint);
	if (k == -ESTALE && restored)
		k = op_compare_source(ctx, n);
	else if (k == 0 && !o->trust_times)
		k = op_compare_source(ctx, n);
	switch (k) {
	case 0:
	case -ENOENT:
		return 0;
	case -EBUSY:
		pkram_log_error(ctx,
				"%s: %s is open for writing: stop its writers and save it again, "
				"or use --leave-behind '%s'",
				n->name, n->source, n->name);
		break;
	case -ESTALE:
		pkram_log_error(ctx,
				"%s: %s has changed since it was saved: save it again, or use "
				"--leave-behind '%s'",
				n->name, n->source, n->name);
		break;
	default:
		log_error_errno(
			ctx, k,
			"%s: cannot look at %s (%m): save it again, or use --leave-behind '%s'",
			n->name, n->source, n->name);
	}
	return -EUCLEAN;
}

static void list_node(const struct pkram_region *region, const char *spec,
		      const struct pkram_jump *arrival, const struct store_node *n)
{
	enum pkram_freshness f = jump_freshness(arrival, region->boot_id, n->boot_id);
	const char *kind = n->kind == PKRAM_NODE_KIND_TREE ? "tree" : "stream";
	char age[48];

	if (n->damaged) {
		pkram_log_warning(region->ctx, "%s: a node is damaged ('pkram verify' says more)",
				  spec);
		return;
	}
	op_age(n->saved_at, age);
	if (f == PKRAM_FRESH_THIS_BOOT)
		pkram_log_info(region->ctx, "%s: %s %s, saved %s", spec, kind, n->name, age);
	else if (f == PKRAM_FRESH_JUMPED && !op_restored(region, n))
		pkram_log_warning(region->ctx,
				  "%s: %s %s, saved %s, came by the last jump and is not restored "
				  "yet: after this one only --stale serves it",
				  spec, kind, n->name, age);
	else
		pkram_log_info(region->ctx, "%s: %s %s, saved %s by an earlier boot: stale", spec,
			       kind, n->name, age);
}

static int check_node(const struct pkram_region *region, const char *spec,
		      const struct pkram_jump *arrival, const struct check *o,
		      const struct store_node *n)
{
	if (n->writing)
		return 0;
	if (!o->again)
		list_node(region, spec, arrival, n);
	if (n->damaged || n->kind != PKRAM_NODE_KIND_TREE || !*n->source || left_behind(o, n->name))
		return 0;
	switch (jump_freshness(arrival, region->boot_id, n->boot_id)) {
	case PKRAM_FRESH_THIS_BOOT:
		return check_source(region->ctx, o, n, false);
	case PKRAM_FRESH_JUMPED:
		return op_restored(region, n) ? check_source(region->ctx, o, n, true) : 0;
	case PKRAM_FRESH_STALE:
		break;
	}
	return 0;
}

/* Half of a save would be lost. */
static int check_writers(struct pkram_ctx *ctx, const struct container *c, struct store_info *ret)
{
	int k = store_info(c->store, ret);

	if (k < 0 || !ret->writers)
		return k;
	pkram_log_error(
		ctx, "%s: %llu node%s being written: wait for the saves to end, or end them",
		c->spec, (unsigned long long)ret->writers, ret->writers == 1 ? " is" : "s are");
	return -EUCLEAN;
}

static int check_container(const struct pkram_region *region, const struct container *c,
			   const struct check *o, size_t *found)
{
	struct store_node *nodes;
	struct store_info info;
	size_t n;
	int bad, k;

	bad = check_writers(region->ctx, c, &info);
	if (bad < 0 && bad != -EUCLEAN)
		return bad;
	k = store_nodes(c->store, &nodes, &n);
	if (k < 0)
		return k;
	for (size_t i = 0; i < n; i++) {
		k = check_node(region, c->spec, &info.arrival, o, &nodes[i]);
		if (k < 0)
			bad = k;
		*found += !nodes[i].writing && !nodes[i].damaged && left_behind(o, nodes[i].name);
		store_node_done(&nodes[i]);
	}
	free(nodes);
	return bad;
}

static int check_nodes(const struct pkram_region *region, const struct containers *c,
		       const struct check *o)
{
	size_t found = 0;
	int bad = 0;

	for (size_t i = 0; i < c->n; i++) {
		int k = c->v[i].store ? check_container(region, &c->v[i], o, &found) : 0;

		if (k < 0 && k != -EUCLEAN)
			return k;
		if (k < 0)
			bad = k;
	}
	if (found < o->n_leave_behind && !o->again)
		pkram_log_warning(region->ctx, "--leave-behind names %zu nodes that are not there",
				  o->n_leave_behind - found);
	return bad;
}

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

static int new_id(struct pkram_ctx *ctx, uint8_t id[16], char text[33])
{
	if (getrandom(id, 16, 0) != 16)
		return log_error_errno(ctx, -errno, "no random numbers: %m");
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
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

static int check_stage_options(struct pkram_ctx *ctx, const struct pkram_stage_options *o)
{
	int k = op_check_options(ctx, "staging", o, sizeof(*o));

	if (k >= 0)
		k = op_check_flags(ctx, "staging", o->flags,
				   PKRAM_STAGE_CHECK_ONLY | PKRAM_STAGE_TRUST_TIMES);
	if (k >= 0 && o->append && o->command_line)
		k = log_error_errno(
			ctx, -EINVAL,
			"staging: words to append and a whole command line exclude each other");
	return k;
}

static int load(struct pkram_region *region, const struct containers *c, struct record *rec,
		const struct kexec_kernel *kernel, const char *line)
{
	int k = kexec_load(region->ctx, kernel, line);

	if (k < 0) {
		/* What was loaded before is gone, too. */
		edit_records(region->ctx, c, rec, edit_forget);
		return k;
	}
	k = edit_records(region->ctx, c, rec, edit_stage);
	if (k < 0) {
		edit_records(region->ctx, c, rec, edit_forget);
		kexec_unload(region->ctx);
	}
	return k;
}

/* All reasons against the jump are said at once. */
static int prove(struct pkram_region *region, const struct containers *c,
		 const struct pkram_stage_options *o, const char *line)
{
	const struct check check = { .leave_behind = o->leave_behind,
				     .n_leave_behind = o->n_leave_behind,
				     .trust_times = o->flags & PKRAM_STAGE_TRUST_TIMES };
	int nodes = check_nodes(region, c, &check);
	int map = check_reservations(region->ctx, c, line);
	int able = kexec_possible(region->ctx);

	return nodes < 0 ? nodes : map < 0 ? map : able;
}

int pkram_stage(struct pkram_region *region, const struct pkram_stage_options *opts)
{
	static const struct pkram_stage_options none = { .struct_size = sizeof(none) };
	const struct pkram_stage_options *o = opts ? opts : &none;
	_cleanup_(containers_done) struct containers all = { 0 };
	_cleanup_(kexec_kernel_done) struct kexec_kernel kernel = { 0 };
	_cleanup_free_ char *line = NULL;
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	char id[33];
	int k;

	k = check_stage_options(region->ctx, o);
	if (k >= 0)
		k = may_change(region);
	if (k >= 0)
		k = containers_find(region, &all);
	if (k >= 0)
		k = kexec_kernel_choose(region->ctx, o->kernel, o->initrd, &kernel);
	if (k >= 0)
		k = new_id(region->ctx, rec.id, id);
	if (k >= 0)
		k = kexec_command_line(region->ctx, o->command_line, o->append, id, &line);
	if (k >= 0)
		k = prove(region, &all, o, line);
	if (k < 0 || o->flags & PKRAM_STAGE_CHECK_ONLY)
		return k;
	return load(region, &all, &rec, &kernel, line);
}

/* The kernel goes first: a record without it is harmless, it without a record is not. */
int pkram_stage_cancel(struct pkram_region *region)
{
	_cleanup_(containers_done) struct containers all = { 0 };
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	int k;

	k = may_change(region);
	if (k >= 0)
		k = containers_find(region, &all);
	if (k >= 0 && kexec_loaded(region->ctx))
		k = kexec_unload(region->ctx);
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

int pkram_jump(struct pkram_region *region, const struct pkram_jump_options *opts)
{
	static const struct pkram_jump_options none = { .struct_size = sizeof(none) };
	const struct pkram_jump_options *o = opts ? opts : &none;
	_cleanup_(containers_done) struct containers all = { 0 };
	struct record rec = { .ctx = region->ctx, .boot = region->boot_id };
	int k;

	k = check_jump_options(region->ctx, o);
	if (k >= 0)
		k = may_change(region);
	if (k >= 0)
		k = containers_find(region, &all);
	if (k >= 0)
		k = check_staged(region, &all, &rec);
	if (k >= 0)
		k = check_nodes(region, &all,
				&(struct check){ .leave_behind = o->leave_behind,
						 .n_leave_behind = o->n_leave_behind,
						 .trust_times = o->flags & PKRAM_JUMP_TRUST_TIMES,
						 .again = true });
	if (k < 0)
		return k;
	k = edit_records(region->ctx, &all, &rec, edit_arm);
	if (k >= 0)
		k = kexec_jump(region->ctx, o->flags & PKRAM_JUMP_NO_SYSTEMD);
	if (k < 0)
		edit_records(region->ctx, &all, &rec, edit_disarm);
	return k;
}
