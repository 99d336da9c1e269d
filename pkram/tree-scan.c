/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks a tree and emits the front of its image. Directories that were not read yet wait on a
 * stack; a few at a time are listed, a batch, their entries looked at by all threads, slice by
 * slice, and what was found is emitted in the order of names by one, while the others look at the
 * next slice. Batches depend on the tree alone, so the image does. A directory's blocks are emitted
 * when all of its children have their inodes.
 */
#include "tree-save.h"

#include <dirent.h>
#include <endian.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "work.h"

/* A batch: directories until they have so many entries together. */
#define BATCH_ENTRIES 512u
/* ... or are so many; fixed, as the image follows from it. */
#define BATCH_DIRS 21u
/* Entries that are looked at together, and those that a thread takes at once. */
#define LOOKS 512u
#define LOOKS_CHUNK 16u

#define DIRENTS_SIZE (64 * 1024)

/* A directory of a batch; its entries are the n from the first. */
struct dir {
	uint32_t source;
	struct tree_dir_ref ref;
	size_t first, n;
};

struct batch {
	struct dir dirs[BATCH_DIRS];
	size_t n_dirs;			/* 0: free */
	struct tree_entry *entries;
	size_t n_entries, cap_entries;
	struct tree_buf names;
};

/* An entry of a batch: the next one. */
struct cursor {
	struct batch *batch;		/* NULL: of none */
	size_t dir, entry;
};

/* Neighbours in a batch: looked at, and emitted while the next ones are. */
struct slice {
	struct tree_looks looks;
	struct cursor from;		/* of no batch: nothing is in it */
	bool last;			/* of its batch; it may have no entries then */
};

struct scan {
	struct tree_image *img;
	struct work_pool *pool;
	uint32_t *stack;		/* directories that were not read yet */
	size_t n_stack, cap_stack;
	uint32_t *found;		/* directories in the batch that is being emitted */
	size_t n_found, cap_found;
	struct batch batches[3];	/* emitted, looked at, listed */
	struct batch *ahead;		/* the one that was listed, NULL: none */
	struct cursor next;		/* to look at */
	struct slice slices[2];
	uint32_t dir_source;		/* the directory whose entries are emitted */
	struct tree_links links;
	uint8_t *dirents;
	uint64_t fingerprint;
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

/*
 * A name, where it stands, and what it names: all that a later look would have to find again, in
 * whatever order.
 */
static void hash_entry(struct scan *s, const struct tree_look *l)
{
	struct {
		uint64_t dir, ino, size;
		int64_t mtime, ctime;
		uint32_t mtime_nsec, ctime_nsec, mode, uid, gid, zero;
	} key = {
		.dir = s->img->n_sources ? s->img->sources[s->dir_source].ino : 0,
	};

	if (!l->foreign) {
		key.ino = l->st.stx_ino;
		key.size = S_ISDIR(l->st.stx_mode) ? 0 : l->st.stx_size;
		key.mtime = l->st.stx_mtime.tv_sec;
		key.mtime_nsec = l->st.stx_mtime.tv_nsec;
		key.ctime = l->st.stx_ctime.tv_sec;
		key.ctime_nsec = l->st.stx_ctime.tv_nsec;
		key.mode = l->st.stx_mode;
		key.uid = l->st.stx_uid;
		key.gid = l->st.stx_gid;
	}
	s->fingerprint += XXH3_64bits_withSeed(l->name, strlen(l->name),
					       XXH3_64bits(&key, sizeof(key)));
}

static int add_found(struct scan *s, uint32_t source)
{
	int r = array_grow(&s->found, &s->cap_found, s->n_found + 1, sizeof(*s->found));

	if (r == 0)
		s->found[s->n_found++] = source;
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
		tree_entry_is(l, s->dir_source, source);
		return 0;
	}
	r = tree_entry_emit(img, s->dir_source, l, &e->nid, &source);
	if (r < 0)
		return r;
	e->source = source;
	if (linked)
		r = tree_links_add(&s->links, l->st.stx_ino, l->dev, source);
	if (r < 0 || !S_ISDIR(l->st.stx_mode))
		return r;
	if (l->keep)
		tree_dirs_keep(img, source, TAKE_FD(l->file.fd));
	return add_found(s, source);
}

/* --- directories --- */

static int add_entry(struct batch *b, const char *name, unsigned char d_type)
{
	size_t len = strlen(name);
	int64_t at;
	int r;

	if (len > EROFS_NAME_MAX)
		return -ENAMETOOLONG;
	at = tree_buf_add(&b->names, len + 1, 1);
	if (at < 0)
		return (int)at;
	memcpy(b->names.p + at, name, len);
	r = array_grow(&b->entries, &b->cap_entries, b->n_entries + 1, sizeof(*b->entries));
	if (r < 0)
		return r;
	b->entries[b->n_entries++] = (struct tree_entry){
		.name = (size_t)at, .source = TREE_NO_SOURCE, .len = (uint8_t)len, .d_type = d_type,
	};
	return 0;
}

static int read_dir(struct scan *s, struct batch *b, int fd)
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
				r = add_entry(b, d->d_name, d->d_type);
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

static const char *entry_name(const struct batch *b, const struct tree_entry *e)
{
	return (const char *)b->names.p + e->name;
}

/* The directory itself or its parent: the only entries that nobody looks at. */
static bool is_dot(const struct batch *b, const struct tree_entry *e)
{
	const char *name = entry_name(b, e);

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool same_name(const struct batch *b, const struct tree_entry *x, const struct tree_entry *y)
{
	return x->len == y->len && memcmp(entry_name(b, x), entry_name(b, y), x->len) == 0;
}

/* Sorts a directory's entries; one that changed while it was listed may give a name twice. */
static int sort_dir(struct batch *b, struct dir *d)
{
	struct tree_entry *e;
	size_t n = 0;
	int r;

	r = add_entry(b, ".", DT_DIR);
	if (r == 0)
		r = add_entry(b, "..", DT_DIR);
	if (r < 0)
		return r;
	e = b->entries + d->first;
	qsort_r(e, b->n_entries - d->first, sizeof(*e), compare_entries, b->names.p);
	for (size_t i = 0; d->first + i < b->n_entries; i++)
		if (!n || !same_name(b, &e[n - 1], &e[i]))
			e[n++] = e[i];
	d->n = n;
	b->n_entries = d->first + n;
	return 0;
}

/* Adds a directory with its names to the batch. One that is not gone into has none. */
static int list_dir(struct scan *s, struct batch *b, uint32_t source)
{
	struct tree_image *img = s->img;
	struct dir *d = &b->dirs[b->n_dirs];
	_cleanup_free_ char *path = NULL;
	size_t names = b->names.len;
	int r = 0;

	*d = (struct dir){ .source = source, .ref = TREE_DIR_REF_NONE, .first = b->n_entries };
	if (source == 0 || !(img->sources[source].flags & SOURCE_UNCHECKED)) {
		r = tree_dirs_get(img, source, &d->ref);
		if (r == 0)
			r = read_dir(s, b, d->ref.fd);
	}
	b->n_dirs++;
	if (r == -ENOENT || r == -ESTALE || r == -ELOOP || r == -ENOTDIR) {
		tree_not_quiet(img, source, NULL, "vanished or was replaced while it was scanned");
		b->n_entries = d->first;
		b->names.len = names;
	} else if (r < 0) {
		path = tree_source_path(img, source);
		return log_error_errno(img->ctx, r, "%s: cannot be read: %m%s",
				       path ? path : img->path, error_hint(r));
	}
	return sort_dir(b, d);
}

/* Drops what vanished. */
static void drop_entries(struct batch *b, struct dir *d)
{
	struct tree_entry *e = b->entries + d->first;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (e[i].file_type != EROFS_FT_UNKNOWN)
			e[n++] = e[i];
	d->n = n;
}

static int emit_dir(struct tree_image *img, struct batch *b, struct dir *d)
{
	const struct tree_source *source = &img->sources[d->source];
	uint32_t links = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct tree_entry *e = &b->entries[d->first + i];

		if (is_dot(b, e)) {
			e->file_type = EROFS_FT_DIR;
			e->nid = entry_name(b, e)[1] ? img->sources[source->parent].nid
						     : source->nid;
		}
		links += e->file_type == EROFS_FT_DIR;
	}
	drop_entries(b, d);
	tree_inode(img, source->nid)->nlink = htole32(links);
	return tree_emit_dir(img, source->nid, b->entries + d->first, d->n,
			     (const char *)b->names.p);
}

/* --- batches --- */

static struct batch *free_batch(struct scan *s)
{
	struct batch *b = s->batches;

	while (b->n_dirs)
		b++;
	return b;
}

static void put_dirs(struct scan *s, struct batch *b)
{
	for (size_t i = 0; i < b->n_dirs; i++)
		tree_dirs_put(s->img, &b->dirs[i].ref);
}

/* Lists the next directories, if any are known. */
static int list_ahead(struct scan *s)
{
	struct batch *b = free_batch(s);
	int r = 0;

	if (s->n_stack)
		s->ahead = b;
	while (r == 0 && s->n_stack && b->n_dirs < BATCH_DIRS && b->n_entries < BATCH_ENTRIES)
		r = list_dir(s, b, s->stack[--s->n_stack]);
	return r;
}

/* The stack is taken from its end: the first name's directory comes next. */
static int push_found(struct scan *s)
{
	int r = array_grow(&s->stack, &s->cap_stack, s->n_stack + s->n_found, sizeof(*s->stack));

	while (r == 0 && s->n_found)
		s->stack[s->n_stack++] = s->found[--s->n_found];
	return r;
}

/* All of its entries were emitted. */
static int emit_batch(struct scan *s, struct batch *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_dirs && r == 0; i++)
		r = emit_dir(s->img, b, &b->dirs[i]);
	put_dirs(s, b);
	return r < 0 ? r : push_found(s);
}

/* --- slices --- */

/* The next entry that is looked at, or NULL. */
static struct tree_entry *next_entry(struct cursor *c)
{
	struct batch *b = c->batch;

	for (; c->dir < b->n_dirs; c->dir++, c->entry = 0) {
		const struct dir *d = &b->dirs[c->dir];

		while (c->entry < d->n) {
			struct tree_entry *e = &b->entries[d->first + c->entry++];

			if (!is_dot(b, e))
				return e;
		}
	}
	return NULL;
}

static struct tree_look *next_look(struct tree_looks *looks)
{
	struct tree_look *l = &looks->v[looks->n++];

	looks->ready = MAX(looks->ready, looks->n);
	tree_look_reset(l);
	return l;
}

static void note_devs(struct tree_looks *looks)
{
	const struct tree_image *img = looks->img;

	looks->n_near = MIN(img->n_devs, (size_t)NEAR_DEVS);
	memcpy(looks->near, img->devs + (img->n_devs - looks->n_near),
	       looks->n_near * sizeof(*looks->near));
}

/* Takes the next entries to look at; false: none are known before others are emitted. */
static bool fill_slice(struct scan *s, struct slice *slice)
{
	struct tree_looks *looks = &slice->looks;
	struct tree_entry *e = NULL;

	if (!s->next.batch)
		s->next = (struct cursor){ .batch = TAKE_PTR(s->ahead) };
	slice->from = s->next;
	looks->n = looks->taken = looks->kept_dirs = 0;
	if (!s->next.batch)
		return false;
	note_devs(looks);
	while (looks->n < LOOKS && (e = next_entry(&s->next))) {
		struct tree_look *l = next_look(looks);

		l->name = entry_name(s->next.batch, e);
		l->d_type = e->d_type;
		l->dirfd = s->next.batch->dirs[s->next.dir].ref.fd;
	}
	slice->last = !e;
	if (slice->last)
		s->next.batch = NULL;
	return true;
}

static int look_chunk(void *arg, unsigned int worker, uint64_t chunk)
{
	struct tree_looks *looks = arg;
	size_t end = MIN((size_t)(chunk + 1) * LOOKS_CHUNK, looks->n);

	(void)worker;
	for (size_t i = (size_t)chunk * LOOKS_CHUNK; i < end; i++)
		tree_look(looks, &looks->v[i]);
	return 0;
}

/* Emits one entry that was looked at, or says why it could not be. */
static int emit_look(struct scan *s, struct tree_look *l, struct tree_entry *e)
{
	_cleanup_free_ char *path = NULL;
	int r = l->error;

	if (r == 0)
		return emit_entry(s, l, e);
	path = tree_path(s->img, s->dir_source, l->name);
	/* -EINVAL: readlink of what is no symlink any more. */
	if (r == -ENOENT || r == -ELOOP || r == -ENOTDIR || r == -ENXIO || r == -EINVAL) {
		e->file_type = EROFS_FT_UNKNOWN;
		tree_not_quiet(s->img, TREE_NO_SOURCE, TAKE_PTR(path),
			       "vanished or was replaced while it was scanned");
		return 0;
	}
	return r == -ENOMEM ? r : log_error_errno(s->img->ctx, r, "%s: cannot be read: %m%s",
						   path ? path : l->name, error_hint(r));
}

static int emit_slice(struct scan *s, struct slice *slice)
{
	struct cursor at = slice->from;
	int r = 0;

	if (!at.batch)
		return 0;
	for (size_t i = 0; i < slice->looks.n && r == 0; i++) {
		struct tree_entry *e = next_entry(&at);

		s->dir_source = at.batch->dirs[at.dir].source;
		r = emit_look(s, &slice->looks.v[i], e);
	}
	return r == 0 && slice->last ? emit_batch(s, at.batch) : r;
}

/* Its entries' names are not needed any more. */
static void drop_slice(struct slice *slice)
{
	struct batch *b = slice->from.batch;

	if (b && slice->last)
		b->n_dirs = b->n_entries = b->names.len = 0;
	slice->from.batch = NULL;
}

/*
 * While the others look at a slice, the one before it is emitted. With the last slice of batch N,
 * batch N + 1 is listed, from what was found in batches up to N - 1; where that is nothing, when N
 * is emitted. So batches do not depend on the size of slices.
 */
static int scan_slice(struct scan *s, struct slice *slice, struct slice *before)
{
	struct tree_looks *looks = &slice->looks;
	int r;

	work_pool_start(s->pool, (looks->n + LOOKS_CHUNK - 1) / LOOKS_CHUNK, look_chunk, looks);
	/* What was looked at before: a writer waits for one slice at most. */
	closer_flush(&s->img->closer);
	r = emit_slice(s, before);
	if (r == 0 && !s->next.batch && !s->ahead)
		r = list_ahead(s);
	/* A look's failure is told when it is emitted. */
	(void)work_pool_finish(s->pool);
	if (r == 0)
		r = tree_early_run(s->pool, &before->looks);
	drop_slice(before);
	return r;
}

int tree_scan_progress(struct tree_image *img)
{
	const struct pkram_progress p = {
		.what = img->probe ? "compare" : "save", .done = img->given,
		.files = img->n_sources,
	};

	return ctx_progress_of(img->ctx, &p);
}

static int scan_slices(struct scan *s)
{
	struct slice *slice = &s->slices[0], *before = &s->slices[1], *next;
	int r = s->ahead ? 0 : list_ahead(s);

	while (r == 0 && (fill_slice(s, slice) || before->from.batch)) {
		r = scan_slice(s, slice, before);
		if (r == 0)
			r = tree_scan_progress(s->img);
		next = before;
		before = slice;
		slice = next;
	}
	return r;
}

/* --- the whole --- */

/* A single file: a directory is made up that holds it alone. */
static int make_up_root(struct scan *s, struct tree_look *l)
{
	struct tree_look made = { .foreign = true, .st = { .stx_mode = S_IFDIR | 0755 } };
	struct tree_image *img = s->img;
	struct batch *b = &s->batches[0];
	struct tree_extra x = { 0 };
	uint64_t nid;
	int r;

	r = find_dev(img, l);
	made.dev = l->dev;
	if (r == 0)
		r = tree_emit_inode(img, &made.st, &x, &nid);
	if (r == 0)
		r = tree_entry_source(img, 0, &made, nid);
	if (r < 0)
		return r;
	b->dirs[b->n_dirs++] = (struct dir){
		.ref = { .fd = img->root_fd, .slot = -1, .source = 0 },
	};
	s->ahead = b;
	r = add_entry(b, strrchr(img->path, '/') + 1, DT_UNKNOWN);
	return r < 0 ? r : sort_dir(b, &b->dirs[0]);
}

static int scan_root(struct scan *s)
{
	struct tree_image *img = s->img;
	struct tree_look *l = next_look(&s->slices[0].looks);
	struct tree_entry e = { 0 };
	int r;

	l->name = "";
	tree_look_root(&s->slices[0].looks, l);
	if (l->error < 0)
		return log_error_errno(img->ctx, l->error, "%s: cannot be read: %m%s", img->path,
				       error_hint(l->error));
	if (img->single)
		return make_up_root(s, l);
	r = emit_entry(s, l, &e);
	return r < 0 ? r : push_found(s);
}

/*
 * Files of two slices may be kept at a time, and a quarter as many directories that were not listed
 * yet; struct tree_dirs, closer and others need some, too.
 */
static unsigned int count_keep(void)
{
	struct rlimit files = { .rlim_cur = 1024 };

	getrlimit(RLIMIT_NOFILE, &files);
	return files.rlim_cur <= 128 ? 0 : (unsigned int)MIN((files.rlim_cur - 128) / 4,
							     (rlim_t)LOOKS);
}

static int slice_new(struct slice *slice, struct tree_image *img)
{
	struct tree_looks *looks = &slice->looks;

	looks->img = img;
	looks->may_keep = count_keep();
	looks->may_keep_dirs = looks->may_keep / 4;
	looks->v = calloc(LOOKS, sizeof(*looks->v));
	looks->bytes = large_buffer_new(LOOKS * TREE_LOOK_BYTES);
	return looks->v && looks->bytes ? 0 : -ENOMEM;
}

static void slice_done(struct slice *slice)
{
	struct tree_looks *looks = &slice->looks;

	for (size_t i = 0; i < looks->ready; i++)
		tree_look_done(&looks->v[i]);
	free(looks->v);
	free(looks->bytes);
}

static int scan_new(struct scan *s)
{
	struct tree_image *img = s->img;
	int r = 0;

	closer_init(&img->closer);
	s->dirents = malloc(DIRENTS_SIZE);
	if (!s->dirents)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(s->slices) && r == 0; i++)
		r = slice_new(&s->slices[i], img);
	return r < 0 ? r : work_pool_new(img->ctx, ctx_threads(img->ctx, LOOKS / LOOKS_CHUNK),
					 NULL, &s->pool);
}

static void scan_done(struct scan *s)
{
	work_pool_free(s->pool);
	for (size_t i = 0; i < ARRAY_SIZE(s->batches); i++) {
		put_dirs(s, &s->batches[i]);
		free(s->batches[i].entries);
		free(s->batches[i].names.p);
	}
	for (size_t i = 0; i < ARRAY_SIZE(s->slices); i++)
		slice_done(&s->slices[i]);
	closer_done(&s->img->closer);
	tree_early_end(s->img);
	free(s->links.links);
	free(s->dirents);
	free(s->stack);
	free(s->found);
}

int tree_scan(struct tree_image *img)
{
	struct scan s = { .img = img };
	int64_t r;

	r = scan_new(&s);
	if (r == 0)
		r = tree_buf_add(&img->inodes, EROFS_SUPER_OFFSET + sizeof(struct erofs_super), 1);
	if (r >= 0)
		r = scan_root(&s);
	if (r == 0)
		r = scan_slices(&s);
	/* The lowest bit keeps how it was scanned, so that the same can be done again. */
	if (r == 0)
		img->fingerprint = (s.fingerprint & ~UINT64_C(1)) |
				   img->opts.cross_mounts;
	scan_done(&s);
	return (int)r;
}
