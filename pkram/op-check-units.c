/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is saved only when the machine goes down: that it goes where it survives, and has room
 * there. When its save fails then, the jump is not armed, and all is lost that was to go with it.
 */
#include "op-check.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "tree.h"

/* --- where to --- */

static int refuse_target(struct check *c, const struct pkram_later *later, const char *spec,
			 bool is_file)
{
	_cleanup_free_ char *init = NULL;

	if (is_file) {
		pkram_log_refusal(c->ctx, "name reserved memory in the unit's file in /etc/pkram.d",
				  "%s: is to be saved into %s, a file, which does not survive the "
				  "jump", later->path, spec);
		return -EUCLEAN;
	}
	if (asprintf(&init, "pkram init %s", spec) < 0) {
		init = NULL;
		return -ENOMEM;
	}
	pkram_log_refusal(c->ctx, init,
			  "%s: is to be saved into %s, which holds no container", later->path,
			  spec);
	return -EUCLEAN;
}

/* As the unit will find it, which knows nothing of the options and variables of who asks now. */
static int find_target(struct check *c, const struct pkram_later *later, size_t *ret)
{
	_cleanup_free_ char *spec = later->region ? strdup(later->region) : NULL, *path = NULL;
	const struct region_ops *ops = NULL;
	const char *named;
	struct stat st;
	int k = later->region ? spec ? 0 : -ENOMEM : op_conf_spec(c->ctx, &spec);

	if (k >= 0 && spec)
		k = op_spec_node(c->ctx, spec, &path, &st);
	if (k < 0)
		return k;
	if (spec)
		ops = region_parse_spec(spec, &named);
	for (size_t i = 0; i < c->all.n; i++) {
		if (path ? strcmp(c->all.v[i].device.path, path) != 0 : c->all.n != 1)
			continue;
		*ret = i;
		return 0;
	}
	if (spec)
		return refuse_target(c, later, spec,
				     S_ISREG(st.st_mode) || ops == &region_ops_file);
	pkram_log_refusal(c->ctx, "say which in the unit's file in /etc/pkram.d: region = ...",
			  "%s: its unit names no region, and %zu of this machine hold a container",
			  later->path, c->all.n);
	return -EUCLEAN;
}

/* --- how much --- */

struct room {
	size_t trees;	/* that units will save here, those that are not there among them */
	uint64_t need;	/* of the trees */
	uint64_t older;	/* in their older nodes, which give way */
};

static int refuse_tree(struct check *c, const struct pkram_later *later, int k)
{
	if (k == -ENOMEM || k == -ECANCELED)
		return k;
	errno = -k;
	pkram_log_refusal(c->ctx, "'pkram save' of it says more",
			  "%s: cannot be saved as it is now (%m)", later->path);
	return -EUCLEAN;
}

/* Its image as it would be made now; what somebody writes to it is no matter yet. */
static int add_tree(struct check *c, struct pkram_ctx *quiet, const struct pkram_later *later,
		    struct room *room)
{
	static const struct tree_scan_options o = { .live = true };
	_cleanup_(tree_image_free_p) struct tree_image *img = NULL;
	struct tree_image_info info;
	struct stat st;
	int k;

	room->trees++;
	/* What is not there is not saved. */
	if (lstat(later->path, &st) < 0 && errno == ENOENT)
		return 0;
	k = tree_image_new(quiet, later->path, &o, &img);
	if (k >= 0)
		k = tree_image_scan(img, NULL);
	if (k < 0)
		return refuse_tree(c, later, k);
	tree_image_info(img, &info);
	if (add_overflows(room->need, info.size + info.meta_size, &room->need))
		room->need = UINT64_MAX;
	return 0;
}

static int add_older(struct check *c, const struct container *at, const struct pkram_later *later,
		     struct room *room)
{
	struct store_node *nodes;
	size_t n;
	int k = store_nodes(at->store, &nodes, &n);

	if (k < 0)
		return log_error_errno(c->ctx, k, "%s: cannot read its nodes: %m", at->spec);
	for (size_t i = 0; i < n; i++)
		if (!nodes[i].damaged && !nodes[i].writing &&
		    strcmp(nodes[i].name, later->path) == 0 && op_yields(&c->look, &nodes[i]))
			room->older += nodes[i].stored;
	store_nodes_free(nodes, n);
	return 0;
}

static int add_later(struct check *c, struct pkram_ctx *quiet, const struct pkram_later *later,
		     struct room *rooms)
{
	const struct container *at;
	size_t i;
	int k = find_target(c, later, &i);

	if (k < 0)
		return k;
	at = &c->all.v[i];
	if (!at->store) {
		pkram_log_refusal(c->ctx, "'pkram verify' of it says more",
				  "%s: is to be saved into %s, whose container cannot be opened",
				  later->path, at->spec);
		return -EUCLEAN;
	}
	k = add_tree(c, quiet, later, &rooms[i]);
	return k < 0 ? k : add_older(c, at, later, &rooms[i]);
}

static int check_room(struct check *c, const struct container *at, const struct room *room)
{
	struct store_info info;
	int k = store_info(at->store, &info);

	if (k < 0)
		return log_error_errno(c->ctx, k, "%s: cannot look for room: %m", at->spec);
	if (room->need > info.free && room->need - info.free > room->older) {
		pkram_log_refusal(c->ctx,
				  "remove others with 'pkram rm', or name a larger region in "
				  "/etc/pkram.d",
				  "%s: no room for what units will save: needs %" PRIu64 " bytes "
				  "now, %" PRIu64 " are free, and %" PRIu64 " in the older nodes "
				  "of that name", at->spec, room->need, info.free, room->older);
		return -EUCLEAN;
	}
	check_note(c, "%s: %" PRIu64 " bytes will be saved by units, with room for %" PRIu64,
		   at->spec, room->need, info.free + room->older);
	return 0;
}

/* A unit names a path once. Of two that save it, one finds the other at it, and gives up. */
static int refuse_twice(struct check *c, size_t i)
{
	const struct pkram_later *v = c->o->saved_later;

	for (size_t j = 0; j < i; j++) {
		if (strcmp(v[j].path, v[i].path) != 0)
			continue;
		pkram_log_refusal(c->ctx, "name it in one file of /etc/pkram.d alone, and stop the "
				  "unit of the other",
				  "%s: is to be saved by more than one unit", v[i].path);
		return -EUCLEAN;
	}
	return 0;
}

static int check_all(struct check *c, struct pkram_ctx *quiet, struct room *rooms)
{
	const struct pkram_later *v = c->o->saved_later;
	int bad = 0;

	for (size_t i = 0; i < c->o->n_saved_later; i++) {
		const struct store_node saved = { .name = v[i].path };
		int k = refuse_twice(c, i);

		if (k == 0 && !check_left_behind(c, &saved))
			k = add_later(c, quiet, &v[i], rooms);
		if (k < 0 && k != -EUCLEAN)
			return k;
		bad = k < 0 ? k : bad;
	}
	for (size_t i = 0; i < c->all.n; i++) {
		int k = rooms[i].trees ? check_room(c, &c->all.v[i], &rooms[i]) : 0;

		bad = k < 0 ? k : bad;
	}
	return bad;
}

/* By a mistake, as a rule: they are configured, and have not been started since. */
static int warn_idle(struct check *c)
{
	for (size_t i = 0; i < c->o->n_idle; i++) {
		_cleanup_free_ char *start = NULL;

		if (asprintf(&start, "systemctl start %s", c->o->idle[i]) < 0) {
			start = NULL;
			return -ENOMEM;
		}
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, start,
			       "%s does not run: what it is to keep will not be saved",
			       c->o->idle[i]);
	}
	return 0;
}

/* Its save would fail when the services have stopped, and leave the machine a cold boot. */
static int refuse_broken(struct check *c)
{
	for (size_t i = 0; i < c->o->n_broken; i++)
		pkram_log_refusal(c->ctx, "mend its file in /etc/pkram.d: 'pkram unit early-files' "
				  "names the line",
				  "%s runs, but cannot save any more: there is an error in its "
				  "file", c->o->broken[i]);
	return c->o->n_broken ? -EUCLEAN : 0;
}

int check_units(struct check *c)
{
	_cleanup_free_ struct room *rooms = calloc(MAX(c->all.n, (size_t)1), sizeof(*rooms));
	struct pkram_ctx *quiet;
	int k, bad;

	if (!rooms || warn_idle(c) < 0)
		return -ENOMEM;
	bad = refuse_broken(c);
	if (!c->o->n_saved_later) {
		check_note(c, "none saves when the machine goes down");
		return bad;
	}
	k = ctx_quiet(c->ctx, &quiet);
	if (k < 0)
		return k;
	k = check_all(c, quiet, rooms);
	pkram_unref(quiet);
	return k < 0 ? k : bad;
}
