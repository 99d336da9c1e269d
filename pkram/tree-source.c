/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's directories. Nothing is ever opened by a whole path: a path may be longer than the
 * kernel takes, and a directory in it may have been swapped for a symlink. So every directory is
 * opened below its parent and compared with what was scanned, and the last few used stay open.
 */
#include "tree-save.h"

#include <fcntl.h>

void tree_dirs_init(struct tree_dirs *dirs)
{
	pthread_mutex_init(&dirs->lock, NULL);
	for (size_t i = 0; i < DIRS_CACHED; i++)
		dirs->slots[i].fd = -1;
}

void tree_dirs_close(struct tree_dirs *dirs)
{
	for (size_t i = 0; i < DIRS_CACHED; i++)
		if (dirs->slots[i].fd >= 0)
			close(dirs->slots[i].fd);
	pthread_mutex_destroy(&dirs->lock);
}

void tree_source_name(const struct tree_image *img, uint32_t source, char *name)
{
	uint64_t ref = img->sources[source].name;
	size_t len = ref >> 56;

	memcpy(name, img->dirs.p + (ref & ((UINT64_C(1) << 56) - 1)), len);
	name[len] = '\0';
}

static struct tree_dir_slot *find_slot(struct tree_dirs *dirs, uint32_t source)
{
	for (size_t i = 0; i < DIRS_CACHED; i++)
		if (dirs->slots[i].fd >= 0 && dirs->slots[i].source == source) {
			dirs->slots[i].used = ++dirs->clock;
			return &dirs->slots[i];
		}
	return NULL;
}

/* Keeps fd in the slot that was not used for longest; NULL when all are in use. */
static struct tree_dir_slot *keep_dir(struct tree_dirs *dirs, uint32_t source, int fd)
{
	struct tree_dir_slot *best = NULL;

	for (size_t i = 0; i < DIRS_CACHED; i++) {
		struct tree_dir_slot *s = &dirs->slots[i];

		if (s->users == 0 && (!best || s->used < best->used))
			best = s;
	}
	if (!best)
		return NULL;
	if (best->fd >= 0)
		close(best->fd);
	*best = (struct tree_dir_slot){ .source = source, .fd = fd, .used = ++dirs->clock };
	return best;
}

/* Opens directory @source by a name in an open one, if that is it. */
static int open_as(struct tree_image *img, int at, const char *name, uint32_t source)
{
	const struct tree_source *s = &img->sources[source];
	_cleanup_close_ int fd = tree_open(at, name, O_DIRECTORY);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != s->ino || st.st_dev != img->devs[s->dev].dev)
		return -ESTALE;
	return TAKE_FD(fd);
}

static int open_below(struct tree_image *img, int parent, uint32_t source)
{
	char name[EROFS_NAME_MAX + 1];

	tree_source_name(img, source, name);
	return open_as(img, parent, name, source);
}

/* A walk that comes back up a deep tree finds the parent behind a child that is still open. */
static int open_above(struct tree_image *img, uint32_t source)
{
	struct tree_dirs *dirs = &img->open_dirs;

	for (size_t i = 0; i < DIRS_CACHED; i++)
		if (dirs->slots[i].fd >= 0 && img->sources[dirs->slots[i].source].parent == source)
			return open_as(img, dirs->slots[i].fd, "..", source);
	return -ENOENT;
}

/*
 * Opens the directories that lie between the nearest open one and @source. Slots may all be in use:
 * then a descriptor is nobody's, *ret_slot is NULL, and the caller closes it.
 */
static int open_chain(struct tree_image *img, uint32_t source, struct tree_dir_slot **ret_slot)
{
	_cleanup_free_ uint32_t *chain = NULL;
	struct tree_dirs *dirs = &img->open_dirs;
	struct tree_dir_slot *slot = NULL;
	size_t n = 0, cap = 0;
	uint32_t at = source;
	int fd = -1;

	for (; at != 0; at = img->sources[at].parent) {
		int r;

		slot = find_slot(dirs, at);
		if (slot)
			break;
		fd = open_above(img, at);
		if (fd >= 0)
			break;
		r = array_grow(&chain, &cap, n + 1, sizeof(*chain));
		if (r < 0)
			return r;
		chain[n++] = at;
	}
	if (slot)
		fd = slot->fd;
	else if (at != 0)
		slot = keep_dir(dirs, at, fd);
	else
		fd = img->root_fd;
	while (n--) {
		int child = open_below(img, fd, chain[n]);

		if (!slot && fd != img->root_fd)
			close(fd);
		if (child < 0)
			return child;
		fd = child;
		slot = keep_dir(dirs, chain[n], fd);
	}
	*ret_slot = slot;
	return fd;
}

int tree_dirs_get(struct tree_image *img, uint32_t source, struct tree_dir_ref *ref)
{
	struct tree_dirs *dirs = &img->open_dirs;
	struct tree_dir_slot *slot = NULL;
	int fd;

	if (ref->fd >= 0 && ref->source == source)
		return 0;
	tree_dirs_put(img, ref);
	if (source == 0) {
		*ref = (struct tree_dir_ref){ .fd = img->root_fd, .slot = -1, .source = 0 };
		return 0;
	}
	pthread_mutex_lock(&dirs->lock);
	fd = open_chain(img, source, &slot);
	if (fd >= 0 && slot)
		slot->users++;
	pthread_mutex_unlock(&dirs->lock);
	if (fd < 0)
		return fd;
	*ref = (struct tree_dir_ref){
		.fd = fd, .slot = slot ? (int)(slot - dirs->slots) : -1, .source = source,
	};
	return 0;
}

void tree_dirs_put(struct tree_image *img, struct tree_dir_ref *ref)
{
	if (ref->fd < 0)
		return;
	if (ref->slot >= 0) {
		pthread_mutex_lock(&img->open_dirs.lock);
		img->open_dirs.slots[ref->slot].users--;
		pthread_mutex_unlock(&img->open_dirs.lock);
	} else if (ref->source != 0) {
		close(ref->fd);
	}
	*ref = TREE_DIR_REF_NONE;
}

/* Control characters would break a message's line: they become \ooo. */
static void add_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\%03o", (unsigned char)*s);
		else
			fputc(*s, f);
	}
}

char *tree_path(const struct tree_image *img, uint32_t dir, const char *name)
{
	_cleanup_free_ uint32_t *chain = NULL;
	char part[EROFS_NAME_MAX + 1], *text = NULL;
	size_t n = 0, cap = 0, len;
	FILE *f;

	for (; dir != 0; dir = img->sources[dir].parent) {
		if (array_grow(&chain, &cap, n + 1, sizeof(*chain)) < 0)
			return NULL;
		chain[n++] = dir;
	}
	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	add_escaped(f, img->base);
	while (n--) {
		tree_source_name(img, chain[n], part);
		fputc('/', f);
		add_escaped(f, part);
	}
	if (name) {
		fputc('/', f);
		add_escaped(f, name);
	}
	if (ftell(f) == 0)
		fputc('/', f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *tree_source_path(const struct tree_image *img, uint32_t source)
{
	char name[EROFS_NAME_MAX + 1];

	if (source == 0)
		return tree_path(img, 0, NULL);
	tree_source_name(img, source, name);
	return tree_path(img, img->sources[source].parent, name);
}
