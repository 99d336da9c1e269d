/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The best methods: the data of a tree to a mapped region and back as bare loops, without a format,
 * a commit, a look at who writes, owners or times. What to copy is listed before the clock starts.
 * The fastest of these loops is what a tool that does all of that is held against.
 *
 *	loops save METHOD THREADS TREE REGION		pread, map, quiet
 *	loops restore METHOD THREADS TREE REGION DIR	pwrite, fallocate, map, uffd
 *	loops verify xxh3 THREADS TREE REGION
 *
 * A METHOD followed by +xxh3 checksums every piece as well, on the side where it is in the cache.
 * TREE tells the names and sizes in restore and verify, too; REGION is a file that a save made.
 * Prints what print_sample() prints.
 */
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bench.h"
#include "hash.h"
#include "tree-closer.h"

#define PIECE (2 * MIB)
#define BLOCK 4096ULL
#define STEP (64ULL << 10)

struct source {
	char *path;		/* relative to the tree */
	uint64_t size;
	bool holes;
};

/* The unit of parallel work: a small file, or up to PIECE bytes of a larger one. */
struct piece {
	size_t source;
	uint64_t offset;
	uint64_t size;
	uint64_t place;		/* in the region */
};

struct job {
	struct source *sources;
	struct piece *pieces;
	size_t n_sources, n_pieces;
	uint64_t used;		/* of the region */
	char *region;
	int dir;
	bool checksum;
	void (*move)(struct job *j, const struct piece *p, int fd);
	int (*open)(struct job *j, const struct source *s);
	atomic_size_t next;
	_Atomic uint64_t sum;
};

static struct job job = { .dir = -1 };
static struct closer closer;
static int tree_fd = -1;
static int uffd = -1;
static size_t tree_prefix;

static void *grow(void *array, size_t n, size_t each)
{
	/* Doubled at each power of two. */
	if (n & (n - 1))
		return array;
	array = realloc(array, (n ? 2 * n : 1) * each);
	if (!array)
		err(1, "cannot list the tree");
	return array;
}

static void add_pieces(size_t source, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t size = to - from < PIECE ? to - from : PIECE;

		job.pieces = grow(job.pieces, job.n_pieces, sizeof(*job.pieces));
		job.pieces[job.n_pieces++] = (struct piece){
			.source = source, .offset = from, .size = size, .place = job.used };
		job.used += (size + BLOCK - 1) & ~(BLOCK - 1);
		from += size;
	}
}

static void add_data(size_t source, const char *path, uint64_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t covered = 0;
	off_t data, end = 0;

	if (fd < 0)
		err(1, "cannot open %s", path);
	while ((data = lseek(fd, end, SEEK_DATA)) >= 0) {
		end = lseek(fd, data, SEEK_HOLE);
		if (end < 0)
			err(1, "cannot find the holes of %s", path);
		covered += (uint64_t)(end - data);
		add_pieces(source, (uint64_t)data, (uint64_t)end);
	}
	close(fd);
	job.sources[source].holes = covered < size;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path[tree_prefix] ? path + tree_prefix + 1 : ".";

	(void)ftw;
	if (type == FTW_D && job.dir >= 0 && mkdirat(job.dir, name, 0700) < 0 &&
	    strcmp(name, ".") != 0)
		err(1, "cannot make %s", name);
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	job.sources = grow(job.sources, job.n_sources, sizeof(*job.sources));
	job.sources[job.n_sources] = (struct source){
		.path = strdup(name), .size = (uint64_t)st->st_size };
	if ((uint64_t)st->st_size > PIECE)
		add_data(job.n_sources, path, (uint64_t)st->st_size);
	else
		add_pieces(job.n_sources, 0, (uint64_t)st->st_size);
	job.n_sources++;
	return 0;
}

static void list_tree(const char *path)
{
	tree_prefix = strlen(path);
	tree_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree_fd < 0 || nftw(path, visit, 64, FTW_PHYS) != 0)
		err(1, "cannot list %s", path);
}

static char *map_file(const char *path, int fd, uint64_t size, int flags)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

	if (p == MAP_FAILED)
		err(1, "cannot map %s", path);
	return p;
}

/*
 * A new region is allocated and cleared as a whole: that is the reservation, not the save. Its
 * pages are mapped when they are touched, within the time: each process has to do so.
 */
static void map_region(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t size = (job.used + PIECE) & ~(PIECE - 1);

	if (fd < 0 || posix_fallocate(fd, 0, (off_t)size) != 0)
		err(1, "cannot make %s", path);
	munmap(map_file(path, fd, size, MAP_POPULATE), size);
	job.region = map_file(path, fd, size, 0);
	close(fd);
}

static void hash(struct job *j, const void *data, size_t size)
{
	if (j->checksum)
		j->sum += XXH3_64bits(data, size);
}

static int open_source(struct job *j, const struct source *s)
{
	int fd = openat(tree_fd, s->path, O_RDONLY | O_CLOEXEC);

	(void)j;
	if (fd < 0)
		err(1, "cannot open %s", s->path);
	return fd;
}

static int open_target(struct job *j, const struct source *s)
{
	int fd = openat(j->dir, s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || (s->holes && ftruncate(fd, (off_t)s->size) < 0))
		err(1, "cannot make %s", s->path);
	return fd;
}

/* A mapping needs the size first. */
static int open_mapped_target(struct job *j, const struct source *s)
{
	int fd = open_target(j, s);

	if (!s->holes && ftruncate(fd, (off_t)s->size) < 0)
		err(1, "cannot size %s", s->path);
	return fd;
}

static void save_pread(struct job *j, const struct piece *p, int fd)
{
	if (pread(fd, j->region + p->place, p->size, (off_t)p->offset) != (ssize_t)p->size)
		err(1, "cannot read");
	hash(j, j->region + p->place, p->size);
}

/*
 * With every system call that an exact copy of a small file that nobody writes to takes (the list
 * is in pkram/tree-look.c), and nothing else: the mark for a tool that makes them.
 */
static void save_quiet(struct job *j, const struct piece *p, int fd)
{
	struct statx st;
	int flags;

	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || flistxattr(fd, NULL, 0) < 0)
		err(1, "cannot look at a source");
	save_pread(j, p, fd);
	if (statx(tree_fd, j->sources[p->source].path, AT_SYMLINK_NOFOLLOW,
		  STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		err(1, "cannot look at a source again");
}

static void save_map(struct job *j, const struct piece *p, int fd)
{
	char *data = mmap(NULL, p->size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
			  (off_t)p->offset);

	if (data == MAP_FAILED)
		err(1, "cannot map a source");
	/* The cache is filled by the checksum, used by the copy. */
	for (uint64_t at = 0, n; at < p->size; at += n) {
		n = p->size - at < STEP ? p->size - at : STEP;
		hash(j, data + at, n);
		copy_nontemporal(j->region + p->place + at, data + at, n);
	}
	munmap(data, p->size);
}

static void restore_pwrite(struct job *j, const struct piece *p, int fd)
{
	hash(j, j->region + p->place, p->size);
	if (pwrite(fd, j->region + p->place, p->size, (off_t)p->offset) != (ssize_t)p->size)
		err(1, "cannot write");
}

static void restore_fallocate(struct job *j, const struct piece *p, int fd)
{
	if (fallocate(fd, 0, (off_t)p->offset, (off_t)p->size) < 0)
		err(1, "cannot allocate");
	restore_pwrite(j, p, fd);
}

static void restore_map(struct job *j, const struct piece *p, int fd)
{
	void *data = mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			  (off_t)p->offset);

	if (data == MAP_FAILED)
		err(1, "cannot map a target");
	hash(j, j->region + p->place, p->size);
	copy_nontemporal(data, j->region + p->place, p->size);
	munmap(data, p->size);
}

/* Pages that the kernel fills while it makes them, without the file's lock for writers. */
static void restore_uffd(struct job *j, const struct piece *p, int fd)
{
	uint64_t size = (p->size + BLOCK - 1) & ~(BLOCK - 1);
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)p->offset);
	struct uffdio_register range = { .range = { (uintptr_t)data, size },
					 .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_copy copy = { .dst = (uintptr_t)data,
				    .src = (uintptr_t)(j->region + p->place), .len = size };

	if (data == MAP_FAILED || ioctl(uffd, UFFDIO_REGISTER, &range) < 0)
		err(1, "cannot map a target");
	hash(j, j->region + p->place, p->size);
	if (ioctl(uffd, UFFDIO_COPY, &copy) < 0)
		err(1, "cannot fill a target");
	munmap(data, size);
}

static void open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0)
		err(1, "no userfaultfd");
}

static void verify_xxh3(struct job *j, const struct piece *p, int fd)
{
	(void)fd;
	hash(j, j->region + p->place, p->size);
}

static void close_source(struct job *j, int fd)
{
	if (fd >= 0 && j->move == save_quiet)
		closer_add(&closer, fd);
	else if (fd >= 0)
		close(fd);
}

/*
 * Files stay open from piece to piece; the pieces of one file are neighbours. Each thread goes
 * through a share of its own, since only one can write to a file at a time.
 */
static void work(void *arg, unsigned int index, unsigned int threads)
{
	struct job *j = arg;
	size_t share = (j->n_pieces + threads - 1) / threads, i, opened = SIZE_MAX;
	int fd = -1;

	(void)index;
	while ((i = atomic_fetch_add(&j->next, 1)) < share * threads) {
		size_t at = i % threads * share + i / threads;
		const struct piece *p = &j->pieces[at];

		if (at >= j->n_pieces)
			continue;
		if (j->open && p->source != opened) {
			close_source(j, fd);
			fd = j->open(j, &j->sources[p->source]);
			opened = p->source;
		}
		j->move(j, p, fd);
	}
	close_source(j, fd);
}

static const struct method {
	const char *job;
	const char *name;
	void (*move)(struct job *j, const struct piece *p, int fd);
	int (*open)(struct job *j, const struct source *s);
} methods[] = {
	{ "save",	"pread",	save_pread,		open_source },
	{ "save",	"map",		save_map,		open_source },
	{ "save",	"quiet",	save_quiet,		open_source },
	{ "restore",	"pwrite",	restore_pwrite,		open_target },
	{ "restore",	"fallocate",	restore_fallocate,	open_target },
	{ "restore",	"map",		restore_map,		open_mapped_target },
	{ "restore",	"uffd",		restore_uffd,		open_mapped_target },
	{ "verify",	"xxh3",		verify_xxh3,		NULL },
};

static void choose(const char *name, char *method)
{
	char *plus = strchr(method, '+');

	if (plus && strcmp(plus, "+xxh3") == 0)
		*plus = '\0';
	job.checksum = plus || strcmp(name, "verify") == 0;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].job, name) != 0 || strcmp(methods[i].name, method) != 0)
			continue;
		job.move = methods[i].move;
		job.open = methods[i].open;
		return;
	}
	errx(1, "no method '%s' to %s", method, name);
}

int main(int argc, char **argv)
{
	struct rusage ru;
	double seconds;

	if (argc < 6)
		errx(1, "usage: loops JOB METHOD THREADS TREE REGION [DIR]");
	choose(argv[1], argv[2]);
	if (strcmp(argv[1], "restore") == 0) {
		if (argc < 7)
			errx(1, "restore to where?");
		job.dir = open(argv[6], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (job.dir < 0)
			err(1, "cannot open %s", argv[6]);
	}
	/* Who waits for a lease is told by a signal that would end this. */
	signal(SIGIO, SIG_IGN);
	if (job.move == restore_uffd)
		open_uffd();
	list_tree(argv[4]);
	map_region(argv[5]);
	closer_init(&closer);
	seconds = crew_run(thread_count(argv[3]), &job, work);
	closer_done(&closer);
	getrusage(RUSAGE_SELF, &ru);
	print_sample(seconds, &ru, 0, stdout);
	return 0;
}
