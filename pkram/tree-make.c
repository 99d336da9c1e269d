/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making one file of a tree. A small one costs four system calls, and one more for each thing that
 * does not come by itself:
 *
 *	openat		with the mode, where neither the umask nor special bits forbid it
 *	pwrite		all of it: pages that are written whole need no zeroes first
 *	utimensat	nothing else sets a time; after all that changes it
 *	close
 *
 *	ftruncate	large (see LARGE_FILE), or with holes
 *	fchown		somebody else's
 *	fsetxattr	each attribute
 *	fchmod		setuid, setgid, sticky, or what the umask takes away
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "tree-restore.h"
#include "tree-userfault.h"

/*
 * From here on a file may have huge pages. A tmpfs with huge=within_size gives them up to the size
 * that the file has when it is written, so that is set first: a call of a microsecond, where the
 * copy takes a hundred and more. Smaller files go without.
 */
#define LARGE_FILE (2 * MIB)

int restore_failed(struct tree_restore *r, int error, const char *what, uint32_t file)
{
	_cleanup_free_ char *path = view_path(r->v, file);

	return log_error_errno(r->ctx, error, "%s: %s: %m%s", path ? path : "?", what,
			       error_hint(error));
}

static int parent_of(struct tree_restore *r, unsigned int worker, uint32_t file)
{
	int fd = dir_cache_get(&r->dirs[worker], restore_file(r, file)->parent);

	return fd < 0 ? restore_failed(r, fd, "cannot open its directory", file) : fd;
}

int make_regular(struct tree_restore *r, unsigned int worker, uint32_t file, int *ret_fd)
{
	const struct view_file *f = restore_file(r, file);
	mode_t mode = attr_mode_at_once(r, f) ? f->mode & 0777 : 0600;
	int dirfd = parent_of(r, worker, file);
	_cleanup_close_ int fd = -1;

	if (dirfd < 0)
		return dirfd;
	/* A shared mapping wants to read, too. */
	fd = openat(dirfd, view_text(r->v, f->name),
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return restore_failed(r, -errno, "cannot make the file", file);
	if ((f->size >= LARGE_FILE || f->data != f->size || r->o.hugetlb) &&
	    ftruncate(fd, (off_t)f->size) < 0)
		return restore_failed(r, -errno, "cannot set the size", file);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int make_reopen(struct tree_restore *r, unsigned int worker, uint32_t file, int *ret_fd)
{
	int dirfd = parent_of(r, worker, file), fd;

	if (dirfd < 0)
		return dirfd;
	fd = openat(dirfd, view_text(r->v, restore_file(r, file)->name),
		    O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return restore_failed(r, -errno, "cannot open the file again", file);
	*ret_fd = fd;
	return 0;
}

/*
 * hugetlbfs has no write(2). The pages are allocated first: a fault that finds the pool empty would
 * be a SIGBUS, fallocate says ENOSPC.
 */
static int write_mapped(struct tree_restore *r, uint32_t file, int fd, uint64_t off, size_t len,
			const void *bytes)
{
	uint64_t start = ALIGN_DOWN(off, r->o.hugetlb), end = ALIGN_UP(off + len, r->o.hugetlb);
	char *map;

	if (fallocate(fd, 0, (off_t)start, (off_t)(end - start)) < 0)
		return restore_failed(r, -errno, "cannot allocate huge pages", file);
	map = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)start);
	if (map == MAP_FAILED)
		return restore_failed(r, -errno, "cannot map the file", file);
	memcpy(map + (off - start), bytes, len);
	munmap(map, end - start);
	return 0;
}

int make_write(struct tree_restore *r, uint32_t file, int fd, uint64_t off, size_t len,
	       const void *bytes)
{
	const char *from = bytes;

	if (r->o.hugetlb)
		return write_mapped(r, file, fd, off, len, bytes);
	while (len) {
		ssize_t n = pwrite(fd, from, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return restore_failed(r, n < 0 ? -errno : -EIO, "cannot write", file);
		from += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int make_write_beside(struct tree_restore *r, uint32_t file, int fd, uint64_t off, size_t len,
		      const void *bytes)
{
	size_t done = userfault_fill(r->uffd, fd, off, len, bytes);

	return make_write(r, file, fd, off + done, len - done, (const char *)bytes + done);
}

int make_done(struct tree_restore *r, uint32_t file, int fd)
{
	int k = attr_set_fd(r, file, fd);

	if (close(fd) < 0 && k == 0)
		k = restore_failed(r, -errno, "cannot write", file);
	return k;
}

static dev_t device_of(const struct view_file *f)
{
	return makedev((f->rdev & 0xfff00) >> 8, (f->rdev & 0xff) | (f->rdev >> 12 & 0xfff00));
}

int make_special(struct tree_restore *r, unsigned int worker, uint32_t file)
{
	const struct view_file *f = restore_file(r, file);
	const char *name = view_text(r->v, f->name);
	bool device = S_ISCHR(f->mode) || S_ISBLK(f->mode);
	int dirfd = parent_of(r, worker, file);

	if (dirfd < 0)
		return dirfd;
	if (S_ISLNK(f->mode)) {
		if (symlinkat(view_text(r->v, f->target), dirfd, name) < 0)
			return restore_failed(r, -errno, "cannot make the symlink", file);
	} else if (mknodat(dirfd, name, (f->mode & S_IFMT) | 0600, device ? device_of(f) : 0) < 0) {
		return restore_failed(r, -errno, "cannot make the special file", file);
	}
	return attr_set_at(r, file, dirfd);
}
