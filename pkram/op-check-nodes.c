/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is saved: nothing is being written, the sources hold nothing newer, the bytes are whole.
 */
#include <inttypes.h>

#include "jump.h"
#include "op-check.h"
#include "tree.h"

typedef int (*node_fn)(struct check *c, const struct container *at,
		       const struct pkram_jump *arrival, const struct store_node *n, void *arg);

/* What has nothing to do with the node: the others would fare no better. */
static bool ends_all(int k)
{
	return k == -ENOMEM || k == -ECANCELED;
}

/* A refusal is the least of them. */
static int first_failure(int bad, int k)
{
	return k < 0 && (bad == 0 || bad == -EUCLEAN || ends_all(k)) ? k : bad;
}

static int each_node_at(struct check *c, const struct container *at, node_fn fn, void *arg)
{
	struct store_node *nodes;
	struct store_info info;
	size_t n;
	int k, bad = 0;

	if (!at->store)
		return 0;
	k = store_info(at->store, &info);
	if (k >= 0)
		k = store_nodes(at->store, &nodes, &n);
	if (k < 0)
		return log_error_errno(c->ctx, k, "%s: cannot read its nodes: %m", at->spec);
	for (size_t i = 0; i < n && !ends_all(bad); i++)
		if (!nodes[i].writing)
			bad = first_failure(bad, fn(c, at, &info.arrival, &nodes[i], arg));
	store_nodes_free(nodes, n);
	return bad;
}

/* Calls fn for each whole node of each container that can be read; the first failure counts. */
static int each_node(struct check *c, node_fn fn, void *arg)
{
	int bad = 0;

	for (size_t i = 0; i < c->all.n && !ends_all(bad); i++)
		bad = first_failure(bad, each_node_at(c, &c->all.v[i], fn, arg));
	return bad;
}

bool check_left_behind(const struct check *c, const struct store_node *n)
{
	for (size_t i = 0; i < c->o->n_leave_behind; i++)
		if (store_node_named(n, c->o->leave_behind[i]))
			return true;
	return false;
}

static bool saved_later(const struct check *c, const struct store_node *n)
{
	for (size_t i = 0; i < c->o->n_saved_later; i++)
		if (store_node_named(n, c->o->saved_later[i].path))
			return true;
	return false;
}

/* --- nodes --- */

struct count {
	size_t fresh, jumped, stale, left;
};

static int list_node(struct check *c, const struct container *at, const struct pkram_jump *arrival,
		     const struct store_node *n, void *arg)
{
	enum pkram_freshness f = jump_freshness(arrival, c->look.boot_id, n->boot_id);
	const char *kind = n->kind == PKRAM_NODE_KIND_TREE ? "tree" : "stream";
	struct count *count = arg;
	char age[48];

	count->left += check_left_behind(c, n);
	if (saved_later(c, n))
		return 0;
	if (n->damaged) {
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "'pkram verify' says more",
			       "%s: node %" PRIu64 " is damaged", at->spec, n->id);
		return 0;
	}
	op_age(n->saved_at, age);
	if (f == PKRAM_FRESH_THIS_BOOT) {
		count->fresh++;
		pkram_log_info(c->ctx, "%s: %s %s, saved %s", at->spec, kind, n->name, age);
	} else if (f == PKRAM_FRESH_JUMPED && !op_restored(&c->look, n)) {
		count->jumped++;
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING,
			       "after this one only --stale serves it: restore it first, or save "
			       "it again",
			       "%s: %s %s, saved %s, came by the last jump and is not restored yet",
			       at->spec, kind, n->name, age);
	} else {
		count->stale++;
		pkram_log_info(c->ctx, "%s: %s %s, saved %s by an earlier boot: stale", at->spec,
			       kind, n->name, age);
	}
	return 0;
}

int check_nodes(struct check *c)
{
	struct count count = { 0 };
	int k = each_node(c, list_node, &count);
	size_t gone;

	if (k < 0)
		return k;
	gone = c->o->n_leave_behind - MIN(count.left, c->o->n_leave_behind);
	if (gone)
		pkram_log_warning(c->ctx, "--leave-behind names %zu node%s that %s not there", gone,
				  plural(gone), gone == 1 ? "is" : "are");
	check_note(c, "%zu saved in this boot, %zu by an earlier one (stale)", count.fresh,
		   count.stale);
	return 0;
}

/* --- writers: half of a save would be lost --- */

int check_writers(struct check *c)
{
	int bad = 0;

	for (size_t i = 0; i < c->all.n; i++) {
		const struct container *at = &c->all.v[i];
		struct store_info info = { 0 };
		int k = at->store ? store_info(at->store, &info) : 0;

		if (k < 0)
			return log_error_errno(c->ctx, k, "%s: cannot look for writers: %m",
					       at->spec);
		if (!info.writers)
			continue;
		pkram_log_refusal(c->ctx, "wait for the saves to end, or end them",
				  "%s: %llu node%s being written", at->spec,
				  (unsigned long long)info.writers,
				  info.writers == 1 ? " is" : "s are");
		bad = -EUCLEAN;
	}
	if (bad == 0)
		check_note(c, "no node is being written");
	return bad;
}

/* --- sources: what was saved in this boot should be what is lost with it --- */

static int refuse_source(struct check *c, const struct store_node *n, int k)
{
	_cleanup_free_ char *remedy = NULL;

	if (asprintf(&remedy, "%ssave it again, or use --leave-behind '%s'",
		     k == -EBUSY ? "stop its writers and " : "", n->name) < 0) {
		remedy = NULL;
		return -ENOMEM;
	}
	errno = -k;
	if (k == -EBUSY)
		pkram_log_refusal(c->ctx, remedy, "%s: %s is open for writing", n->name,
				  n->source);
	else if (k == -ESTALE)
		pkram_log_refusal(c->ctx, remedy, "%s: %s has changed since it was saved", n->name,
				  n->source);
	else
		pkram_log_refusal(c->ctx, remedy, "%s: cannot look at %s (%m)", n->name,
				  n->source);
	return -EUCLEAN;
}

/*
 * `restored`: the node came by the last jump, and its source was restored from it: new inodes and
 * times are no change then, only other bytes are.
 */
static int check_source(struct check *c, const struct store_node *n, bool restored)
{
	int k;

	/* What is gone cannot be newer. */
	if (access(n->source, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	k = tree_source_check(c->ctx, n->source, n->fingerprint);
	if (k == -ESTALE && restored)
		k = op_compare_source(c->ctx, n);
	else if (k == 0 && !(c->o->flags & PKRAM_STAGE_TRUST_TIMES))
		k = op_compare_source(c->ctx, n);
	if (k == -ENOMEM || k == -ECANCELED)
		return k;
	return k == 0 || k == -ENOENT ? 0 : refuse_source(c, n, k);
}

static int check_node(struct check *c, const struct container *at, const struct pkram_jump *arrival,
		      const struct store_node *n, void *arg)
{
	enum pkram_freshness f = jump_freshness(arrival, c->look.boot_id, n->boot_id);
	bool restored = f == PKRAM_FRESH_JUMPED && op_restored(&c->look, n);
	size_t *count = arg;

	(void)at;
	if (n->damaged || n->kind != PKRAM_NODE_KIND_TREE || !*n->source ||
	    check_left_behind(c, n) || saved_later(c, n) ||
	    (f != PKRAM_FRESH_THIS_BOOT && !restored))
		return 0;
	++*count;
	return check_source(c, n, restored);
}

int check_sources(struct check *c)
{
	size_t count = 0;
	int k = each_node(c, check_node, &count);

	if (k == 0)
		check_note(c, "%zu tree%s compared with what was saved%s", count,
			   plural(count),
			   c->o->flags & PKRAM_STAGE_TRUST_TIMES ? ", by times and sizes" : "");
	return k;
}

/* --- content: what is damaged may still be saved again --- */

struct verified {
	struct pkram_transfer read;
	struct pkram_ctx *quiet;
};

/* What is stale, or left behind, is no reason to stay. Whether a damaged one is, nobody knows. */
static bool matters(const struct check *c, const struct pkram_jump *arrival,
		    const struct store_node *n)
{
	return (n->damaged || jump_freshness(arrival, c->look.boot_id, n->boot_id) !=
				      PKRAM_FRESH_STALE) &&
	       !check_left_behind(c, n);
}

static int verify_node(struct check *c, const struct container *at,
		       const struct pkram_jump *arrival, const struct store_node *n, void *arg)
{
	bool loud = matters(c, arrival, n);
	char id[32] = "";
	struct verified *v = arg;
	int k = -EBADMSG;

	if (n->damaged)
		snprintf(id, sizeof(id), "node %" PRIu64, n->id);
	else
		k = op_verify_name(loud ? c->ctx : v->quiet, at->store, n->name, &v->read);
	if (k == -EBADMSG && loud)
		pkram_log_refusal(c->ctx, "save it again, remove it, or use --leave-behind, by "
				  "its name", "%s: %s is damaged", at->spec, *id ? id : n->name);
	else if (k == -EBADMSG)
		ctx_log_remedy(c->ctx, PKRAM_LOG_WARNING, "'pkram verify' says more",
			       "%s: %s is damaged, which is left behind in any case", at->spec,
			       *id ? id : n->name);
	/* Removed since it was listed. */
	return k == -EBADMSG ? loud ? -EUCLEAN : 0 : k == -ENOENT ? 0 : k;
}

int check_content(struct check *c)
{
	struct verified v = { 0 };
	int k;

	if (!(c->o->flags & PKRAM_STAGE_VERIFY)) {
		check_note(c, "not read");
		return 0;
	}
	k = ctx_quiet(c->ctx, &v.quiet);
	if (k < 0)
		return k;
	k = each_node(c, verify_node, &v);
	pkram_unref(v.quiet);
	if (k == 0)
		check_note(c, "%llu bytes are what was saved", (unsigned long long)v.read.bytes);
	return k;
}
