/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks a tree and emits the front of its image. Directories that were not read yet wait on a
 * stack; a few at a time are listed, their entries looked at by all threads, and what was found is
 * emitted in the order of names by one. So the image depends on the tree alone. A directory's
 * blocks are emitted when all of its children have their inodes.
 */
#include "tree-save.h"

#include <dirent.h>
#include <endian.h>
#include <sys/sysmacros.h>

#include "work.h"

/* A batch: directories until they have so many entries together. */
#define BATCH_ENTRIES 512u
/* Fewer than stay open, so that a batch finds the parents of the next one open. */
#define BATCH_DIRS (DIRS_CACHED / 2)
/* Entries that are looked at together, and those that a thread takes at once. */
#define LOOKS 1024u
#define LOOKS_CHUNK 16u

#define DIRENTS_SIZE (64 * 1024)

/* A directory of the batch; its entries are the n from the first. */
struct dir {
	uint32_t source;
	struct tree_dir_ref ref;
	size_t first, n;
};

struct scan {
	struct tree_image *img;
	struct work_pool *pool;
	uint32_t *stack;		/* directories that were not read yet */
	size_t n_stack, cap_stack;
	struct dir dirs[BATCH_DIRS];
	size_t n_dirs;
	struct tree_entry *entries;	/* of the batch */
	size_t n_entries, cap_entries;
	struct tree_buf names;
	uint32_t dir_source;		/* the directory whose entries are emitted */
	struct tree_links links;
	uint8_t *dirents;
	uint8_t *bytes;			/* of the looks */
	XXH3_state_t *hash;
};

/* --- one entry --- */

static int find_dev(struct tree_image *img, struct tree_look *l)
{
	dev_t dev = makedev(l->st.stx_dev_major, l->st.stx_dev_minor);
	int r;

	for (size_t i = img->n_devs; i-- > 0;)
		if (img->devs[i].dev == dev) {
			l->dev = (uint32_t)i;
			return 0;
		}
	r = array_grow(&img->devs, &img->cap_devs, img->n_devs + 1, sizeof(*img->devs));
	if (r < 0)
		return r;
	l->dev = (uint32_t)img->n_devs;
	img->devs[img->n_devs++] = (struct tree_dev){ .dev = dev, .fs_magic = l->fs_magic };
	return 0;
}

/* A name, where it stands, and what it names: all that a later look would have to find again. */
static void hash_entry(struct scan *s, const struct tree_look *l)
{
	struct {
		uint64_t ino, size;
		int64_t mtime, ctime;
		uint32_t mtime_nsec, ctime_nsec, dir, mode, uid, gid;
	} key = {
		.ino = l->st.stx_ino, .size = S_ISDIR(l->st.stx_mode) ? 0 : l->st.stx_size,
		.mtime = l->st.stx_mtime.tv_sec, .ctime = l->st.stx_ctime.tv_sec,
		.mtime_nsec = l->st.stx_mtime.tv_nsec, .ctime_nsec = l->st.stx_ctime.tv_nsec,
		.dir = s->dir_source, .mode = l->st.stx_mode, .uid = l->st.stx_uid,
		.gid = l->st.stx_gid,
	};

	XXH3_64bits_update(s->hash, l->name, strlen(l->name) + 1);
	if (!l->foreign)
		XXH3_64bits_update(s->hash, &key, sizeof(key));
}

static int push_dir(struct scan *s, uint32_t source)
{
	int r = array_grow(&s->stack, &s->cap_stack, s->n_stack + 1, sizeof(*s->stack));

	if (r == 0)
		s->stack[s->n_stack++] = source;
	return r;
}

/* Emits what an entry names, unless another name of it was met before. */
static int emit_entry(struct scan *s, struct tree_look *l, struct tree_entry *e)
{
	struct tree_image *img = s->img;
	bool linked = !S_ISDIR(l->st.stx_mode) && !l->foreign && l->st.stx_nlink > 1;
	struct erofs_inode *inode;
	uint32_t source;
	int r;

	r = find_dev(img, l);
	if (r < 0)
		return r;
	hash_entry(s, l);
	e->file_type = (uint8_t)erofs_file_type(l->foreign && !S_ISDIR(l->st.stx_mode) ?
						S_IFREG : l->st.stx_mode);
	source = linked ? tree_links_find(&s->links, l->st.stx_ino, l->dev) : TREE_NO_SOURCE;
	if (source != TREE_NO_SOURCE) {
		inode = tree_inode(img, img->sources[source].nid);
		inode->nlink = htole32(le32toh(inode->nlink) + 1);
		e->nid = img->sources[source].nid;
		l->file.source = source;
		return 0;
	}
	r = tree_entry_emit(img, s->dir_source, l, &e->nid, &source);
	if (r < 0)
		return r;
	e->source = source;
	if (linked)
		r = tree_links_add(&s->links, l->st.stx_ino, l->dev, source);
	return r < 0 || !S_ISDIR(l->st.stx_mode) ? r : push_dir(s, source);
}

/* --- directories --- */

static int add_entry(struct scan *s, const char *name, unsigned char d_type)
{
	size_t len = strlen(name);
	int64_t at;
	int r;

	if (len > EROFS_NAME_MAX)
		return -ENAMETOOLONG;
	at = tree_buf_add(&s->names, len + 1, 1);
	if (at < 0)
		return (int)at;
	memcpy(s->names.p + at, name, len);
	r = array_grow(&s->entries, &s->cap_entries, s->n_entries + 1, sizeof(*s->entries));
	if (r < 0)
		return r;
	s->entries[s->n_entries++] = (struct tree_entry){
		.name = (size_t)at, .source = TREE_NO_SOURCE, .len = (uint8_t)len, .d_type = d_type,
	};
	return 0;
}

static int read_dir(struct scan *s, int fd)
{
	for (;;) {
		ssize_t n = getdents64(fd, s->dirents, DIRENTS_SIZE);

		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(s->dirents + at);
			int r = 0;

			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
				r = add_entry(s, d->d_name, d->d_type);
			if (r < 0)
				return r;
			at += d->d_reclen;
		}
	}
}

static int compare_entries(const void *a, const void *b, void *arg)
{
	const struct tree_entry *x = a, *y = b;
	const uint8_t *names = arg;

	/* The NUL behind each name sorts the shorter one first. */
	return memcmp(names + x->name, names + y->name, (size_t)MIN(x->len, y->len) + 1);
}

static const char *entry_name(const struct scan *s, const struct tree_entry *e)
{
	return (const char *)s->names.p + e->name;
}

/* The directory itself or its parent: the only entries that nobody looks at. */
static bool is_dot(const struct scan *s, const struct tree_entry *e)
{
	const char *name = entry_name(s, e);

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool same_name(const struct scan *s, const struct tree_entry *x, const struct tree_entry *y)
{
	return x->len == y->len && memcmp(entry_name(s, x), entry_name(s, y), x->len) == 0;
}

/* Sorts a directory's entries; one that changed while it was listed may give a name twice. */
static int sort_dir(struct scan *s, struct dir *d)
{
	struct tree_entry *e;
	size_t n = 0;
	int r;

	r = add_entry(s, ".", DT_DIR);
	if (r == 0)
		r = add_entry(s, "..", DT_DIR);
	if (r < 0)
		return r;
	e = s->entries + d->first;
	qsort_r(e, s->n_entries - d->first, sizeof(*e), compare_entries, s->names.p);
	for (size_t i = 0; d->first + i < s->n_entries; i++)
		if (!n || !same_name(s, &e[n - 1], &e[i]))
			e[n++] = e[i];
	d->n = n;
	s->n_entries = d->first + n;
	return 0;
}

/* Adds a directory with its names to the batch. One that is not gone into has none. */
static int list_dir(struct scan *s, uint32_t source)
{
	struct tree_image *img = s->img;
	struct dir *d = &s->dirs[s->n_dirs];
	_cleanup_free_ char *path = NULL;
	size_t names = s->names.len;
	int r = 0;

	*d = (struct dir){ .source = source, .ref = TREE_DIR_REF_NONE, .first = s->n_entries };
	if (source == 0 || !(img->sources[source].flags & SOURCE_UNCHECKED)) {
		r = tree_dirs_get(img, source, &d->ref);
		if (r == 0)
			r = read_dir(s, d->ref.fd);
	}
	s->n_dirs++;
	if (r == -ENOENT || r == -ESTALE || r == -ELOOP || r == -ENOTDIR) {
		tree_not_quiet(img, source, NULL, "vanished or was replaced while it was scanned");
		s->n_entries = d->first;
		s->names.len = names;
	} else if (r < 0) {
		path = tree_source_path(img, source);
		return log_error_errno(img->ctx, r, "%s: cannot be read: %m",
				       path ? path : img->path);
	}
	return sort_dir(s, d);
}

/* Drops what vanished. */
static void drop_entries(struct scan *s, struct dir *d)
{
	struct tree_entry *e = s->entries + d->first;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (e[i].file_type != EROFS_FT_UNKNOWN)
			e[n++] = e[i];
	d->n = n;
}

static int emit_dir(struct scan *s, struct dir *d)
{
	struct tree_image *img = s->img;
	uint64_t nid = img->sources[d->source].nid;
	uint32_t links = 0;

	drop_entries(s, d);
	for (size_t i = 0; i < d->n; i++)
		links += s->entries[d->first + i].file_type == EROFS_FT_DIR;
	tree_inode(img, nid)->nlink = htole32(links);
	return tree_emit_dir(img, nid, s->entries + d->first, d->n, (const char *)s->names.p);
}

/* --- batches --- */

/* Where the emission of a batch stands. */
struct cursor {
	struct dir *dir;
	size_t entry;			/* of the directory */
};

/* The next entry to look at, or NULL; dots get their inodes on the way. */
static struct tree_entry *next_entry(struct scan *s, struct cursor *c)
{
	const struct tree_source *sources = s->img->sources;

	for (; c->dir < s->dirs + s->n_dirs; c->dir++, c->entry = 0) {
		while (c->entry < c->dir->n) {
			struct tree_entry *e = &s->entries[c->dir->first + c->entry++];
			uint32_t source = c->dir->source;

			if (!is_dot(s, e))
				return e;
			e->nid = sources[entry_name(s, e)[1] ? sources[source].parent : source].nid;
			e->file_type = EROFS_FT_DIR;
		}
	}
	return NULL;
}

static int look_chunk(void *arg, unsigned int worker, uint64_t chunk)
{
	struct tree_image *img = arg;
	size_t end = MIN((size_t)(chunk + 1) * LOOKS_CHUNK, img->n_looks);

	(void)worker;
	for (size_t i = (size_t)chunk * LOOKS_CHUNK; i < end; i++)
		tree_look(img, &img->looks[i]);
	return 0;
}

/* Emits one entry that was looked at, or says why it cannot be. */
static int emit_look(struct scan *s, struct tree_look *l, struct tree_entry *e)
{
	_cleanup_free_ char *path = NULL;
	int r = l->error;

	if (r == 0)
		r = emit_entry(s, l, e);
	if (r == 0)
		return 0;
	path = tree_path(s->img, s->dir_source, l->name);
	/* -EINVAL: readlink of what is no symlink any more. */
	if (r == -ENOENT || r == -ELOOP || r == -ENOTDIR || r == -ENXIO || r == -EINVAL) {
		e->file_type = EROFS_FT_UNKNOWN;
		tree_not_quiet(s->img, TREE_NO_SOURCE, TAKE_PTR(path),
			       "vanished or was replaced while it was scanned");
		return 0;
	}
	return r == -ENOMEM ? r : log_error_errno(s->img->ctx, r, "%s: cannot be read: %m",
						   path ? path : l->name);
}

/* Looks at the next entries of the batch, emits them, and hands over what was read. */
static int scan_slice(struct scan *s, struct cursor *c)
{
	struct tree_image *img = s->img;
	struct cursor at = *c;
	struct tree_entry *e;
	int r, early;

	for (img->n_looks = 0; img->n_looks < LOOKS && (e = next_entry(s, c)); img->n_looks++) {
		struct tree_look *l = &img->looks[img->n_looks];

		tree_look_reset(l);
		l->name = entry_name(s, e);
		l->d_type = e->d_type;
		l->dirfd = c->dir->ref.fd;
	}
	r = work_pool_run(s->pool, (img->n_looks + LOOKS_CHUNK - 1) / LOOKS_CHUNK, look_chunk, img);
	for (size_t i = 0; i < img->n_looks && r == 0; i++) {
		e = next_entry(s, &at);
		s->dir_source = at.dir->source;
		r = emit_look(s, &img->looks[i], e);
	}
	early = tree_early_run(img, s->pool);
	return r < 0 ? r : early;
}

/* Taken from its end: the first name's directory comes next. */
static void turn_stack(struct scan *s, size_t from)
{
	for (size_t i = from, j = s->n_stack; i + 1 < j; i++) {
		uint32_t t = s->stack[i];

		s->stack[i] = s->stack[--j];
		s->stack[j] = t;
	}
}

/* Scans the directories that were listed. */
static int scan_batch(struct scan *s)
{
	struct cursor c = { .dir = s->dirs };
	size_t stack = s->n_stack;
	int r;

	do {
		r = scan_slice(s, &c);
	} while (r == 0 && c.dir < s->dirs + s->n_dirs);
	for (size_t i = 0; i < s->n_dirs && r == 0; i++)
		r = emit_dir(s, &s->dirs[i]);
	for (size_t i = 0; i < s->n_dirs; i++)
		tree_dirs_put(s->img, &s->dirs[i].ref);
	turn_stack(s, stack);
	s->n_dirs = s->n_entries = s->names.len = 0;
	return r;
}

static int list_batch(struct scan *s)
{
	int r = 0;

	while (r == 0 && s->n_stack && s->n_dirs < BATCH_DIRS && s->n_entries < BATCH_ENTRIES)
		r = list_dir(s, s->stack[--s->n_stack]);
	return r;
}

/* --- the whole --- */

/* The root of a tree is a directory; for a single file, one is made up that holds it alone. */
static int scan_root(struct scan *s)
{
	struct tree_image *img = s->img;
	struct tree_look *l = &img->looks[0];
	struct tree_look made = { .foreign = true, .st = { .stx_mode = S_IFDIR | 0755 } };
	struct tree_entry e = { 0 };
	struct tree_extra x = { 0 };
	uint64_t nid;
	int r;

	tree_look_reset(l);
	l->name = "";
	tree_look_root(img, l);
	if (l->error < 0)
		return log_error_errno(img->ctx, l->error, "%s: cannot be read: %m", img->path);
	if (!img->single)
		return emit_entry(s, l, &e);
	r = find_dev(img, l);
	made.dev = l->dev;
	if (r == 0)
		r = tree_emit_inode(img, &made.st, &x, &nid);
	if (r == 0)
		r = tree_entry_source(img, 0, &made, nid);
	if (r < 0)
		return r;
	s->n_dirs = 1;
	s->dirs[0] = (struct dir){
		.ref = { .fd = img->root_fd, .slot = -1, .source = 0 },
	};
	r = add_entry(s, strrchr(img->path, '/') + 1, DT_UNKNOWN);
	if (r == 0)
		r = sort_dir(s, &s->dirs[0]);
	return r < 0 ? r : scan_batch(s);
}

static int make_looks(struct scan *s)
{
	struct tree_image *img = s->img;

	img->looks = calloc(LOOKS, sizeof(*img->looks));
	s->dirents = malloc(DIRENTS_SIZE);
	s->hash = XXH3_createState();
	s->bytes = malloc(LOOKS * TREE_LOOK_BYTES);
	if (!img->looks || !s->dirents || !s->hash || !s->bytes)
		return -ENOMEM;
	for (size_t i = 0; i < LOOKS; i++) {
		img->looks[i].file.fd = -1;
		img->looks[i].bytes = s->bytes + i * TREE_LOOK_BYTES;
	}
	return work_pool_new(img->ctx, ctx_threads(img->ctx, LOOKS / LOOKS_CHUNK), NULL, &s->pool);
}

static void free_looks(struct scan *s)
{
	struct tree_image *img = s->img;

	for (size_t i = 0; img->looks && i < LOOKS; i++)
		tree_look_done(&img->looks[i]);
	free(img->looks);
	img->looks = NULL;
	work_pool_free(s->pool);
	XXH3_freeState(s->hash);
	free(s->bytes);
	free(s->dirents);
}

int tree_scan(struct tree_image *img)
{
	struct scan s = { .img = img };
	int64_t r;

	r = make_looks(&s);
	if (r == 0) {
		XXH3_64bits_reset(s.hash);
		r = tree_buf_add(&img->inodes, EROFS_SUPER_OFFSET + sizeof(struct erofs_super), 1);
	}
	if (r >= 0)
		r = scan_root(&s);
	while (r == 0 && s.n_stack) {
		r = list_batch(&s);
		if (r == 0)
			r = scan_batch(&s);
	}
	/* The lowest bit keeps how it was scanned, so that the same can be done again. */
	if (r == 0)
		img->fingerprint = (XXH3_64bits_digest(s.hash) & ~UINT64_C(1)) |
				   img->opts.cross_mounts;
	for (size_t i = 0; i < s.n_dirs; i++)
		tree_dirs_put(img, &s.dirs[i].ref);
	tree_early_end(img);
	free_looks(&s);
	free(s.stack);
	free(s.entries);
	free(s.names.p);
	free(s.links.links);
	return (int)r;
}
