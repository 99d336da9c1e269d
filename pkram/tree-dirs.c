/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-dirs.h"

#include <fcntl.h>

int dir_cache_init(struct dir_cache *c, const struct tree_view *v, int root, unsigned int slots)
{
	c->slots = calloc(slots, sizeof(*c->slots));
	if (!c->slots)
		return -ENOMEM;
	for (unsigned int i = 0; i < slots; i++)
		c->slots[i] = (struct dir_slot){ .dir = VIEW_NONE, .fd = -1 };
	c->n_slots = slots;
	c->v = v;
	c->root = root;
	return 0;
}

void dir_cache_drop(struct dir_cache *c)
{
	for (unsigned int i = 0; i < c->n_slots; i++)
		close_p(&c->slots[i].fd);
	free(c->slots);
	free(c->chain);
	memset(c, 0, sizeof(*c));
}

static struct dir_slot *find(struct dir_cache *c, uint32_t dir)
{
	if (c->slots[c->last].dir == dir)
		return &c->slots[c->last];
	for (unsigned int i = 0; i < c->n_slots; i++)
		if (c->slots[i].dir == dir)
			return &c->slots[i];
	return NULL;
}

static int use(struct dir_cache *c, struct dir_slot *slot)
{
	slot->used = ++c->clock;
	c->last = (unsigned int)(slot - c->slots);
	return slot->fd;
}

/* Opens a child of the directory open as `fd`, in place of the longest unused one. */
static int open_child(struct dir_cache *c, int fd, uint32_t dir)
{
	const char *name = view_text(c->v, c->v->files[dir].name);
	struct dir_slot *oldest = c->slots;
	int child;

	child = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0)
		return -errno;
	for (unsigned int i = 1; i < c->n_slots; i++)
		if (c->slots[i].used < oldest->used)
			oldest = &c->slots[i];
	close_p(&oldest->fd);
	*oldest = (struct dir_slot){ .dir = dir, .fd = child };
	return use(c, oldest);
}

int dir_cache_get(struct dir_cache *c, uint32_t dir)
{
	struct dir_slot *slot = NULL;
	size_t n = 0;
	int fd;

	for (; dir && !(slot = find(c, dir)); dir = c->v->files[dir].parent) {
		int r = array_grow(&c->chain, &c->cap_chain, n + 1, sizeof(*c->chain));

		if (r < 0)
			return r;
		c->chain[n++] = dir;
	}
	fd = dir ? use(c, slot) : c->root;
	while (n && fd >= 0)
		fd = open_child(c, fd, c->chain[--n]);
	return fd;
}
