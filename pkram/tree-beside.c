/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-beside.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

int beside_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	/* Faults of system calls are not for us: so nobody needs a privilege. */
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static size_t fill_small(int uffd, void *map, size_t len, const void *bytes)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)map, len }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)map, .src = (uintptr_t)bytes, .len = len,
		.mode = UFFDIO_COPY_MODE_DONTWAKE,
	};

	if (ioctl(uffd, UFFDIO_REGISTER, &range) < 0)
		return 0;
	/* A part of it is an error, too, with the length; nothing at all is the error's number. */
	ioctl(uffd, UFFDIO_COPY, &copy);
	return copy.copy > 0 ? (size_t)copy.copy : 0;
}

/* Where no memory is left, a fault would be a SIGBUS; this is an error. */
static size_t fill_huge(void *map, size_t len, const void *bytes)
{
	if (madvise(map, len, MADV_POPULATE_WRITE) < 0)
		return 0;
	memcpy(map, bytes, len);
	return len;
}

size_t beside_fill(int uffd, int fd, uint64_t off, size_t len, const void *bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), unit, done;
	struct statfs fs;
	struct stat st;
	void *map;

	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC || fstat(fd, &st) < 0)
		return 0;
	/* One that gives the file huge pages tells so by its block size. */
	unit = MAX((size_t)st.st_blksize, page);
	len = ALIGN_DOWN(len, unit);
	if (!len || !IS_ALIGNED(off, unit))
		return 0;
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);
	if (map == MAP_FAILED)
		return 0;
	done = unit > page ? fill_huge(map, len, bytes) : fill_small(uffd, map, len, bytes);
	munmap(map, len);
	return done;
}
