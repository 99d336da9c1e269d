/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks a tree and emits the front of its image. A directory is emitted when all of its children
 * have their inodes; those that are directories wait on a stack. Regular files are opened, because
 * everything asked of a descriptor (times, xattrs, flags, holes) costs less than the same asked of
 * a path.
 */
#include "tree-save.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

/* Writers of files from this size on are looked for before anything is copied. */
#define PROBE_SIZE PKRAM_WINDOW

struct link {
	uint64_t ino;
	uint32_t dev;
	uint32_t source;	/* TREE_NO_SOURCE: empty slot */
};

struct scan {
	struct tree_image *img;
	struct tree_dir_ref dir;
	uint32_t dir_source;
	uint32_t *stack;		/* directories that were not read yet */
	size_t n_stack, cap_stack;
	struct tree_entry *entries;	/* of the directory that is being read */
	size_t n_entries, cap_entries;
	struct tree_buf names;
	struct tree_buf xattrs;
	struct tree_segments segments;
	bool sparse;			/* the file that was emitted last has holes */
	struct link *links;		/* open addressing; inodes with several names */
	size_t n_links, cap_links;
	uint8_t *dirents;
	XXH3_state_t *hash;
};

/* An inode that is being looked at. */
struct subject {
	const char *name;
	int fd;				/* of regular files and directories */
	uint32_t dev;			/* index into devs */
	bool foreign;			/* root of another mount: not gone into */
	struct statx st;
};

#define DIRENTS_SIZE (64 * 1024)

/* --- inodes with several names --- */

static struct link *find_link(struct link *links, size_t cap, uint64_t ino, uint32_t dev)
{
	size_t i = (ino ^ (uint64_t)dev << 32) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	for (;; i++) {
		struct link *l = &links[i & (cap - 1)];

		if (l->source == TREE_NO_SOURCE || (l->ino == ino && l->dev == dev))
			return l;
	}
}

static int grow_links(struct scan *s)
{
	size_t cap = s->cap_links ? s->cap_links * 2 : 64;
	struct link *links = malloc(cap * sizeof(*links));

	if (!links)
		return -ENOMEM;
	memset(links, 0xff, cap * sizeof(*links));
	for (size_t i = 0; i < s->cap_links; i++)
		if (s->links[i].source != TREE_NO_SOURCE)
			*find_link(links, cap, s->links[i].ino, s->links[i].dev) = s->links[i];
	free(s->links);
	s->links = links;
	s->cap_links = cap;
	return 0;
}

/* The source that this inode has already, or TREE_NO_SOURCE. */
static uint32_t linked_source(const struct scan *s, const struct subject *f)
{
	if (!s->n_links)
		return TREE_NO_SOURCE;
	return find_link(s->links, s->cap_links, f->st.stx_ino, f->dev)->source;
}

/* Once the source is there: an inode that vanished before has none. */
static int note_link(struct scan *s, const struct subject *f, uint32_t source)
{
	if (s->n_links * 2 >= s->cap_links) {
		int r = grow_links(s);

		if (r < 0)
			return r;
	}
	*find_link(s->links, s->cap_links, f->st.stx_ino, f->dev) = (struct link){
		.ino = f->st.stx_ino, .dev = f->dev, .source = source,
	};
	s->n_links++;
	return 0;
}

/* --- one inode --- */

static int find_dev(struct scan *s, struct subject *f)
{
	struct tree_image *img = s->img;
	dev_t dev = makedev(f->st.stx_dev_major, f->st.stx_dev_minor);
	struct statfs fs;
	int r;

	/* Almost always the one of the last file, which is the last one found. */
	for (size_t i = img->n_devs; i-- > 0;)
		if (img->devs[i].dev == dev) {
			f->dev = (uint32_t)i;
			return 0;
		}
	r = array_grow(&img->devs, &img->cap_devs, img->n_devs + 1, sizeof(*img->devs));
	if (r < 0)
		return r;
	if (fstatfs(f->fd >= 0 ? f->fd : s->dir.fd >= 0 ? s->dir.fd : img->root_fd, &fs) < 0)
		return -errno;
	f->dev = (uint32_t)img->n_devs;
	img->devs[img->n_devs++] = (struct tree_dev){ .dev = dev, .fs_magic = (uint64_t)fs.f_type };
	return 0;
}

/* Opens what can be opened without harm, and takes its attributes. */
static int look_at(struct scan *s, int dirfd, unsigned char d_type, struct subject *f)
{
	bool cross = s->img->opts.cross_mounts;
	int r;

	f->fd = -1;
	if (d_type == DT_REG) {
		f->fd = tree_open(dirfd, f->name, 0);
		if (f->fd < 0 && f->fd != -ELOOP && f->fd != -ENXIO && f->fd != -EWOULDBLOCK)
			return f->fd;
		r = tree_statx(f->fd < 0 ? dirfd : f->fd, f->fd < 0 ? f->name : "", &f->st);
		if (r < 0)
			return r;
	} else {
		r = tree_statx(dirfd, f->name, &f->st);
		if (r < 0)
			return r;
		f->foreign = f->st.stx_attributes & STATX_ATTR_MOUNT_ROOT && !cross;
		if (!f->foreign && (S_ISDIR(f->st.stx_mode) || S_ISREG(f->st.stx_mode))) {
			f->fd = tree_open(dirfd, f->name,
					  S_ISDIR(f->st.stx_mode) ? O_DIRECTORY : 0);
			if (f->fd < 0 && f->fd != -EWOULDBLOCK)
				return f->fd;
			if (f->fd >= 0)
				r = tree_statx(f->fd, "", &f->st);
			if (r < 0)
				return r;
		}
	}
	f->foreign = f->st.stx_attributes & STATX_ATTR_MOUNT_ROOT && !cross;
	return find_dev(s, f);
}

/*
 * Between the start of the save and this look at it? A clock that was set back makes times of the
 * future: those say nothing.
 */
static bool changed_since_start(const struct tree_image *img, const struct statx *st)
{
	struct timespec now;

	if (st->stx_ctime.tv_sec < img->started.tv_sec ||
	    (st->stx_ctime.tv_sec == img->started.tv_sec &&
	     st->stx_ctime.tv_nsec <= img->started.tv_nsec))
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return st->stx_ctime.tv_sec <= now.tv_sec;
}

static int add_source(struct scan *s, const struct subject *f, uint64_t nid, uint32_t flags)
{
	struct tree_image *img = s->img;
	int r;

	if (img->n_sources == TREE_NO_SOURCE)
		return -EFBIG;
	r = array_grow(&img->sources, &img->cap_sources, img->n_sources + 1, sizeof(*img->sources));
	if (r < 0)
		return r;
	img->sources[img->n_sources++] = (struct tree_source){
		.nid = nid, .ino = f->st.stx_ino, .ctime_sec = f->st.stx_ctime.tv_sec,
		.ctime_nsec = f->st.stx_ctime.tv_nsec, .parent = s->dir_source, .dev = f->dev,
		.flags = flags, .blocks = (uint32_t)f->st.stx_blocks,
	};
	return 0;
}

/* A name, where it stands, and what it names: all that a later look would have to find again. */
static void hash_subject(struct scan *s, const struct subject *f)
{
	struct {
		uint64_t ino, size;
		int64_t mtime, ctime;
		uint32_t mtime_nsec, ctime_nsec, dir, mode, uid, gid;
	} key = {
		.ino = f->st.stx_ino, .size = S_ISDIR(f->st.stx_mode) ? 0 : f->st.stx_size,
		.mtime = f->st.stx_mtime.tv_sec, .ctime = f->st.stx_ctime.tv_sec,
		.mtime_nsec = f->st.stx_mtime.tv_nsec, .ctime_nsec = f->st.stx_ctime.tv_nsec,
		.dir = s->dir_source, .mode = f->st.stx_mode, .uid = f->st.stx_uid,
		.gid = f->st.stx_gid,
	};

	XXH3_64bits_update(s->hash, f->name, strlen(f->name) + 1);
	if (!f->foreign)
		XXH3_64bits_update(s->hash, &key, sizeof(key));
}

static int emit_symlink(struct scan *s, const struct subject *f, int dirfd, uint64_t *ret_nid)
{
	struct tree_image *img = s->img;
	struct tree_extra x = { .xattrs = &s->xattrs, .layout = EROFS_FLAT_INLINE };
	char target[EROFS_BLOCK];
	struct statx st = f->st;
	ssize_t len = readlinkat(dirfd, f->name, target, sizeof(target));
	int64_t at;
	int r;

	if (len < 0)
		return -errno;
	if (len == 0 || len == sizeof(target))
		return -ENAMETOOLONG;
	st.stx_size = (uint64_t)len;
	if (sizeof(struct erofs_inode) + s->xattrs.len + (size_t)len <= EROFS_BLOCK) {
		x.tail = (size_t)len;
		x.whole = true;
		r = tree_emit_inode(img, &st, &x, ret_nid);
		if (r == 0)
			memcpy(tree_emit_tail(img, *ret_nid), target, (size_t)len);
		return r;
	}
	at = tree_buf_add(&img->dirs, EROFS_BLOCK, EROFS_BLOCK);
	if (at < 0)
		return (int)at;
	memcpy(img->dirs.p + at, target, (size_t)len);
	x.layout = EROFS_FLAT_PLAIN;
	r = tree_emit_inode(img, &st, &x, ret_nid);
	if (r == 0)
		tree_inode(img, *ret_nid)->u.blkaddr = htole32((uint32_t)(at / EROFS_BLOCK));
	return r;
}

/* Names a writer now rather than after everything was copied. */
static void probe_writer(struct scan *s, const struct subject *f)
{
	struct tree_image *img = s->img;

	if (f->fd < 0 || img->opts.live || (f->st.stx_size < PROBE_SIZE && !img->probe))
		return;
	if (tree_lease(f->fd) == LEASE_REFUSED)
		tree_has_writer(img, TREE_NO_SOURCE, tree_path(img, s->dir_source, f->name),
				img->devs[f->dev].dev, f->st.stx_ino);
}

/*
 * tmpfs calls fallocated pages that nobody wrote holes. Their room cannot be carried: which of the
 * holes have it, nothing tells. A huge page behind the end looks like that, too: it does not count.
 */
static void note_reserved(struct scan *s, const struct subject *f, uint64_t data)
{
	uint64_t blocks = f->st.stx_blocks * 512;
	char what[80];

	if (s->img->devs[f->dev].fs_magic != TMPFS_MAGIC || blocks < data + 2 * PKRAM_HUGE)
		return;
	snprintf(what, sizeof(what), "has %llu MiB that are fallocated but not written",
		 (unsigned long long)((blocks - data) / MIB));
	tree_loss(s->img, s->dir_source, f->name, what);
}

static int emit_regular(struct scan *s, const struct subject *f, uint64_t *ret_nid)
{
	struct tree_image *img = s->img;
	struct tree_extra x = { .xattrs = &s->xattrs, .layout = EROFS_FLAT_PLAIN };
	uint64_t size = f->st.stx_size, data = 0, chunk;
	unsigned int bits;
	bool holes;
	int r;

	probe_writer(s, f);
	if (size == 0)
		return tree_emit_inode(img, &f->st, &x, ret_nid);
	/* Somebody holds a lease on it: said when it is read. */
	if (f->fd < 0) {
		img->data += size;
		return tree_emit_inode(img, &f->st, &x, ret_nid);
	}
	r = tree_holes_map(f->fd, size, img->devs[f->dev].fs_magic == HUGETLBFS_MAGIC,
			   f->st.stx_blocks, &s->segments);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->segments.n; i++)
		data += MIN(s->segments.s[i].end, size) - s->segments.s[i].off;
	img->data += data;
	holes = s->segments.n != 1 || s->segments.s[0].off != 0 || s->segments.s[0].end < size;
	if (!holes)
		return tree_emit_inode(img, &f->st, &x, ret_nid);
	note_reserved(s, f, data);

	bits = tree_holes_chunk_bits(&s->segments, size);
	chunk = (uint64_t)TREE_BLOCK << bits;
	x.layout = EROFS_CHUNK_BASED;
	x.tail = (size_t)(size / chunk + (size % chunk != 0)) * sizeof(pkram_le32);
	r = tree_emit_inode(img, &f->st, &x, ret_nid);
	if (r < 0)
		return r;
	img->chunked = true;
	s->sparse = true;
	tree_inode(img, *ret_nid)->u.chunk_format = htole32(bits);
	return tree_holes_emit(img, *ret_nid, &s->segments, size, bits);
}

/* The root of another mount: an empty thing of its kind, owner and mode stands for it. */
static int emit_foreign(struct scan *s, const struct subject *f, uint64_t *ret_nid)
{
	struct tree_extra x = { .layout = EROFS_FLAT_PLAIN };
	_cleanup_free_ char *path = NULL;
	struct statx st = f->st;

	path = tree_path(s->img, s->dir_source, f->name);
	if (!s->img->probe)
		pkram_log_info(s->img->ctx, "%s is another mount: left out, saved as an empty %s",
			       path ? path : f->name, S_ISDIR(st.stx_mode) ? "directory" : "file");
	st.stx_size = 0;
	if (!S_ISDIR(st.stx_mode))
		st.stx_mode = S_IFREG | (st.stx_mode & 07777);
	return tree_emit_inode(s->img, &st, &x, ret_nid);
}

static int emit_new(struct scan *s, const struct subject *f, int dirfd, uint64_t *ret_nid)
{
	struct tree_extra x = { .xattrs = &s->xattrs, .layout = EROFS_FLAT_PLAIN };
	int r;

	if (f->foreign)
		return emit_foreign(s, f, ret_nid);
	r = tree_attr_get(s->img, f->fd, dirfd, s->dir_source, f->name, &s->xattrs);
	if (r < 0)
		return r;
	if (S_ISREG(f->st.stx_mode))
		return emit_regular(s, f, ret_nid);
	if (S_ISLNK(f->st.stx_mode))
		return emit_symlink(s, f, dirfd, ret_nid);
	return tree_emit_inode(s->img, &f->st, &x, ret_nid);
}

static int push_dir(struct scan *s, uint32_t source)
{
	int r = array_grow(&s->stack, &s->cap_stack, s->n_stack + 1, sizeof(*s->stack));

	if (r == 0)
		s->stack[s->n_stack++] = source;
	return r;
}

/* Emits what an entry names, unless another name of it was met before. */
static int emit_subject(struct scan *s, const struct subject *f, int dirfd, struct tree_entry *e)
{
	struct tree_image *img = s->img;
	bool linked = !S_ISDIR(f->st.stx_mode) && !f->foreign && f->st.stx_nlink > 1;
	uint32_t source = linked ? linked_source(s, f) : TREE_NO_SOURCE;
	struct erofs_inode *inode;
	int r;

	hash_subject(s, f);
	e->file_type = (uint8_t)erofs_file_type(f->foreign && !S_ISDIR(f->st.stx_mode) ?
						S_IFREG : f->st.stx_mode);
	if (source != TREE_NO_SOURCE) {
		inode = tree_inode(img, img->sources[source].nid);
		inode->nlink = htole32(le32toh(inode->nlink) + 1);
		e->nid = img->sources[source].nid;
		return 0;
	}
	if (!img->probe && !f->foreign && changed_since_start(img, &f->st))
		tree_not_quiet(img, TREE_NO_SOURCE, tree_path(img, s->dir_source, f->name),
			       "changed while it was scanned");
	s->sparse = false;
	r = emit_new(s, f, dirfd, &e->nid);
	if (r < 0)
		return r;
	e->source = (uint32_t)img->n_sources;
	r = add_source(s, f, e->nid, (f->foreign ? SOURCE_UNCHECKED : 0) |
				     (s->sparse ? SOURCE_SPARSE : 0));
	if (r == 0 && linked)
		r = note_link(s, f, e->source);
	if (r == 0 && S_ISDIR(f->st.stx_mode))
		r = push_dir(s, e->source);
	return r;
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

static int list_dir(struct scan *s, int fd)
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

/*
 * Drops what vanished, and names that a directory gave twice because it changed while it was
 * listed.
 */
static void drop_entries(struct scan *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_entries; i++)
		if (s->entries[i].file_type != EROFS_FT_UNKNOWN)
			s->entries[n++] = s->entries[i];
	s->n_entries = n;
}

static bool same_name(const struct scan *s, size_t i, size_t j)
{
	return s->entries[i].len == s->entries[j].len &&
	       memcmp(s->names.p + s->entries[i].name, s->names.p + s->entries[j].name,
		      s->entries[i].len) == 0;
}

/* Looks at one entry of the directory and emits it. */
static int scan_entry(struct scan *s, int dirfd, struct tree_entry *e)
{
	struct subject f = { .name = (const char *)s->names.p + e->name, .fd = -1 };
	_cleanup_free_ char *path = NULL;
	int r;

	r = look_at(s, dirfd, e->d_type, &f);
	if (r == 0)
		r = emit_subject(s, &f, dirfd, e);
	if (f.fd >= 0)
		close(f.fd);
	if (r == 0)
		return 0;
	path = tree_path(s->img, s->dir_source, f.name);
	/* -EINVAL: readlink of what is no symlink any more. */
	if (r == -ENOENT || r == -ELOOP || r == -ENOTDIR || r == -ENXIO || r == -EINVAL) {
		e->file_type = EROFS_FT_UNKNOWN;
		tree_not_quiet(s->img, TREE_NO_SOURCE, TAKE_PTR(path),
			       "vanished or was replaced while it was scanned");
		return 0;
	}
	return r == -ENOMEM ? r : log_error_errno(s->img->ctx, r, "%s: cannot be read: %m",
						   path ? path : f.name);
}

/* Emits a directory's content, whose entries are listed; its own inode is there already. */
static int emit_dir(struct scan *s, uint32_t source, int dirfd)
{
	struct tree_image *img = s->img;
	uint32_t parent = img->sources[source].parent, links = 2;
	size_t stack = s->n_stack;
	int r;

	r = add_entry(s, ".", DT_DIR);
	if (r == 0)
		r = add_entry(s, "..", DT_DIR);
	if (r < 0)
		return r;
	qsort_r(s->entries, s->n_entries, sizeof(*s->entries), compare_entries, s->names.p);
	for (size_t i = 0; i < s->n_entries; i++) {
		struct tree_entry *e = &s->entries[i];
		const char *name = (const char *)s->names.p + e->name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			e->nid = img->sources[name[1] ? parent : source].nid;
			e->file_type = EROFS_FT_DIR;
			continue;
		}
		if (i && same_name(s, i, i - 1))
			continue;
		r = scan_entry(s, dirfd, e);
		if (r < 0)
			return r;
		links += e->file_type == EROFS_FT_DIR;
	}
	drop_entries(s);
	/* Taken from its end: the first name's directory comes next. */
	for (size_t i = stack, j = s->n_stack; i + 1 < j; i++) {
		uint32_t t = s->stack[i];

		s->stack[i] = s->stack[--j];
		s->stack[j] = t;
	}
	tree_inode(img, img->sources[source].nid)->nlink = htole32(links);
	return tree_emit_dir(img, img->sources[source].nid, s->entries, s->n_entries,
			     (const char *)s->names.p);
}

static int scan_dir(struct scan *s, uint32_t source)
{
	struct tree_image *img = s->img;
	_cleanup_free_ char *path = NULL;
	int r = 0;

	s->n_entries = 0;
	s->names.len = 0;
	s->dir_source = source;
	if (source != 0 && (img->sources[source].flags & SOURCE_UNCHECKED))
		return emit_dir(s, source, -1);
	r = tree_dirs_get(img, source, &s->dir);
	if (r == 0)
		r = list_dir(s, s->dir.fd);
	if (r == -ENOENT || r == -ESTALE || r == -ELOOP || r == -ENOTDIR) {
		tree_not_quiet(img, source, NULL, "vanished or was replaced while it was scanned");
		s->n_entries = 0;
		s->names.len = 0;
		return emit_dir(s, source, -1);
	}
	if (r < 0) {
		path = tree_source_path(img, source);
		return log_error_errno(img->ctx, r, "%s: cannot be read: %m",
				       path ? path : img->path);
	}
	return emit_dir(s, source, s->dir.fd);
}

/* --- the whole --- */

/* The root of a tree is a directory; for a single file, one is made up that holds it alone. */
static int scan_root(struct scan *s)
{
	struct tree_image *img = s->img;
	struct subject f = { .name = "", .fd = img->single ? -1 : img->root_fd };
	struct tree_entry e = { 0 };
	struct tree_extra x = { 0 };
	int r;

	r = tree_statx(img->root_fd, "", &f.st);
	if (r == 0)
		r = find_dev(s, &f);
	if (r < 0)
		return r;
	if (!img->single)
		return emit_subject(s, &f, img->root_fd, &e);
	f.st = (struct statx){ .stx_mode = S_IFDIR | 0755 };
	r = tree_emit_inode(img, &f.st, &x, &e.nid);
	if (r == 0)
		r = add_source(s, &f, e.nid, SOURCE_UNCHECKED);
	if (r == 0)
		r = add_entry(s, strrchr(img->path, '/') + 1, DT_UNKNOWN);
	return r < 0 ? r : emit_dir(s, 0, img->root_fd);
}

int tree_scan(struct tree_image *img)
{
	struct scan s = { .img = img, .dir = TREE_DIR_REF_NONE };
	int64_t r = -ENOMEM;

	s.dirents = malloc(DIRENTS_SIZE);
	s.hash = XXH3_createState();
	if (s.dirents && s.hash) {
		XXH3_64bits_reset(s.hash);
		r = tree_buf_add(&img->inodes, EROFS_SUPER_OFFSET + sizeof(struct erofs_super), 1);
	}
	if (r >= 0)
		r = scan_root(&s);
	while (r == 0 && s.n_stack)
		r = scan_dir(&s, s.stack[--s.n_stack]);
	/* The lowest bit keeps how it was scanned, so that the same can be done again. */
	if (r == 0)
		img->fingerprint = (XXH3_64bits_digest(s.hash) & ~UINT64_C(1)) |
				   img->opts.cross_mounts;
	tree_dirs_put(img, &s.dir);
	XXH3_freeState(s.hash);
	free(s.dirents);
	free(s.stack);
	free(s.entries);
	free(s.names.p);
	free(s.xattrs.p);
	free(s.segments.s);
	free(s.links);
	return (int)r;
}
