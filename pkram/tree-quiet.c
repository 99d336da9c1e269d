/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Quiet sources. A copy is good when nobody wrote to the file while it was made. Times do not tell:
 * on tmpfs, stores through a shared mapping change neither mtime nor ctime. A read lease does: the
 * kernel refuses it while anybody has the file open for writing or mapped writable, and while it is
 * held a writer's open waits. Where there are no leases, /proc is looked through at the end.
 */
#include "tree-save.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "machine.h"
#include "work.h"

/* Sources that a thread compares at once. */
#define CHECK_CHUNK 256u

int tree_open(int dirfd, const char *name, int flags)
{
	int fd;

	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	fd = openat(dirfd, name, flags | O_NOATIME);
	/* Only the owner may leave atime alone. */
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, flags);
	return fd < 0 ? -errno : fd;
}

int tree_statx(int dirfd, const char *name, struct statx *ret_st)
{
	struct statx st;

	if (statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return -errno;
	*ret_st = st;
	return 0;
}

bool tree_sigio_harmless(void)
{
	struct sigaction sa;

	return sigaction(SIGIO, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

enum tree_lease tree_lease(const struct tree_image *img, int fd)
{
	/*
	 * SIGIO, which tells that somebody waits for the lease, would end a process that does not
	 * ignore it; SIGURG does nothing.
	 */
	if ((img->sigio_harmless || fcntl(fd, F_SETSIG, SIGURG) == 0) &&
	    fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return LEASE_HELD;
	return errno == EAGAIN ? LEASE_REFUSED : LEASE_NONE;
}

/* Counts a source that is not quiet; false: it was counted before, or enough were named. */
static bool count_not_quiet(struct tree_image *img, uint32_t source)
{
	bool name = true;

	pthread_mutex_lock(&img->lock);
	if (source != TREE_NO_SOURCE) {
		name = !img->sources[source].named;
		img->sources[source].named = true;
	}
	if (name)
		name = ++img->not_quiet <= TREE_NAMED_MAX;
	pthread_mutex_unlock(&img->lock);
	return name;
}

static int quiet_priority(const struct tree_image *img)
{
	return img->opts.live ? PKRAM_LOG_WARNING : PKRAM_LOG_ERROR;
}

/* What to do then: where there is no save, its caller says it. */
static const char *advice(const struct tree_image *img, const char *text)
{
	return img->opts.live || img->probe ? "" : text;
}

void tree_not_quiet(struct tree_image *img, uint32_t source, char *path, const char *what)
{
	if (count_not_quiet(img, source)) {
		if (!path && source != TREE_NO_SOURCE)
			path = tree_source_path(img, source);
		ctx_log(img->ctx, quiet_priority(img), "%s %s%s", path ? path : img->path, what,
			advice(img, "; stop its user or use --live"));
	}
	free(path);
}

struct writers {
	FILE *f;
	unsigned int n;
};

static void add_writer(void *arg, pid_t pid, const char *comm)
{
	struct writers *w = arg;

	fprintf(w->f, "%spid %d (%s)", w->n++ ? ", " : "", (int)pid, comm);
}

void tree_has_writer(struct tree_image *img, uint32_t source, char *path, dev_t dev, ino_t ino)
{
	_cleanup_free_ char *who = NULL;
	struct writers w = { 0 };
	size_t len;

	if (!count_not_quiet(img, source)) {
		free(path);
		return;
	}
	if (!path && source != TREE_NO_SOURCE)
		path = tree_source_path(img, source);
	w.f = open_memstream(&who, &len);
	if (w.f) {
		machine_file_writers(img->ctx, dev, ino, add_writer, &w);
		if (w.n == 0)
			fprintf(w.f,
				"this process (is it the region?) or one that /proc does not show");
		if (fclose(w.f) != 0)
			w.n = 0;
	}
	ctx_log(img->ctx, quiet_priority(img), "%s is open for writing by %s%s",
		path ? path : img->path, who ? who : "somebody",
		advice(img, w.n > 1 ? "; stop them or use --live" : "; stop it or use --live"));
	free(path);
}

void tree_named_end(struct tree_image *img)
{
	unsigned long long more = img->not_quiet - MIN(img->not_quiet, (uint64_t)TREE_NAMED_MAX);

	if (more)
		ctx_log(img->ctx, quiet_priority(img), "%s: %llu more file%s below %s not quiet",
			img->path, more, plural(more), more == 1 ? "is" : "are");
}

void tree_loss(struct tree_image *img, uint32_t dir, const char *name, const char *what)
{
	_cleanup_free_ char *path = NULL;

	/* When a source is compared with its node, this was said before. */
	if (img->probe || ++img->losses > TREE_NAMED_MAX)
		return;
	path = tree_path(img, dir, name);
	if (img->opts.allow_lossy)
		pkram_log_warning(img->ctx, "%s: %s; saved without it",
				  path ? path : img->path, what);
	else
		pkram_log_error(img->ctx, "%s: %s; --allow-lossy saves without it",
				path ? path : img->path, what);
}

/* How a file differs from what was scanned, in words; NULL: in nothing. */
static const char *differs(const struct tree_image *img, uint32_t source, const struct statx *st)
{
	const struct tree_source *s = &img->sources[source];
	const struct erofs_inode *inode = tree_inode(img, s->nid);
	unsigned int mode = le16toh(inode->mode);

	if (st->stx_ino != s->ino || (st->stx_mode & S_IFMT) != (mode & S_IFMT) ||
	    makedev(st->stx_dev_major, st->stx_dev_minor) != img->devs[s->dev].dev)
		return "was replaced while it was saved";
	if (!S_ISDIR(mode) && st->stx_size != le64toh(inode->size) &&
	    (S_ISREG(mode) || S_ISLNK(mode)))
		return st->stx_size < le64toh(inode->size) ? "shrank while it was saved"
							   : "grew while it was saved";
	if (st->stx_ctime.tv_sec != s->ctime_sec || st->stx_ctime.tv_nsec != s->ctime_nsec ||
	    st->stx_mtime.tv_sec != (int64_t)le64toh(inode->mtime) ||
	    st->stx_mtime.tv_nsec != le32toh(inode->mtime_nsec))
		return "changed while it was saved";
	/* A store through a mapping that has gone again: it filled a hole and changed no time. */
	if (s->flags & SOURCE_SPARSE && img->devs[s->dev].fs_magic == TMPFS_MAGIC &&
	    (uint32_t)st->stx_blocks != s->blocks)
		return "changed while it was saved";
	return NULL;
}

/*
 * What it means that something scanned cannot be opened or looked at now; NULL: a fault of its own.
 */
static const char *gone(int r)
{
	switch (r) {
	case -ENOENT:
		return "vanished while it was saved";
	case -ESTALE:
	case -ELOOP:
	case -ENOTDIR:
	case -ENXIO:
		return "was replaced while it was saved";
	case -EWOULDBLOCK:
		return "is leased by a process that writes to it";
	default:
		return NULL;
	}
}

static int cannot(struct tree_image *img, uint32_t source, int r)
{
	_cleanup_free_ char *path = NULL;
	const char *what = gone(r);

	if (what) {
		tree_not_quiet(img, source, NULL, what);
		return 0;
	}
	path = tree_source_path(img, source);
	return log_error_errno(img->ctx, r, "%s: cannot be read: %m%s", path ? path : img->path,
			       error_hint(r));
}

int tree_add_unleased(struct tree_image *img, uint32_t source)
{
	int r;

	pthread_mutex_lock(&img->lock);
	r = array_grow(&img->unleased, &img->cap_unleased, img->n_unleased + 1,
		       sizeof(*img->unleased));
	if (r == 0)
		img->unleased[img->n_unleased++] = source;
	pthread_mutex_unlock(&img->lock);
	return r;
}

/*
 * open, F_SETSIG, F_SETLEASE, statx; then the reader's pread; then F_GETLEASE, close. The lease
 * comes before the look at the times, so that nothing can have changed between the look and the
 * read. After it, the lease alone tells whether somebody came: cheaper than a second look.
 */
int tree_file_open(struct tree_image *img, uint32_t source, struct tree_dir_ref *dir,
		   struct tree_file *ret)
{
	const struct tree_source *s = &img->sources[source];
	char name[EROFS_NAME_MAX + 1];
	_cleanup_close_ int fd = -1;
	enum tree_lease lease;
	const char *what;
	struct statx st;
	int r;

	*ret = (struct tree_file){ .source = source, .fd = -1 };
	r = tree_dirs_get(img, s->parent, dir);
	if (r < 0)
		return cannot(img, source, r);
	tree_source_name(img, source, name);
	fd = tree_open(dir->fd, name, 0);
	if (fd < 0)
		return cannot(img, source, fd);
	lease = tree_lease(img, fd);
	if (lease == LEASE_REFUSED)
		tree_has_writer(img, source, NULL, img->devs[s->dev].dev, s->ino);
	r = lease == LEASE_NONE ? tree_add_unleased(img, source) : 0;
	if (r == 0)
		r = tree_statx(fd, "", &st);
	if (r < 0)
		return cannot(img, source, r);
	what = differs(img, source, &st);
	if (what)
		tree_not_quiet(img, source, NULL, what);
	if (st.stx_ino != s->ino || !S_ISREG(st.stx_mode) ||
	    makedev(st.stx_dev_major, st.stx_dev_minor) != img->devs[s->dev].dev)
		return 0;
	ret->leased = lease == LEASE_HELD;
	ret->fd = TAKE_FD(fd);
	return 0;
}

char *tree_file_path(const struct tree_image *img, const struct tree_file *file)
{
	return file->name ? tree_path(img, file->dir, file->name) :
			    tree_source_path(img, file->source);
}

/* Whether what was taken of it while it was scanned is of one moment with what was read now. */
static bool same_content(struct tree_image *img, const struct tree_file *file)
{
	const struct tree_source *s = &img->sources[file->source];
	uint64_t hash;

	if (s->flags & SOURCE_PARTED)
		return tree_file_hash(img, file, &hash) == 0 && hash == s->content;
	return !(s->flags & SOURCE_SPARSE) || img->devs[s->dev].fs_magic != HUGETLBFS_MAGIC ||
	       tree_holes_empty(img, file) > 0;
}

void tree_file_close(struct tree_image *img, struct tree_file *file)
{
	const char *what = NULL;
	struct statx st;

	if (file->fd < 0)
		return;
	if (!same_content(img, file))
		what = "changed while it was saved";
	/* The lease is looked at last: it held all the time. */
	if (file->leased) {
		if (fcntl(file->fd, F_GETLEASE) != F_RDLCK)
			what = "was opened for writing while it was saved";
	} else if (!what && tree_statx(file->fd, "", &st) == 0) {
		what = differs(img, file->source, &st);
	}
	if (what)
		tree_not_quiet(img, file->source, tree_file_path(img, file), what);
	tree_file_drop(file);
}

void tree_file_drop(struct tree_file *file)
{
	if (file->map)
		munmap((void *)file->map, (size_t)file->size);
	file->map = NULL;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

struct check {
	struct tree_image *img;
	struct tree_dir_ref *dirs;	/* one per worker */
};

/*
 * Is it still what it was scanned as? All is looked at again, so that the files of a tree are of
 * one moment: a lease guards each only while it is read.
 */
static int check_source(struct tree_image *img, uint32_t source, struct tree_dir_ref *dir)
{
	char name[EROFS_NAME_MAX + 1] = "";
	const char *what;
	struct statx st;
	int r;

	r = tree_dirs_get(img, img->sources[source].parent, dir);
	if (r < 0)
		return cannot(img, source, r);
	if (source != 0)
		tree_source_name(img, source, name);
	r = tree_statx(dir->fd, name, &st);
	if (r < 0)
		return cannot(img, source, r);
	what = differs(img, source, &st);
	if (what)
		tree_not_quiet(img, source, NULL, what);
	return 0;
}

static int check_chunk(void *arg, unsigned int worker, uint64_t chunk)
{
	struct check *c = arg;
	size_t end = MIN((size_t)(chunk + 1) * CHECK_CHUNK, c->img->n_sources);
	int r = 0;

	for (size_t i = (size_t)chunk * CHECK_CHUNK; i < end && r == 0; i++)
		if (!(c->img->sources[i].flags & SOURCE_UNCHECKED))
			r = check_source(c->img, (uint32_t)i, &c->dirs[worker]);
	return r;
}

static int check_sources(struct tree_image *img)
{
	uint64_t chunks = (img->n_sources + CHECK_CHUNK - 1) / CHECK_CHUNK;
	unsigned int threads = ctx_threads(img->ctx, chunks);
	struct check c = { .img = img, .dirs = calloc(threads, sizeof(*c.dirs)) };
	int r;

	if (!c.dirs)
		return -ENOMEM;
	for (unsigned int i = 0; i < threads; i++)
		c.dirs[i] = TREE_DIR_REF_NONE;
	r = work_run(img->ctx, threads, NULL, chunks, check_chunk, &c);
	for (unsigned int i = 0; i < threads; i++)
		tree_dirs_put(img, &c.dirs[i]);
	free(c.dirs);
	return r;
}

struct unleased {
	struct machine_file file;
	uint32_t source;
};

struct unleased_scan {
	struct tree_image *img;
	const struct unleased *files;
};

static int compare_unleased(const void *a, const void *b)
{
	const struct machine_file *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void unleased_writer(void *arg, size_t file, pid_t pid, const char *comm)
{
	struct unleased_scan *scan = arg;
	char text[128];

	snprintf(text, sizeof(text), "is open for writing by pid %d (%s)", (int)pid, comm);
	tree_not_quiet(scan->img, scan->files[file].source, NULL, text);
}

int tree_check_unleased(struct tree_image *img)
{
	_cleanup_free_ struct unleased *u = NULL;
	_cleanup_free_ struct machine_file *files = NULL;
	struct unleased_scan scan = { .img = img };
	size_t n = 0;
	int r;

	if (img->n_unleased == 0)
		return 0;
	u = calloc(img->n_unleased, sizeof(*u));
	files = calloc(img->n_unleased, sizeof(*files));
	if (!u || !files)
		return -ENOMEM;
	for (size_t i = 0; i < img->n_unleased; i++) {
		const struct tree_source *s = &img->sources[img->unleased[i]];

		u[i].file = (struct machine_file){ .dev = img->devs[s->dev].dev, .ino = s->ino };
		u[i].source = img->unleased[i];
	}
	qsort(u, img->n_unleased, sizeof(*u), compare_unleased);
	/* One that was opened twice was noted twice. */
	for (size_t i = 0; i < img->n_unleased; i++)
		if (!n || u[i].source != u[n - 1].source)
			u[n++] = u[i];
	for (size_t i = 0; i < n; i++)
		files[i] = u[i].file;
	if (geteuid() != 0)
		pkram_log_warning(
			img->ctx,
			"%s: of %zu file%s only root can tell whether other users write to %s",
			img->path, n, plural(n), n == 1 ? "it" : "them");
	scan.files = u;
	r = machine_files_writers(img->ctx, files, n, unleased_writer, &scan);
	return MIN(r, 0);
}

int tree_image_finish(struct tree_image *img, bool *ret_live)
{
	int r;

	r = check_sources(img);
	if (r == 0)
		r = tree_check_unleased(img);
	if (r < 0)
		return r;
	tree_named_end(img);
	if (img->not_quiet && !img->opts.live)
		return -EBUSY;
	*ret_live = img->not_quiet > 0;
	return 0;
}
