/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pkram-probe - whether a device holds a container, for udev.
 *
 * Looks for the mark of a superblock alone: a container that is damaged otherwise is somebody's
 * data, too. Reads three blocks and writes nothing; needs no library, as it runs for each device
 * at boot.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkram-format.h"

/* Where a container starts on a raw block device, and elsewhere; and the second slot of each. */
static const off_t places[] = { 0, PKRAM_SLOT_SIZE, PKRAM_PMEM_BASE + PKRAM_SLOT_SIZE };
_Static_assert(PKRAM_PMEM_BASE == PKRAM_SLOT_SIZE, "two places are one");

static bool is_superblock(const void *p)
{
	return memcmp(p, PKRAM_SB_MAGIC, sizeof(PKRAM_SB_MAGIC) - 1) == 0;
}

static bool look_by_read(int fd)
{
	char magic[sizeof(PKRAM_SB_MAGIC) - 1];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (pread(fd, magic, sizeof(magic), places[i]) == sizeof(magic) &&
		    is_superblock(magic))
			return true;
	return false;
}

/* A mapping has to be a multiple of the device's alignment, which is 4 KiB, 2 MiB or 1 GiB. */
static bool look_by_map(int fd)
{
	static const size_t lengths[] = { 3 * PKRAM_SLOT_SIZE, 1u << 30 };
	bool found = false;

	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		const char *p = mmap(NULL, lengths[l], PROT_READ, MAP_SHARED, fd, 0);

		if (p == MAP_FAILED)
			continue;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !found; i++)
			found = is_superblock(p + places[i]);
		munmap((void *)p, lengths[l]);
		return found;
	}
	return false;
}

/* An error of the memory where the mark would be. */
static void on_bus_error(int sig)
{
	(void)sig;
	_exit(1);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	if (argc != 2) {
		fputs("usage: pkram-probe DEVICE\n", stderr);
		return 2;
	}
	signal(SIGBUS, on_bus_error);
	fd = open(argv[1], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(argv[1]);
		return 2;
	}
	if (!(S_ISCHR(st.st_mode) ? look_by_map(fd) : look_by_read(fd)))
		return 1;
	puts("PKRAM_CONTAINER=1");
	return fflush(stdout) == 0 ? 0 : 2;
}
