/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's directories. Nothing is ever opened by a whole path: a path may be longer than the
 * kernel takes, and a directory in it may have been swapped for a symlink. So every directory is
 * opened below its parent and compared with what was scanned, and those used last stay open.
 */
#include "tree-save.h"

#include <fcntl.h>
#include <sys/resource.h>

/* More are no use; so much of what the process may have open is left to everything else. */
#define DIRS_MAX 2048u
#define DIRS_SHARE 8u

struct tree_dirs {
	pthread_mutex_t lock;
	size_t n, max;
	size_t hand;			/* of the clock that tells which one to give up next */
	struct tree_dir_slot {
		const struct tree_image *img;	/* NULL: empty */
		uint32_t source, parent;
		uint32_t users;
		int fd;
		bool used;		/* since the hand was here */
	} slots[];
};

int tree_dirs_new(struct tree_dirs **ret)
{
	struct rlimit files = { .rlim_cur = 1024 };
	struct tree_dirs *dirs;
	size_t max;

	getrlimit(RLIMIT_NOFILE, &files);
	max = (size_t)MAX(MIN(files.rlim_cur / DIRS_SHARE, (rlim_t)DIRS_MAX), (rlim_t)1);
	dirs = calloc(1, sizeof(*dirs) + max * sizeof(*dirs->slots));
	if (!dirs)
		return -ENOMEM;
	dirs->max = max;
	pthread_mutex_init(&dirs->lock, NULL);
	*ret = dirs;
	return 0;
}

struct tree_dirs *tree_dirs_free(struct tree_dirs *dirs)
{
	if (dirs)
		pthread_mutex_destroy(&dirs->lock);
	free(dirs);
	return NULL;
}

void tree_dirs_forget(struct tree_image *img)
{
	struct tree_dirs *dirs = img->open_dirs;

	pthread_mutex_lock(&dirs->lock);
	for (size_t i = 0; i < dirs->n; i++)
		if (dirs->slots[i].img == img) {
			close(dirs->slots[i].fd);
			dirs->slots[i] = (struct tree_dir_slot){ .fd = -1 };
		}
	pthread_mutex_unlock(&dirs->lock);
}

void tree_source_name(const struct tree_image *img, uint32_t source, char *name)
{
	uint64_t ref = img->sources[source].name;
	size_t len = ref >> 56;

	memcpy(name, img->dirs.p + (ref & ((UINT64_C(1) << 56) - 1)), len);
	name[len] = '\0';
}

static struct tree_dir_slot *find_slot(const struct tree_image *img, uint32_t source)
{
	struct tree_dirs *dirs = img->open_dirs;
	size_t i = img->sources[source].slot;

	if (i >= dirs->n || dirs->slots[i].img != img || dirs->slots[i].source != source)
		return NULL;
	dirs->slots[i].used = true;
	return &dirs->slots[i];
}

/* One that is empty, or was not used for a while; NULL where all are borrowed. */
static struct tree_dir_slot *free_slot(struct tree_dirs *dirs)
{
	if (dirs->n < dirs->max)
		return &dirs->slots[dirs->n++];
	for (size_t i = 0; i < 2 * dirs->n; i++) {
		struct tree_dir_slot *s = &dirs->slots[dirs->hand];

		dirs->hand = (dirs->hand + 1) % dirs->n;
		if (!s->users && !s->used)
			return s;
		if (!s->users)
			s->used = false;
	}
	return NULL;
}

/* Keeps fd, unless NULL is returned. */
static struct tree_dir_slot *keep_dir(struct tree_image *img, uint32_t source, int fd)
{
	struct tree_dir_slot *s = free_slot(img->open_dirs);

	if (!s)
		return NULL;
	if (s->img)
		close(s->fd);
	*s = (struct tree_dir_slot){
		.img = img, .source = source, .parent = img->sources[source].parent, .fd = fd,
		.used = true,
	};
	img->sources[source].slot = (uint32_t)(s - img->open_dirs->slots);
	return s;
}

void tree_dirs_keep(struct tree_image *img, uint32_t source, int fd)
{
	bool kept;

	pthread_mutex_lock(&img->open_dirs->lock);
	kept = keep_dir(img, source, fd);
	pthread_mutex_unlock(&img->open_dirs->lock);
	if (!kept)
		close(fd);
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
	const struct tree_dirs *dirs = img->open_dirs;

	for (size_t i = 0; i < dirs->n; i++)
		if (dirs->slots[i].img == img && dirs->slots[i].parent == source)
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
	struct tree_dir_slot *slot = NULL;
	size_t n = 0, cap = 0;
	uint32_t at = source;
	int fd = -1;

	for (; at != 0; at = img->sources[at].parent) {
		int r;

		slot = find_slot(img, at);
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
		slot = keep_dir(img, at, fd);
	else
		fd = img->root_fd;
	while (n--) {
		int child = open_below(img, fd, chain[n]);

		if (!slot && fd != img->root_fd)
			close(fd);
		if (child < 0)
			return child;
		fd = child;
		slot = keep_dir(img, chain[n], fd);
	}
	*ret_slot = slot;
	return fd;
}

int tree_dirs_get(struct tree_image *img, uint32_t source, struct tree_dir_ref *ref)
{
	struct tree_dirs *dirs = img->open_dirs;
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
		pthread_mutex_lock(&img->open_dirs->lock);
		img->open_dirs->slots[ref->slot].users--;
		pthread_mutex_unlock(&img->open_dirs->lock);
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
