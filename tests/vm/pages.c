/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pattern pages: fill memory with 4 KiB pages that each say where they are, and count those that
 * are no longer what they were. Shows what a kexec did to a region without any code of pkram.
 *
 *	pages fill  FILE SEED [MIB]        every page of FILE (or its first MIB)
 *	pages check FILE SEED [MIB]        prints "BAD of TOTAL", exit 1 when BAD is not 0
 *	pages diff  A OFFSET B OFFSET LEN  the same for two files; names the first pages that differ
 *
 * FILE is a block device (read and written past the page cache) or a devdax (mapped).
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <linux/fs.h>
#include <unistd.h>

#define PAGE	4096u
#define CHUNK	(2u << 20)

struct memory {
	const char *path;
	int fd;
	uint64_t size;
	uint8_t *map;		/* devdax; NULL for a block device */
	uint8_t *bounce;
};

static uint64_t dax_size(const struct stat *st)
{
	char path[96];
	unsigned long long size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size",
		 major(st->st_rdev), minor(st->st_rdev));
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &size) != 1)
		err(1, "%s", path);
	fclose(f);
	return size;
}

static void memory_open(struct memory *m, const char *path, bool write)
{
	struct stat st;

	*m = (struct memory){ .path = path };
	if (stat(path, &st) < 0)
		err(1, "%s", path);
	m->fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC |
		     (S_ISBLK(st.st_mode) ? O_DIRECT : 0));
	if (m->fd < 0)
		err(1, "%s", path);

	if (S_ISBLK(st.st_mode)) {
		if (ioctl(m->fd, BLKGETSIZE64, &m->size) < 0)
			err(1, "%s: BLKGETSIZE64", path);
	} else if (S_ISCHR(st.st_mode)) {
		m->size = dax_size(&st);
		m->map = mmap(NULL, m->size, write ? PROT_READ | PROT_WRITE : PROT_READ,
			      MAP_SHARED, m->fd, 0);
		if (m->map == MAP_FAILED)
			err(1, "%s: mmap", path);
	} else {
		m->size = st.st_size;
	}
	m->bounce = aligned_alloc(PAGE, CHUNK);
	if (!m->bounce)
		err(1, "bounce buffer");
}

static const uint8_t *memory_read(struct memory *m, uint64_t off, size_t len)
{
	if (m->map)
		return m->map + off;
	if (pread(m->fd, m->bounce, len, off) != (ssize_t)len)
		err(1, "%s: reading at %llu", m->path, (unsigned long long)off);
	return m->bounce;
}

static void memory_write(struct memory *m, uint64_t off, const uint8_t *buf, size_t len)
{
	if (m->map)
		memcpy(m->map + off, buf, len);
	else if (pwrite(m->fd, buf, len, off) != (ssize_t)len)
		err(1, "%s: writing at %llu", m->path, (unsigned long long)off);
}

/* Each word depends on the seed, the page's place and its own place in the page. */
static void page_pattern(uint64_t *page, uint64_t seed, uint64_t off)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u ^ off;

	for (size_t i = 0; i < PAGE / 8; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		page[i] = x ^ x >> 29;
	}
}

static void fill(struct memory *m, uint64_t size, uint64_t seed)
{
	uint8_t *buf = aligned_alloc(PAGE, CHUNK);

	if (!buf)
		err(1, "buffer");
	for (uint64_t off = 0; off < size; off += CHUNK) {
		size_t len = size - off < CHUNK ? size - off : CHUNK;

		for (size_t i = 0; i < len; i += PAGE)
			page_pattern((uint64_t *)(buf + i), seed, off + i);
		memory_write(m, off, buf, len);
	}
	if (!m->map && fsync(m->fd) < 0)
		err(1, "%s: fsync", m->path);
	free(buf);
}

static uint64_t check(struct memory *m, uint64_t size, uint64_t seed)
{
	uint64_t want[PAGE / 8], bad = 0;

	for (uint64_t off = 0; off < size; off += CHUNK) {
		size_t len = size - off < CHUNK ? size - off : CHUNK;
		const uint8_t *buf = memory_read(m, off, len);

		for (size_t i = 0; i < len; i += PAGE) {
			page_pattern(want, seed, off + i);
			bad += memcmp(buf + i, want, PAGE) != 0;
		}
	}
	return bad;
}

static uint64_t diff(struct memory *a, uint64_t off_a, struct memory *b, uint64_t off_b,
		     uint64_t size)
{
	uint64_t bad = 0;

	for (uint64_t off = 0; off < size; off += CHUNK) {
		size_t len = size - off < CHUNK ? size - off : CHUNK;
		const uint8_t *x = memory_read(a, off_a + off, len);
		const uint8_t *y = memory_read(b, off_b + off, len);

		for (size_t i = 0; i < len; i += PAGE) {
			if (memcmp(x + i, y + i, PAGE) == 0)
				continue;
			if (bad++ < 16)
				fprintf(stderr, "differs: page at %llu\n",
					(unsigned long long)(off + i));
		}
	}
	return bad;
}

static uint64_t number(const char *s)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || end == s || *end)
		errx(2, "not a number: %s", s);
	return v;
}

static int verdict(uint64_t bad, uint64_t size)
{
	printf("%llu of %llu\n", (unsigned long long)bad, (unsigned long long)(size / PAGE));
	return bad != 0;
}

int main(int argc, char **argv)
{
	struct memory a, b;
	uint64_t size;

	if (argc == 7 && strcmp(argv[1], "diff") == 0) {
		memory_open(&a, argv[2], false);
		memory_open(&b, argv[4], false);
		size = number(argv[6]);
		return verdict(diff(&a, number(argv[3]), &b, number(argv[5]), size), size);
	}
	if (argc < 4 || argc > 5 || (strcmp(argv[1], "fill") && strcmp(argv[1], "check")))
		errx(2, "usage: pages fill|check FILE SEED [MIB] | diff A OFF B OFF LEN");

	memory_open(&a, argv[2], argv[1][0] == 'f');
	size = argc == 5 ? number(argv[4]) << 20 : a.size;
	if (size > a.size || size % PAGE)
		errx(2, "%s has %llu bytes", argv[2], (unsigned long long)a.size);
	if (argv[1][0] == 'f') {
		fill(&a, size, number(argv[3]));
		return 0;
	}
	return verdict(check(&a, size, number(argv[3])), size);
}
