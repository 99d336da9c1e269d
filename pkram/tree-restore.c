/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restore: verified pieces of an image become files, in whatever order and from whatever thread
 * they come. A file whose bytes all lie in one piece is made, written and finished at once, without
 * a lock; the others stay open in a table until their last byte has come.
 */
#include "tree-restore.h"
#include "tree-userfault.h"

#include <fcntl.h>
#include <sys/resource.h>

/* The umask of this process: umask(2) could only tell it by changing it for all threads. */
static mode_t read_umask(void)
{
	_cleanup_free_ char *line = NULL;
	FILE *f = fopen("/proc/self/status", "re");
	unsigned int mask = 0777;
	size_t len = 0;

	while (f && getline(&line, &len, f) > 0)
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return mask;
}

/* hugetlbfs knows only whole pages; better said before anything is made. */
static int check_huge(struct tree_restore *r)
{
	for (uint32_t i = 0; r->o.hugetlb && i < r->v->n_files; i++)
		if (restore_file(r, i)->size % r->o.hugetlb)
			return restore_failed(r, -EOPNOTSUPP,
					      "its size is no multiple of the huge page size", i);
	return 0;
}

/*
 * Shares the descriptors that the process may still have between caches and open files. The number
 * of the newest one tells how many it has.
 */
static int make_caches(struct tree_restore *r)
{
	struct rlimit limit = { .rlim_cur = 256 };
	rlim_t used = (rlim_t)r->root;
	unsigned int half, slots;
	int k = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	half = (unsigned int)(MIN(limit.rlim_cur - MIN(limit.rlim_cur, used), (rlim_t)4096) / 4);
	slots = half / r->o.threads;
	slots = MIN(slots, 64u);
	slots = MAX(slots, 4u);
	r->max_open = MAX(half, r->o.threads + 1);
	r->dirs = calloc(r->o.threads, sizeof(*r->dirs));
	if (!r->dirs)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->o.threads && k == 0; i++)
		k = dir_cache_init(&r->dirs[i], r->v, r->root, slots);
	return k;
}

static int make_directories(struct tree_restore *r)
{
	for (uint32_t i = 1; i < r->v->n_files; i++) {
		const struct view_file *f = restore_file(r, i);
		int fd;

		if (!S_ISDIR(f->mode))
			continue;
		fd = dir_cache_get(&r->dirs[0], f->parent);
		if (fd < 0)
			return restore_failed(r, fd, "cannot open its directory", i);
		if (mkdirat(fd, view_text(r->v, f->name), 0700) < 0)
			return restore_failed(r, -errno, "cannot make the directory", i);
	}
	return 0;
}

int tree_restore_new(struct pkram_ctx *ctx, const struct tree_view *v, int dirfd,
		     const struct tree_restore_options *o, struct tree_restore **ret)
{
	struct tree_restore *r = calloc(1, sizeof(*r));
	int k;

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	r->ctx = ctx;
	r->v = v;
	r->o = *o;
	r->o.threads = o->threads ? o->threads : 1;
	r->uid = geteuid();
	r->gid = getegid();
	r->umask = read_umask();
	r->uffd = r->o.threads > 1 ? userfault_open() : -1;
	r->root = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	k = r->root < 0 ? log_error_errno(ctx, -errno, "a tree cannot be made: %m%s",
					  error_hint(-errno)) : 0;
	r->states = calloc(v->n_files, sizeof(*r->states));
	if (!r->states)
		k = -ENOMEM;
	if (k == 0)
		k = make_caches(r);
	if (k == 0)
		k = check_huge(r);
	if (k == 0)
		k = make_directories(r);
	if (k < 0) {
		tree_restore_free(r);
		return k;
	}
	*ret = r;
	return 0;
}

struct tree_restore *tree_restore_free(struct tree_restore *r)
{
	if (!r)
		return NULL;
	for (unsigned int i = 0; i < RESTORE_BUCKETS; i++) {
		for (struct open_file *f = r->open[i], *next; f; f = next) {
			next = f->next;
			close_p(&f->fd);
			free(f);
		}
	}
	for (unsigned int i = 0; r->dirs && i < r->o.threads; i++)
		dir_cache_drop(&r->dirs[i]);
	free(r->dirs);
	free(r->states);
	close_p(&r->root);
	close_p(&r->uffd);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return NULL;
}

/* Closes one open file that nobody writes to at the moment, if too many are open. */
static void make_room(struct tree_restore *r)
{
	if (r->n_open < r->max_open)
		return;
	for (unsigned int i = 0; i < RESTORE_BUCKETS; i++) {
		for (struct open_file *f = r->open[i]; f; f = f->next) {
			if (f->users || f->fd < 0)
				continue;
			close_p(&f->fd);
			f->fd = -1;
			r->n_open--;
			return;
		}
	}
}

/* With the lock held: the file's entry in the table, with an open descriptor. */
static int get_open(struct tree_restore *r, unsigned int worker, uint32_t file,
		    struct open_file **ret)
{
	struct open_file **bucket = &r->open[file % RESTORE_BUCKETS], *f = *bucket;
	int k;

	while (f && f->file != file)
		f = f->next;
	if (!f) {
		f = malloc(sizeof(*f));
		if (!f)
			return -ENOMEM;
		*f = (struct open_file){
			.next = *bucket, .file = file, .left = restore_file(r, file)->data,
			.fd = -1,
		};
		*bucket = f;
	}
	if (f->fd < 0) {
		bool again = r->states[file] == RESTORE_OPEN;

		make_room(r);
		k = again ? make_reopen(r, worker, file, &f->fd) :
			    make_regular(r, worker, file, &f->fd);
		if (k < 0)
			return k;
		r->n_open++;
		r->states[file] = RESTORE_OPEN;
	}
	*ret = f;
	return 0;
}

/* With the lock held: takes a file out of the table; the descriptor is the caller's. */
static int remove_open(struct tree_restore *r, struct open_file *f)
{
	struct open_file **at = &r->open[f->file % RESTORE_BUCKETS];
	int fd = f->fd;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (fd >= 0)
		r->n_open--;
	free(f);
	return fd;
}

static int put_piece(struct tree_restore *r, unsigned int worker, uint32_t file, uint64_t off,
		     size_t len, const void *bytes)
{
	struct open_file *f = NULL;
	bool beside = false;
	int fd = -1, k = 0;

	pthread_mutex_lock(&r->lock);
	if (r->states[file] != RESTORE_LOST) {
		k = get_open(r, worker, file, &f);
		if (k == 0) {
			f->users++;
			beside = f->writing;
			f->writing = true;
		}
	}
	pthread_mutex_unlock(&r->lock);
	if (k < 0 || !f)
		return k;
	k = beside ? make_write_beside(r, file, f->fd, off, len, bytes) :
		     make_write(r, file, f->fd, off, len, bytes);
	pthread_mutex_lock(&r->lock);
	f->users--;
	f->writing = f->writing && beside;
	f->left -= MIN(f->left, len);
	if (k == 0 && !f->left && !f->users) {
		r->states[file] = RESTORE_DONE;
		fd = remove_open(r, f);
	}
	pthread_mutex_unlock(&r->lock);
	return fd >= 0 ? make_done(r, file, fd) : k;
}

static int put_whole(struct tree_restore *r, unsigned int worker, const struct view_extent *e,
		     const void *bytes)
{
	uint8_t none = RESTORE_NONE;
	int fd, k;

	if (!atomic_compare_exchange_strong(&r->states[e->file], &none, RESTORE_DONE))
		return 0;
	k = make_regular(r, worker, e->file, &fd);
	if (k < 0)
		return k;
	k = make_write(r, e->file, fd, e->off, (size_t)e->len, bytes);
	if (k < 0) {
		close(fd);
		return k;
	}
	return make_done(r, e->file, fd);
}

struct put {
	struct tree_restore *r;
	unsigned int worker;
	uint64_t off, end;
	const char *bytes;
};

static int put_extent(void *arg, const struct view_extent *e)
{
	struct put *p = arg;
	uint64_t from = MAX(e->image, p->off), to = MIN(e->image + e->len, p->end);
	const char *bytes = p->bytes + (from - p->off);

	if (to - from == restore_file(p->r, e->file)->data)
		return put_whole(p->r, p->worker, e, bytes);
	return put_piece(p->r, p->worker, e->file, e->off + (from - e->image), (size_t)(to - from),
			 bytes);
}

int tree_restore_put(struct tree_restore *r, unsigned int worker, uint64_t off, size_t len,
		     const void *bytes)
{
	struct put p = { .r = r, .worker = worker, .off = off, .end = off + len, .bytes = bytes };

	return view_extents_at(r->v, off, len, put_extent, &p);
}

static int lose_extent(void *arg, const struct view_extent *e)
{
	struct tree_restore *r = arg;
	_cleanup_free_ char *path = NULL;

	/* Without salvage nothing will appear at all. */
	if (atomic_exchange(&r->states[e->file], RESTORE_LOST) == RESTORE_LOST || !r->o.salvage)
		return 0;
	r->left_out++;
	path = view_path(r->v, e->file);
	pkram_log_warning(r->ctx, "%s: damaged, left out", path ? path : "?");
	return 0;
}

int tree_restore_lost(struct tree_restore *r, uint64_t off, size_t len)
{
	int k;

	pthread_mutex_lock(&r->lock);
	k = view_extents_at(r->v, off, len, lose_extent, r);
	pthread_mutex_unlock(&r->lock);
	return k;
}

uint64_t tree_restore_left_out(const struct tree_restore *r)
{
	return r->left_out;
}

static int any_extent(void *arg, const struct view_extent *e)
{
	(void)arg;
	(void)e;
	return -EEXIST;
}

bool tree_restore_wants(const struct tree_restore *r, uint64_t off, size_t len)
{
	return view_extents_at(r->v, off, len, any_extent, NULL) < 0;
}
