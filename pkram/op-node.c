/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes as the public sees them: snapshots, serving by freshness, removing.
 */
#include "op.h"

struct pkram_node_list {
	struct store_node *nodes;	/* own the strings */
	struct pkram_node *v;
	size_t n;
};

struct pkram_node_list *pkram_node_list_free(struct pkram_node_list *list)
{
	if (!list)
		return NULL;
	store_nodes_free(list->nodes, list->n);
	free(list->v);
	free(list);
	return NULL;
}

static struct pkram_node describe(const struct pkram_region *region,
				  const struct pkram_jump *arrival, const struct store_node *n)
{
	struct pkram_node p = {
		.name = n->name, .kind = (enum pkram_kind)n->kind, .damaged = n->damaged,
		.writing = n->writing, .live = n->live, .single = n->single, .id = n->id,
		.generation = n->generation, .size = n->size, .stored = n->stored,
		.files = n->files, .data = n->data, .extents = n->n_extents,
		.saved_at = n->saved_at, .save_ns = n->save_took,
		.content_hash = n->image_hash, .kernel = n->kernel,
		.host = n->host, .source = n->source, .fs_type = n->fs_type,
		.mount_options = n->mount_options, .restored = op_restored(region, n),
	};

	memcpy(p.boot_id, n->boot_id, sizeof(p.boot_id));
	p.freshness = n->damaged || n->writing ? PKRAM_FRESH_STALE :
						 op_freshness(region, arrival, n->boot_id);
	return p;
}

int pkram_node_list_new(struct pkram_region *region, struct pkram_node_list **ret_list)
{
	struct pkram_node_list *list;
	struct store_info info;
	int k;

	k = store_info(region->store, &info);
	if (k < 0)
		return k;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	k = store_nodes(region->store, &list->nodes, &list->n);
	if (k >= 0) {
		list->v = calloc(MAX(list->n, (size_t)1), sizeof(*list->v));
		k = list->v ? 0 : -ENOMEM;
	}
	if (k < 0) {
		pkram_node_list_free(list);
		return k;
	}
	for (size_t i = 0; i < list->n; i++)
		list->v[i] = describe(region, &info.arrival, &list->nodes[i]);
	*ret_list = list;
	return 0;
}

size_t pkram_node_list_count(const struct pkram_node_list *list)
{
	return list->n;
}

const struct pkram_node *pkram_node_list_get(const struct pkram_node_list *list, size_t index)
{
	return index < list->n ? &list->v[index] : NULL;
}

const struct pkram_node *pkram_node_list_find(const struct pkram_node_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (store_node_named(&list->nodes[i], name))
			return &list->v[i];
	return NULL;
}

bool op_is_stale(struct pkram_region *region, const struct store_node *n)
{
	struct store_info info;

	/* Who cannot look at the container again does not call anything fresh. */
	return store_info(region->store, &info) < 0 ||
	       op_freshness(region, &info.arrival, n->boot_id) == PKRAM_FRESH_STALE;
}

int op_not_survived(struct pkram_region *region, const char *name, const struct store_node *n)
{
	char age[48];

	if (!n)
		return log_error_errno(region->ctx, -ESTALE,
				       "%s: who saved it cannot be told; its memory did not "
				       "survive whole, as may happen in a firmware reset: nothing "
				       "stale is served",
				       name);
	return log_error_errno(region->ctx, -ESTALE,
			       "%s: saved %s by an earlier boot (kernel %s); its memory did not "
			       "survive whole, as may happen in a firmware reset: nothing stale is "
			       "served",
			       name, op_age(n->saved_at, age), n->kernel);
}

int op_serve(struct pkram_region *region, const char *name, bool stale, struct store_reader **ret)
{
	struct store_reader *reader;
	const struct store_node *n;
	struct store_info info;
	char age[48];
	int k;

	k = store_reader_open(region->store, name, &reader);
	if (k < 0)
		return k;
	n = store_reader_node(reader);
	k = store_info(region->store, &info);
	if (k < 0)
		goto fail;
	if (op_freshness(region, &info.arrival, n->boot_id) == PKRAM_FRESH_STALE) {
		op_age(n->saved_at, age);
		if (!stale) {
			k = log_error_errno(region->ctx, -ESTALE,
					    "%s: saved %s by an earlier boot (kernel %s), not by "
					    "the one that jumped here; "
					    "--stale takes it all the same",
					    name, age, n->kernel);
			goto fail;
		}
		pkram_log_warning(region->ctx, "%s: stale, saved %s by an earlier boot (kernel %s)",
				  name, age, n->kernel);
	}
	*ret = reader;
	return 0;
fail:
	store_reader_close(reader);
	return k;
}

int pkram_node_remove(struct pkram_region *region, const char *const *names, size_t n_names,
		      uint64_t flags)
{
	int k;

	k = op_check_flags(region->ctx, "remove", flags, PKRAM_REMOVE_WIPE);
	if (k < 0)
		return k;
	return store_remove(region->store, names, n_names, flags & PKRAM_REMOVE_WIPE);
}
