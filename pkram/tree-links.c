/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inodes with several names that were emitted already: a hash table with open addressing.
 */
#include "tree-save.h"

static struct tree_link *find(struct tree_link *links, size_t cap, uint64_t ino, uint32_t dev)
{
	size_t i = (ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	for (;; i++) {
		struct tree_link *l = &links[i & (cap - 1)];

		if (l->source == TREE_NO_SOURCE || (l->ino == ino && l->dev == dev))
			return l;
	}
}

static int grow(struct tree_links *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64;
	struct tree_link *links = malloc(cap * sizeof(*links));

	if (!links)
		return -ENOMEM;
	memset(links, 0xff, cap * sizeof(*links));
	for (size_t i = 0; i < t->cap; i++)
		if (t->links[i].source != TREE_NO_SOURCE)
			*find(links, cap, t->links[i].ino, t->links[i].dev) = t->links[i];
	free(t->links);
	t->links = links;
	t->cap = cap;
	return 0;
}

uint32_t tree_links_find(const struct tree_links *t, uint64_t ino, uint32_t dev)
{
	return t->n ? find(t->links, t->cap, ino, dev)->source : TREE_NO_SOURCE;
}

int tree_links_add(struct tree_links *t, uint64_t ino, uint32_t dev, uint32_t source)
{
	if (t->n * 2 >= t->cap) {
		int r = grow(t);

		if (r < 0)
			return r;
	}
	*find(t->links, t->cap, ino, dev) = (struct tree_link){
		.ino = ino, .dev = dev, .source = source,
	};
	t->n++;
	return 0;
}
