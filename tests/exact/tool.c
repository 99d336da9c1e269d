/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the exactness tests need and a shell cannot do, or not fast enough: many files, deep
 * directories, data scattered over a huge hole, writers of every kind, and a memory gauge. See
 * usage().
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096u
#define PER_DIRECTORY	1000u

static uint64_t state;

static uint64_t draw(uint64_t below)
{
	uint64_t x = state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % below;
}

static uint64_t number(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 0);

	if (*end || end == s)
		errx(2, "not a number: %s", s);
	return v;
}

static int make(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644);

	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static void put(int fd, const void *bytes, size_t len, uint64_t off)
{
	if (pwrite(fd, bytes, len, (off_t)off) != (ssize_t)len)
		err(1, "writing");
}

/* --- trees --- */

/* Files of 0 to 200 bytes, a thousand to a directory; PER directory: all in one. */
static void make_files(const char *dir, uint64_t n, uint64_t per)
{
	char name[64], text[200];
	int at = -1;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = 'a' + i % 26;
	for (uint64_t i = 0; i < n; i++) {
		size_t len = draw(sizeof(text) + 1);
		int fd;

		if (i % per == 0) {
			if (at >= 0)
				close(at);
			snprintf(name, sizeof(name), "%s/%06llu", dir,
				 (unsigned long long)(i / per));
			if (mkdir(name, 0755) < 0)
				err(1, "%s", name);
			at = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (at < 0)
				err(1, "%s", name);
		}
		snprintf(name, sizeof(name), "file-%llu", (unsigned long long)i);
		fd = make(at, name, O_EXCL);
		put(fd, text, len, 0);
		close(fd);
	}
}

/* LEVELS directories, each in the last one, their names of LEN bytes, a file at the end. */
static void make_deep(const char *dir, unsigned int levels, unsigned int len)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), next;
	char name[256];

	if (at < 0 || len < 1 || len > 255)
		err(1, "%s", dir);
	memset(name, 'd', len);
	name[len] = '\0';
	for (unsigned int i = 0; i < levels; i++) {
		if (mkdirat(at, name, 0755) < 0)
			err(1, "level %u", i);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			err(1, "level %u", i);
		close(at);
		at = next;
	}
	next = make(at, "bottom", 0);
	put(next, "reached\n", 8, 0);
	close(next);
	close(at);
}

/* COUNT pieces of up to 4 KiB anywhere in SIZE bytes. */
static void make_scattered(const char *path, uint64_t size, uint64_t count)
{
	int fd = make(AT_FDCWD, path, O_TRUNC);
	uint8_t piece[BLOCK];

	if (ftruncate(fd, (off_t)size) < 0)
		err(1, "%s", path);
	for (uint64_t i = 0; i < count; i++) {
		size_t len = 1 + draw(sizeof(piece));

		memset(piece, (int)(1 + draw(255)), len);
		put(fd, piece, len, draw(size - len));
	}
	close(fd);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		errx(1, "%s: too long", path);
	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* On hugetlbfs, which has no write(2): the first of its pages has data, then every other one. */
static void make_huge(const char *path, uint64_t pages)
{
	int fd = make(AT_FDCWD, path, O_TRUNC);
	struct stat st;
	uint8_t *map;

	if (fstat(fd, &st) < 0 || ftruncate(fd, (off_t)pages * st.st_blksize) < 0)
		err(1, "%s", path);
	for (uint64_t i = 0; i < pages; i += 2) {
		map = mmap(NULL, (size_t)st.st_blksize, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   (off_t)i * st.st_blksize);
		if (map == MAP_FAILED)
			err(1, "%s", path);
		for (size_t at = 0; at < (size_t)st.st_blksize; at += 512)
			memset(map + at, (int)(1 + draw(255)), 512);
		munmap(map, (size_t)st.st_blksize);
	}
	close(fd);
}

/* How much of a tmpfs file lies on huge pages: they are mapped whole, where the address allows. */
static uint64_t huge_kib(const void *map)
{
	unsigned long long start, end, kib, sum = 0;
	char line[512];
	bool ours = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		err(1, "smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
			ours = start == (uintptr_t)map;
		else if (ours && sscanf(line, "ShmemPmdMapped: %llu", &kib) == 1)
			sum += kib;
	}
	fclose(f);
	return sum;
}

static void show_huge(const char *path)
{
	const size_t align = 2 << 20;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	volatile const uint8_t *map;
	uintptr_t at;
	struct stat st;
	void *room;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	room = mmap(NULL, (size_t)st.st_size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	at = ((uintptr_t)room + align - 1) & ~(align - 1);
	map = mmap((void *)at, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	if (room == MAP_FAILED || map == MAP_FAILED)
		err(1, "%s", path);
	for (off_t i = 0; i < st.st_size; i += BLOCK)
		(void)map[i];
	printf("%llu\n", (unsigned long long)huge_kib((const void *)map));
}

/* --- writers --- */

static void wait_for_ever(void)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static void hold_mapped(const char *path)
{
	int fd = make(AT_FDCWD, path, 0);

	if (mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	wait_for_ever();
}

/* A reader of any kind does not disturb. */
static void hold_reader(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ||
	    mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		err(1, "%s", path);
	wait_for_ever();
}

static void change_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	uint8_t bytes[BLOCK];
	void *map;

	if (fd < 0)
		return;
	memset(bytes, (int)draw(256), sizeof(bytes));
	switch (draw(4)) {
	case 0:
		if (ftruncate(fd, (off_t)draw(300000)) < 0)
			break;
		break;
	case 1:
		if (pwrite(fd, bytes, 1 + draw(sizeof(bytes)), (off_t)draw(3000000)) < 0)
			break;
		break;
	case 2:
		if (pwrite(fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
			break;
		map = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			memset(map, (int)draw(256), 100);
			munmap(map, BLOCK);
		}
		break;
	default:
		fchmod(fd, 0600 + draw(64));
	}
	close(fd);
}

/* What was here is something else now: a fifo, a symlink that leads out, another file, a directory.
 */
static void swap(int dir, const char *name, const char *outside)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		char aside[32];

		snprintf(aside, sizeof(aside), "aside-%llu", (unsigned long long)draw(8));
		if (renameat(dir, name, dir, aside) < 0 && !S_ISDIR(st.st_mode))
			unlinkat(dir, name, 0);
	}
	switch (draw(5)) {
	case 0:
		mkfifoat(dir, name, 0644);
		break;
	case 1:
		if (symlinkat(outside, dir, name) < 0)
			break;
		break;
	case 2:
		mkdirat(dir, name, 0755);
		break;
	case 3:
		break;
	default:
		change_file(dir, name);
	}
}

/* Changes a tree as wildly as it can until it is killed. OUTSIDE is where its symlinks lead. */
static void hammer(const char *path, const char *outside)
{
	static const struct timespec breath = { .tv_nsec = 50000 };
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		err(1, "%s", path);
	puts("ready");
	fflush(stdout);
	for (;;) {
		char name[32];
		int dir = top;

		snprintf(name, sizeof(name), "d%llu", (unsigned long long)draw(6));
		if (draw(8) == 0) {
			swap(top, name, outside);
		} else {
			mkdirat(top, name, 0755);
			dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (dir < 0)
				continue;
			snprintf(name, sizeof(name), "f%llu", (unsigned long long)draw(30));
			if (draw(4) == 0)
				swap(dir, name, outside);
			else
				change_file(dir, name);
			close(dir);
		}
		if (draw(4) == 0)
			nanosleep(&breath, NULL);
	}
}

/* --- what a command takes --- */

static uint64_t status_kib(pid_t pid, const char *key)
{
	char path[64], line[256];
	unsigned long long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			sscanf(line + strlen(key) + 1, "%llu", &v);
	if (f)
		fclose(f);
	return v;
}

/*
 * Runs a command and writes "SECONDS KIB" to a file: KIB is the most private memory that it was
 * seen to have. The maximum that the kernel keeps counts a mapped region as well.
 */
static int measure(const char *to, char **command)
{
	static const struct timespec tick = { .tv_nsec = 2000000 };
	struct timespec start, end;
	uint64_t most = 0, now;
	int status;
	pid_t pid;
	FILE *f;

	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		execvp(command[0], command);
		err(127, "%s", command[0]);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		now = status_kib(pid, "RssAnon");
		most = now > most ? now : most;
		nanosleep(&tick, NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	f = fopen(to, "we");
	if (!f)
		err(1, "%s", to);
	fprintf(f, "%.2f %llu\n", (double)(end.tv_sec - start.tv_sec) +
		(double)(end.tv_nsec - start.tv_nsec) / 1e9, (unsigned long long)most);
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void usage(void)
{
	fputs("usage: tool files DIR N              small files, 1000 to a directory\n"
	      "       tool wide DIR N               the same, all in one directory\n"
	      "       tool deep DIR LEVELS LEN      directories in directories\n"
	      "       tool scatter FILE SIZE COUNT  data in a huge hole\n"
	      "       tool socket FILE\n"
	      "       tool huge FILE PAGES          on hugetlbfs, every other page with data\n"
	      "       tool show-huge FILE           KiB of a tmpfs file on huge pages\n"
	      "       tool hold-open FILE           for writing, until killed\n"
	      "       tool hold-mapped FILE         writable, the descriptor closed\n"
	      "       tool hold-reader FILE\n"
	      "       tool hammer DIR OUTSIDE       changes the tree until killed\n"
	      "       tool measure FILE COMMAND...  seconds and KiB of private memory\n"
	      "SEED in the environment changes what is random.\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "", *seed = getenv("SEED");

	state = seed ? number(seed) : 1;
	if (strcmp(verb, "measure") == 0 && argc > 3)
		return measure(argv[2], argv + 3);
	else if (strcmp(verb, "files") == 0 && argc == 4)
		make_files(argv[2], number(argv[3]), PER_DIRECTORY);
	else if (strcmp(verb, "wide") == 0 && argc == 4)
		make_files(argv[2], number(argv[3]), UINT64_MAX);
	else if (strcmp(verb, "deep") == 0 && argc == 5)
		make_deep(argv[2], (unsigned int)number(argv[3]), (unsigned int)number(argv[4]));
	else if (strcmp(verb, "scatter") == 0 && argc == 5)
		make_scattered(argv[2], number(argv[3]), number(argv[4]));
	else if (strcmp(verb, "socket") == 0 && argc == 3)
		make_socket(argv[2]);
	else if (strcmp(verb, "huge") == 0 && argc == 4)
		make_huge(argv[2], number(argv[3]));
	else if (strcmp(verb, "show-huge") == 0 && argc == 3)
		show_huge(argv[2]);
	else if (strcmp(verb, "hold-open") == 0 && argc == 3) {
		make(AT_FDCWD, argv[2], 0);
		wait_for_ever();
	} else if (strcmp(verb, "hold-mapped") == 0 && argc == 3)
		hold_mapped(argv[2]);
	else if (strcmp(verb, "hold-reader") == 0 && argc == 3)
		hold_reader(argv[2]);
	else if (strcmp(verb, "hammer") == 0 && argc == 4)
		hammer(argv[2], argv[3]);
	else
		usage();
	return 0;
}
