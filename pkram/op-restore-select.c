/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which trees are restored, and where to.
 */
#include <inttypes.h>

#include "op-restore.h"

static int select_named(struct restore *r, const char *const *names, size_t n)
{
	struct pkram_ctx *ctx = r->region->ctx;

	r->trees = calloc(n, sizeof(*r->trees));
	if (!r->trees)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct store_reader *reader;
		const struct store_node *node;
		int k;

		k = op_serve(r->region, names[i], r->flags & PKRAM_RESTORE_STALE, &reader);
		if (k == -EBADMSG && whole_or_nothing(r))
			k = op_not_survived(r->region, names[i], NULL);
		if (k < 0)
			return k;
		node = store_reader_node(reader);
		if (node->kind != PKRAM_NODE_KIND_TREE) {
			store_reader_close(reader);
			return log_error_errno(ctx, -EINVAL,
					       "%s: is a stream, not a tree; use 'pkram get'",
					       names[i]);
		}
		if (r->flags & PKRAM_RESTORE_ONCE && op_restored(r->region, node)) {
			pkram_log_info(ctx, "%s: restored in this boot already", names[i]);
			store_reader_close(reader);
			continue;
		}
		r->trees[r->n++].reader = reader;
	}
	return 0;
}

/*
 * Without names: every tree that is fresh; stale ones are named, and are the result when there is
 * no other. A node that cannot even be told is no part of any set: the others do not wait for it.
 */
static int select_all(struct restore *r)
{
	struct pkram_ctx *ctx = r->region->ctx;
	struct pkram_node_list *list;
	size_t stale = 0, old = 0;
	uint64_t lost = 0;
	char age[48];
	int k;

	k = pkram_node_list_new(r->region, &list);
	if (k < 0)
		return k;
	r->trees = calloc(MAX(pkram_node_list_count(list), (size_t)1), sizeof(*r->trees));
	k = r->trees ? 0 : -ENOMEM;
	for (size_t i = 0; k >= 0 && i < pkram_node_list_count(list); i++) {
		const struct pkram_node *n = pkram_node_list_get(list, i);
		struct store_reader *reader;

		if (n->damaged) {
			pkram_log_error(ctx,
					"node %" PRIu64
					": both copies of its block are damaged: left "
					"out, whatever it was",
					n->id);
			r->missing = true;
			lost = n->id;
			continue;
		}
		if (n->writing || n->kind != PKRAM_KIND_TREE ||
		    (r->flags & PKRAM_RESTORE_ONCE && n->restored))
			continue;
		if (!*n->source && !r->to) {
			pkram_log_info(
				ctx,
				"%s: left alone: it has no path of its own (put --tree); --to says "
				"where",
				n->name);
			continue;
		}
		if (n->freshness == PKRAM_FRESH_STALE && !(r->flags & PKRAM_RESTORE_STALE)) {
			pkram_log_warning(
				ctx,
				"%s: left alone: saved %s by an earlier boot (kernel %s); "
				"--stale takes it all the same",
				n->name, op_age(n->saved_at, age), n->kernel);
			stale++;
			continue;
		}
		old += n->freshness == PKRAM_FRESH_STALE;
		k = op_serve(r->region, n->name, r->flags & PKRAM_RESTORE_STALE, &reader);
		if (k >= 0)
			r->trees[r->n++].reader = reader;
		/* Removed since it was listed. */
		if (k == -ENOENT)
			k = 0;
	}
	pkram_node_list_free(list);
	/* What cannot be told may be of their set, and of the same loss. */
	if (k >= 0 && lost && whole_or_nothing(r) && (old || !r->n)) {
		snprintf(age, sizeof(age), "node %" PRIu64, lost);
		return op_not_survived(r->region, age, NULL);
	}
	if (k >= 0 && !r->n && stale)
		return -ESTALE;
	return k;
}

int restore_select(struct restore *r, const char *const *names, size_t n)
{
	r->named = n > 0;
	return n ? select_named(r, names, n) : select_all(r);
}

/* --- where to --- */

/*
 * Without what a path can do without, or a tree inside another one could not be told. The source is
 * what a region says: it may name a place, never climb out of --to.
 */
static int plain_path(const char *path, char **ret)
{
	char *plain = malloc(strlen(path) + 2), *end = plain;

	if (!plain)
		return -ENOMEM;
	if (*path == '/')
		*end++ = '/';
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			free(plain);
			return -EBADMSG;
		}
		if (len != 1 || path[0] != '.') {
			if (end > plain && end[-1] != '/')
				*end++ = '/';
			end = mempcpy(end, path, len);
		}
		path += len;
	}
	*end = '\0';
	*ret = plain;
	return 0;
}

static int choose_target(struct restore *r, struct restore_tree *t)
{
	const struct store_node *n = store_reader_node(t->reader);
	const char *path = *n->source || !r->to ? n->source : n->name;
	_cleanup_free_ char *plain = NULL;
	int k;

	if (*path != '/' && !r->to)
		return log_error_errno(
			r->region->ctx, -EINVAL,
			"%s: has no path of its own (it came by put --tree); say where with --to",
			n->name);
	k = plain_path(path, &plain);
	if (k == -EBADMSG)
		return log_error_errno(r->region->ctx, k, "%s: its path has '..': %s", n->name,
				       path);
	if (k < 0)
		return k;
	t->trusted = r->to ? strlen(r->to) : 0;
	if (asprintf(&t->target, "%s%s%s", r->to ? r->to : "", r->to && *plain != '/' ? "/" : "",
		     plain) < 0) {
		t->target = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int target_cmp(const void *a, const void *b)
{
	const struct restore_tree *x = a, *y = b;

	return strcmp(x->target, y->target);
}

/* Of several trees around one, the outermost comes first. */
static void nest(struct restore_tree *t, const struct restore_tree *around)
{
	size_t len = strlen(around->target);

	if (strncmp(t->target, around->target, len) != 0 || t->target[len] != '/')
		return;
	t->nested = true;
	if (!t->trusted)
		t->trusted = len;
}

/* Its place in the array is free then: behind the others. */
static struct restore_tree leave_out(struct restore *r, size_t i)
{
	struct restore_tree t = r->trees[i];

	memmove(&r->trees[i], &r->trees[i + 1], (--r->n - i) * sizeof(*r->trees));
	return t;
}

/* Of two trees for one place the newer one is meant, unless both were asked for by name. */
static int leave_older(struct restore *r, size_t i)
{
	const struct store_node *a = store_reader_node(r->trees[i - 1].reader);
	const struct store_node *b = store_reader_node(r->trees[i].reader);
	size_t old = a->generation < b->generation ? i - 1 : i;
	struct restore_tree left;

	if (r->named)
		return log_error_errno(r->region->ctx, -EINVAL,
			"%s and %s would both appear at %s; name one of them", a->name, b->name,
			r->trees[i].target);
	pkram_log_info(r->region->ctx, "%s: left alone: %s has the same path and is newer",
		       store_reader_node(r->trees[old].reader)->name, old == i ? a->name : b->name);
	left = leave_out(r, old);
	r->trees[r->n] = left;
	r->n_older++;
	return 0;
}

static int order_targets(struct restore *r)
{
	qsort(r->trees, r->n, sizeof(*r->trees), target_cmp);
	for (size_t i = 1; i < r->n;) {
		int k;

		if (strcmp(r->trees[i].target, r->trees[i - 1].target) != 0) {
			i++;
			continue;
		}
		k = leave_older(r, i);
		if (k < 0)
			return k;
	}
	for (size_t i = 1; i < r->n; i++)
		for (size_t j = 0; j < i && !r->trees[i].nested; j++)
			nest(&r->trees[i], &r->trees[j]);
	return 0;
}

int restore_targets(struct restore *r)
{
	for (size_t i = 0; i < r->n;) {
		int k = choose_target(r, &r->trees[i]);

		/* The others do not wait for what can go nowhere. */
		if (k == -EBADMSG && !r->named) {
			struct restore_tree t = leave_out(r, i);

			restore_tree_done(&t);
			r->missing = true;
			continue;
		}
		if (k < 0)
			return k;
		i++;
	}
	return order_targets(r);
}
