/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes of a container in a file, as an export made it, into a region.
 */
#include <inttypes.h>
#include <sys/stat.h>

#include "op-copy.h"

struct import {
	struct pkram_region *region;
	struct pkram_ctx *ctx;
	const char *path;
	bool force;
	uint64_t *ids;		/* of the nodes that are there */
	size_t n;
};

/* What a region would say of it is not what whoever imports needs to know. */
static int check_file(struct pkram_ctx *ctx, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return log_error_errno(ctx, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode))
		return log_error_errno(ctx, -EINVAL,
				       "%s: is no regular file: name one of 'pkram export'", path);
	if (st.st_size < (off_t)PKRAM_MIN_SIZE)
		return log_error_errno(ctx, -ENODATA,
				       "%s: %jd bytes are too few for a file of 'pkram export': "
				       "name another one, or a whole copy",
				       path, (intmax_t)st.st_size);
	return 0;
}

static int open_file(struct pkram_ctx *ctx, const char *path, const struct region *own,
		     struct store **ret)
{
	struct stat st, here;
	struct region *r;
	int k = check_file(ctx, path);

	if (k >= 0)
		k = region_new(ctx, &region_ops_file_io, path, true, &r);
	if (k < 0)
		return k;
	if (fstat(r->fd, &st) == 0 && fstat(own->fd, &here) == 0 && st.st_dev == here.st_dev &&
	    st.st_ino == here.st_ino) {
		region_close(r);
		return log_error_errno(ctx, -EINVAL,
				       "%s: is the region itself: name a file of 'pkram export'",
				       path);
	}
	k = store_open(r, ret);
	if (k == -ENODATA)
		pkram_log_error(ctx,
				"%s: no container is in it: name a file of 'pkram export'", path);
	return k;
}

/* --- what is there already --- */

static int list_ids(struct import *im, const struct store_node *nodes, size_t n)
{
	const char *spec = store_region(im->region->store)->spec, *first = NULL;

	free(im->ids);
	im->n = 0;
	im->ids = calloc(MAX(n, (size_t)1), sizeof(*im->ids));
	if (!im->ids)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (nodes[i].writing)
			continue;
		if (nodes[i].damaged)
			return log_error_errno(im->ctx, -EBADMSG,
					       "%s: node %" PRIu64 " is damaged and in the way: "
					       "'pkram rm' of its name, or 'pkram init --force'",
					       spec, nodes[i].id);
		first = first ? first : nodes[i].name;
		im->ids[im->n++] = nodes[i].id;
	}
	if (!im->n || im->force)
		return 0;
	return log_error_errno(im->ctx, -EEXIST,
			       "%s: holds %zu node%s (%.60s%s) already; --force replaces all of "
			       "them", spec, im->n, plural(im->n), first,
			       im->n == 1 ? "" : ", ...");
}

static int check_empty(struct import *im)
{
	struct store_node *nodes;
	size_t n;
	int k;

	k = store_nodes(im->region->store, &nodes, &n);
	if (k < 0)
		return k;
	k = list_ids(im, nodes, n);
	store_nodes_free(nodes, n);
	return k;
}

/*
 * The old nodes go first only where there is no other way, the new ones then fit, and are known to
 * be whole.
 */
static int give_way(struct import *im, struct op_copy *c)
{
	int k;

	k = store_fits(im->region->store, c->needs, c->n, false);
	if (k != 0 || !im->n)
		return k;
	k = store_fits(im->region->store, c->needs, c->n, true);
	if (k <= 0)
		return k;
	k = op_copy_verify(c);
	if (k >= 0)
		k = store_drop_nodes(im->region->store, im->ids, im->n);
	if (k >= 0)
		pkram_log_info(im->ctx, "%zu old node%s gave up %s space first: both do not fit",
			       im->n, plural(im->n),
			       im->n == 1 ? "its" : "their");
	return k;
}

/* --- the copy --- */

static void say_stale(const struct import *im)
{
	struct pkram_node_list *list;
	size_t stale = 0;

	if (pkram_node_list_new(im->region, &list) < 0)
		return;
	for (size_t i = 0; i < pkram_node_list_count(list); i++)
		stale += pkram_node_list_get(list, i)->freshness == PKRAM_FRESH_STALE;
	pkram_node_list_free(list);
	if (stale)
		pkram_log_info(im->ctx,
			       "%zu node%s saved by an earlier boot: 'pkram restore --stale' and "
			       "'pkram get --stale' serve %s",
			       stale, stale == 1 ? " was" : "s were", stale == 1 ? "it" : "them");
}

static int copy(struct import *im, struct op_copy *c)
{
	struct store *to = im->region->store;
	int k;

	k = op_copy_begin(c, to);
	/* Nobody else can take the new ones' names any more: from here on, what is saved stays. */
	if (k >= 0)
		k = check_empty(im);
	if (k >= 0)
		k = give_way(im, c);
	if (k >= 0)
		k = store_reserve(to, c->needs, c->n, NULL, NULL);
	if (k >= 0)
		k = op_copy_run(c, to, im->ids, im->n);
	op_copy_undo(c);
	return k;
}

static int run(struct import *im, struct pkram_transfer *ret)
{
	/* In this order: what is declared last is released first. */
	_cleanup_(store_close_p) struct store *from = NULL;
	_cleanup_(op_copy_done) struct op_copy c = { 0 };
	int64_t start = op_clock();
	int k;

	k = open_file(im->ctx, im->path, store_region(im->region->store), &from);
	if (k >= 0)
		k = check_empty(im);
	if (k < 0)
		return k;
	k = op_copy_open(im->ctx, from, "import", &c);
	if (k >= 0)
		k = copy(im, &c);
	if (k == -EBADMSG)
		pkram_log_error(im->ctx,
				"%s: is damaged, and nothing of it is imported: take another copy, "
				"or what is whole with 'pkram -r file:%s get' and 'restore'",
				im->path, im->path);
	if (k < 0)
		return k;
	op_copy_transfer(&c, (uint64_t)(op_clock() - start), ret);
	say_stale(im);
	return 0;
}

int pkram_import(struct pkram_region *region, const char *path, uint64_t flags,
		 struct pkram_transfer *ret_transfer)
{
	struct import im = { .region = region, .ctx = region->ctx, .path = path,
			     .force = flags & PKRAM_IMPORT_FORCE };
	struct pkram_transfer transfer;
	int k;

	k = op_check_flags(region->ctx, "import", flags, PKRAM_IMPORT_FORCE);
	if (k >= 0)
		k = op_check_kernel(region->ctx);
	if (k >= 0 && region->read_only)
		k = log_error_errno(region->ctx, -EROFS, "%s: opened for reading only",
				    store_region(region->store)->spec);
	if (k >= 0)
		k = run(&im, &transfer);
	if (k >= 0 && ret_transfer)
		*ret_transfer = transfer;
	free(im.ids);
	return k;
}
