/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One entry of a directory, looked at: all that is asked of the filesystem while a tree is
 * scanned, by any number of threads at once. What is found is said when it is emitted, in the order
 * of the tree.
 *
 * A small file costs seven system calls, and a part of one that closes many (tree-closer.h):
 *
 *	openat		everything asked of a descriptor costs less than the same asked of a path
 *	F_SETLEASE	refused while anybody could write; from here on nobody can
 *	statx		its attributes, and a size and times that belong to what is read
 *	FS_IOC_GETFLAGS	inode flags: statx does not have all of them
 *	flistxattr	nothing else says that there are none
 *	pread		the content; what is not zero is no hole, so that holes cost no call
 *	statx		by name, at the end (tree-quiet.c): all files are of one moment
 */
#include "tree-save.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

/* Far below the second that a lease holds at least after somebody asked for it to end. */
#define LEASE_SURE_NS (500 * 1000 * 1000)

/* Two threads' bytes share none. */
#define CACHE_LINE ((size_t)64)

static int64_t coarse_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void lease(const struct tree_image *img, struct tree_look *l)
{
	enum tree_lease lease;

	l->since = coarse_clock();
	lease = tree_lease(img, l->file.fd);
	l->file.leased = lease == LEASE_HELD;
	l->writer = lease == LEASE_REFUSED;
}

/* A single file was named, wherever it is mounted from. */
static bool mount_root(const struct tree_image *img, const struct tree_look *l)
{
	return l->st.stx_attributes & STATX_ATTR_MOUNT_ROOT && !img->opts.cross_mounts &&
	       !img->single;
}

static int open_listed_file(const struct tree_image *img, struct tree_look *l)
{
	int fd = tree_open(l->dirfd, l->name, 0);

	if (fd < 0)
		return fd;
	l->file.fd = fd;
	lease(img, l);
	return tree_statx(fd, "", &l->st);
}

static int open_found(const struct tree_image *img, struct tree_look *l)
{
	int fd, r;

	r = tree_statx(l->dirfd, l->name, &l->st);
	if (r < 0 || mount_root(img, l) || !(S_ISDIR(l->st.stx_mode) || S_ISREG(l->st.stx_mode)))
		return r;
	fd = tree_open(l->dirfd, l->name, S_ISDIR(l->st.stx_mode) ? O_DIRECTORY : 0);
	/* Somebody who writes to it holds a lease: said when it is emitted. */
	l->busy = fd == -EWOULDBLOCK;
	if (fd < 0)
		return l->busy ? 0 : fd;
	l->file.fd = fd;
	if (S_ISREG(l->st.stx_mode))
		lease(img, l);
	return tree_statx(fd, "", &l->st);
}

/* Opens what can be opened without harm, and takes its attributes. */
static int open_entry(const struct tree_image *img, struct tree_look *l)
{
	int r = -ENXIO;

	if (l->d_type == DT_REG)
		r = open_listed_file(img, l);
	if (r == -ENXIO || r == -ELOOP || r == -EWOULDBLOCK)
		r = open_found(img, l);
	return r;
}

static int find_magic(const struct tree_looks *looks, struct tree_look *l)
{
	dev_t dev = makedev(l->st.stx_dev_major, l->st.stx_dev_minor);
	struct statfs fs;

	for (size_t i = looks->n_near; i-- > 0;)
		if (looks->near[i].dev == dev) {
			l->fs_magic = looks->near[i].fs_magic;
			return 0;
		}
	if (fstatfs(l->file.fd >= 0 ? l->file.fd : l->dirfd, &fs) < 0)
		return -errno;
	l->fs_magic = (uint64_t)fs.f_type;
	return 0;
}

/* Side by side: what no look needs is never touched. */
static uint8_t *take_bytes(struct tree_looks *looks, size_t n)
{
	return looks->bytes + atomic_fetch_add(&looks->taken, ALIGN_UP(n, CACHE_LINE));
}

static int read_content(struct tree_looks *looks, struct tree_look *l)
{
	size_t want = (size_t)l->st.stx_size;

	l->bytes = take_bytes(looks, want);
	for (l->len = 0; l->len < want;) {
		ssize_t n = pread(l->file.fd, l->bytes + l->len, want - l->len, (off_t)l->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			l->what = "shrank while it was saved";
			memset(l->bytes + l->len, 0, want - l->len);
			break;
		}
		l->len += (size_t)n;
	}
	l->len = want;
	if (l->file.leased && coarse_clock() - l->since > LEASE_SURE_NS &&
	    fcntl(l->file.fd, F_GETLEASE) != F_RDLCK)
		l->what = "was opened for writing while it was saved";
	return 0;
}

/* Whether what was read has a block that reads like a hole. */
static bool may_have_holes(const struct tree_look *l)
{
	for (size_t at = 0; at < l->len; at += TREE_BLOCK)
		if (all_zero(l->bytes + at, MIN(l->len - at, (size_t)TREE_BLOCK)))
			return true;
	return false;
}

/*
 * On tmpfs, a file of exactly as many pages as it is long has no holes, or has room instead of them
 * (fallocated, or behind its end): with zeroes in their place it comes back with the same bytes and
 * as much room. To ask for holes would walk all of its pages, which costs a tenth of copying them.
 */
static bool has_all_pages(const struct tree_look *l)
{
	return l->fs_magic == TMPFS_MAGIC &&
	       l->st.stx_blocks == ALIGN_UP(l->st.stx_size, (uint64_t)TREE_BLOCK) / 512;
}

static bool take_keep(atomic_uint *kept, unsigned int max)
{
	unsigned int n = atomic_load(kept);

	while (n < max)
		if (atomic_compare_exchange_weak(kept, &n, n + 1))
			return true;
	return false;
}

static int look_at_data(struct tree_looks *looks, struct tree_look *l)
{
	const struct tree_image *img = looks->img;
	bool hugetlb = l->fs_magic == HUGETLBFS_MAGIC;
	uint64_t size = l->st.stx_size;
	int r;

	if (tree_early_wanted(img) && size <= TREE_LOOK_BYTES && !hugetlb) {
		r = read_content(looks, l);
		if (r < 0)
			return r;
		l->read = true;
	}
	if (!has_all_pages(l) && (!l->read || may_have_holes(l))) {
		r = tree_holes_map(l->file.fd, size, hugetlb, l->st.stx_blocks, &l->segments);
		if (r < 0)
			return r;
		l->sparse = l->segments.n != 1 || l->segments.s[0].off != 0 ||
			    l->segments.s[0].end < size;
	}
	/* On huge pages, a larger one is lent (tree-fill.c). */
	l->keep = tree_early_wanted(img) && !l->read && !l->sparse &&
		  size <= (l->st.stx_blksize < PKRAM_HUGE ? TREE_KEEP_BYTES : PKRAM_WINDOW) &&
		  take_keep(&looks->kept, looks->may_keep);
	return 0;
}

static int read_target(struct tree_looks *looks, struct tree_look *l)
{
	ssize_t len;

	l->bytes = take_bytes(looks, EROFS_BLOCK);
	len = readlinkat(l->dirfd, l->name, (char *)l->bytes, EROFS_BLOCK);
	if (len < 0)
		return -errno;
	if (len == 0 || len == EROFS_BLOCK)
		return -ENAMETOOLONG;
	l->len = (size_t)len;
	return 0;
}

/* By its name, what is not open may be another one meanwhile. */
static int look_again(struct tree_look *l)
{
	struct statx first = l->st;
	int r;

	l->before = tree_clock_now();
	if (l->file.fd >= 0)
		return tree_statx(l->file.fd, "", &l->st);
	r = tree_statx(l->dirfd, l->name, &l->st);
	if (r == 0 && (l->st.stx_ino != first.stx_ino || l->st.stx_mnt_id != first.stx_mnt_id ||
		       (l->st.stx_mode ^ first.stx_mode) & S_IFMT))
		r = -ELOOP;
	return r;
}

/* What changed just now is looked at again, once its next change would show. */
static int settle(struct tree_image *img, struct tree_look *l)
{
	int r;

	/* A comparison needs no more than what is there, and others are not quiet anyway. */
	if (img->probe || l->writer || l->busy || !tree_clock_recent(l->before, &l->st))
		return 0;
	if (!atomic_load(&img->restless)) {
		tree_clock_wait(l->before, &l->st);
		r = look_again(l);
		if (r < 0 || !tree_clock_recent(l->before, &l->st))
			return r;
		atomic_store(&img->restless, true);
	}
	l->what = "changed while it was scanned";
	return 0;
}

static int look(struct tree_looks *looks, struct tree_look *l)
{
	struct tree_image *img = looks->img;
	int r;

	if (l->file.fd < 0) {
		r = open_entry(img, l);
		if (r == -EMFILE) {
			closer_flush(&img->closer);
			r = open_entry(img, l);
		}
		if (r < 0)
			return r;
	}
	r = settle(img, l);
	if (r == 0)
		r = find_magic(looks, l);
	if (r < 0)
		return r;
	/* The root of the tree is where it is mounted. */
	l->foreign = *l->name && mount_root(img, l);
	/* A mere comparison is of names, attributes and times. */
	if (l->foreign || img->probe)
		return 0;
	if (S_ISLNK(l->st.stx_mode))
		r = read_target(looks, l);
	if (r == 0)
		r = tree_attr_get(l);
	if (r == 0 && S_ISREG(l->st.stx_mode) && l->st.stx_size && l->file.fd >= 0)
		r = look_at_data(looks, l);
	return r;
}

void tree_look(struct tree_looks *looks, struct tree_look *l)
{
	l->before = tree_clock_now();
	l->error = look(looks, l);
	if (l->error == 0 && S_ISDIR(l->st.stx_mode) && !l->foreign)
		l->keep = take_keep(&looks->kept_dirs, looks->may_keep_dirs);
	if (l->file.fd >= 0 && !l->keep)
		closer_add(&looks->img->closer, TAKE_FD(l->file.fd));
}

void tree_look_root(struct tree_looks *looks, struct tree_look *l)
{
	int fd = looks->img->root_fd;

	l->before = tree_clock_now();
	l->error = tree_statx(fd, "", &l->st);
	l->dirfd = l->file.fd = fd;
	if (l->error == 0)
		l->error = look(looks, l);
	l->file.fd = -1;
}

void tree_look_reset(struct tree_look *l)
{
	*l = (struct tree_look){
		.file = { .fd = -1 }, .xattrs = l->xattrs, .losses = l->losses,
		.segments = l->segments,
	};
	l->xattrs.len = l->losses.len = 0;
	l->segments.n = 0;
}

void tree_look_done(struct tree_look *l)
{
	if (l->file.fd >= 0)
		close(l->file.fd);
	free(l->xattrs.p);
	free(l->losses.p);
	free(l->segments.s);
}
