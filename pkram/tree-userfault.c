/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int userfault_open(void)
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

/* Into a mapping; the bytes of the beginning that were copied. */
static size_t fill_mapping(int uffd, void *map, size_t len, const void *bytes)
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

size_t userfault_fill(int uffd, int fd, uint64_t off, size_t len, const void *bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), done;
	struct stat st;
	void *map;

	len = ALIGN_DOWN(len, page);
	/* A filesystem that gives huge pages tells so by its block size. */
	if (uffd < 0 || !len || !IS_ALIGNED(off, page) || fstat(fd, &st) < 0 ||
	    (size_t)st.st_blksize > page)
		return 0;
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);
	if (map == MAP_FAILED)
		return 0;
	done = fill_mapping(uffd, map, len, bytes);
	munmap(map, len);
	return done;
}
