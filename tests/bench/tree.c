/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the trees that are measured, the same ones every time, and prints what was made as two
 * numbers: files, and bytes of data in them.
 *
 *	tree big DIR BYTES		one file
 *	tree many DIR BYTES		files of 64 MiB, or 16 of them where that is too few
 *	tree small DIR FILES		files of 0 to 8 KiB, 500 in a directory
 *	tree usr DIR BYTES		sizes, depth and symbolic links as below /usr
 *	tree sparse DIR BYTES RUN	one file of that size; 5 % of it is data, in runs of RUN
 *					bytes
 *	tree names DIR FILES		empty files, 500 in a directory
 *	tree wide DIR FILES		... all in one
 *	tree deep DIR FILES		... 100 in each of up to 500 directories below each other
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static uint64_t made_files, made_bytes;
static uint64_t noise[MIB / sizeof(uint64_t)];
static uint64_t state = 1;

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0)
		err(1, "cannot make %s", path);
}

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "cannot make %s", path);
	made_files++;
	return fd;
}

/* No two MiBs are alike, so that nothing gains from finding them equal. */
static void write_noise(int fd, uint64_t at, uint64_t size)
{
	made_bytes += size;
	while (size > 0) {
		size_t n = size < sizeof(noise) ? size : sizeof(noise);

		noise[0] = next_random();
		if (pwrite(fd, noise, n, (off_t)at) != (ssize_t)n)
			err(1, "cannot write %zu bytes of a tree", n);
		at += n;
		size -= n;
	}
}

static void add_file(const char *path, uint64_t size)
{
	int fd = make_file(path);

	write_noise(fd, 0, size);
	close(fd);
}

static void tree_big(const char *dir, uint64_t bytes)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/big", dir);
	add_file(path, bytes);
}

static void tree_many(const char *dir, uint64_t bytes)
{
	uint64_t each = bytes / 16 < 64 * MIB ? bytes / 16 : 64 * MIB;
	char path[4096];

	for (uint64_t i = 0; i < bytes / each; i++) {
		snprintf(path, sizeof(path), "%s/file%04u", dir, (unsigned int)i);
		add_file(path, each);
	}
}

static void tree_small(const char *dir, uint64_t files)
{
	char path[4096];

	for (uint64_t i = 0; i < files; i++) {
		if (i % 500 == 0) {
			snprintf(path, sizeof(path), "%s/%04u", dir, (unsigned int)(i / 500));
			make_dir(path);
		}
		snprintf(path, sizeof(path), "%s/%04u/file%03u", dir, (unsigned int)(i / 500),
			 (unsigned int)(i % 500));
		add_file(path, next_random() % 8193);
	}
}

static void tree_usr(const char *dir, uint64_t bytes)
{
	char package[2048] = "", path[4096];

	/*
	 * A package: three levels, ten to forty files of 32 bytes to 128 KiB (each power of two as
	 * likely), one in ten a link to its neighbour, one in two hundred a library of 1 to 8 MiB.
	 */
	for (unsigned int p = 0, n = 0; made_bytes < bytes; p++) {
		snprintf(path, sizeof(path), "%s/%02x", dir, p % 256);
		if (p < 256)
			make_dir(path);
		snprintf(package, sizeof(package), "%s/%02x/package-%u", dir, p % 256, p);
		make_dir(package);
		snprintf(path, sizeof(path), "%s/data", package);
		make_dir(path);
		for (unsigned int i = 0, count = 10 + next_random() % 31; i < count; i++, n++) {
			uint64_t size = (32ULL << next_random() % 12) + next_random() % 32;

			snprintf(path, sizeof(path), "%s/%sfile%u", package, i % 3 ? "data/" : "",
				 i);
			if (n % 10 == 9) {
				if (symlink("../data/file1", path) < 0)
					err(1, "cannot make %s", path);
				made_files++;
				continue;
			}
			if (n % 200 == 0)
				size = MIB + next_random() % (7 * MIB);
			add_file(path, size);
		}
	}
}

static void tree_sparse(const char *dir, uint64_t bytes, uint64_t run)
{
	char path[4096];
	int fd;

	if (run == 0)
		errx(1, "a run has at least one byte");
	snprintf(path, sizeof(path), "%s/sparse", dir);
	fd = make_file(path);
	if (ftruncate(fd, (off_t)bytes) < 0)
		err(1, "cannot size %s", path);
	for (uint64_t at = 0; at + run <= bytes; at += 20 * run)
		write_noise(fd, at, run);
	close(fd);
}

static void tree_names(const char *dir, uint64_t files, uint64_t each, unsigned int levels)
{
	char path[4096] = "", file[sizeof(path) + 32];
	uint64_t dirs = 0;

	for (uint64_t i = 0; i < files; i++) {
		if (i % each == 0) {
			if (dirs % levels == 0)
				snprintf(path, sizeof(path), "%s/%06u", dir, (unsigned int)dirs);
			else
				strcat(path, "/d");
			dirs++;
			make_dir(path);
		}
		snprintf(file, sizeof(file), "%s/file%07u", path, (unsigned int)i);
		add_file(file, 0);
	}
}

int main(int argc, char **argv)
{
	const char *kind = argv[1];

	if (argc < 4)
		errx(1, "usage: tree big|many|small|usr|sparse DIR N [RUN]");
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		noise[i] = next_random();
	make_dir(argv[2]);
	if (strcmp(kind, "big") == 0)
		tree_big(argv[2], number(argv[3]));
	else if (strcmp(kind, "many") == 0)
		tree_many(argv[2], number(argv[3]));
	else if (strcmp(kind, "small") == 0)
		tree_small(argv[2], number(argv[3]));
	else if (strcmp(kind, "usr") == 0)
		tree_usr(argv[2], number(argv[3]));
	else if (strcmp(kind, "names") == 0)
		tree_names(argv[2], number(argv[3]), 500, 1);
	else if (strcmp(kind, "wide") == 0)
		tree_names(argv[2], number(argv[3]), number(argv[3]), 1);
	else if (strcmp(kind, "deep") == 0)
		tree_names(argv[2], number(argv[3]), 100, 500);
	else if (strcmp(kind, "sparse") == 0 && argc == 5)
		tree_sparse(argv[2], number(argv[3]), number(argv[4]));
	else
		errx(1, "no tree '%s'", kind);
	printf("%llu %llu\n", (unsigned long long)made_files, (unsigned long long)made_bytes);
	return 0;
}
