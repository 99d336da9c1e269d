/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every way of a source not to be quiet must be noticed and named, and none may stop or harm the
 * saver.
 */
#include "image-fixture.h"

#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* --- these stand before the calls of the C library --- */

static bool whole_seconds;
static uint64_t full_size;

/* Of a filesystem that keeps whole seconds; of a full file of that size. */
int statx(int dirfd, const char *name, int flags, unsigned int mask, struct statx *st)
{
	int r = (int)syscall(SYS_statx, dirfd, name, flags, mask, st);

	if (r == 0 && whole_seconds)
		st->stx_ctime.tv_nsec = st->stx_mtime.tv_nsec = 0;
	if (r == 0 && full_size && S_ISREG(st->stx_mode)) {
		st->stx_size = full_size;
		st->stx_blocks = full_size / 512;
	}
	return r;
}

/* What vanishes between two looks at it. */
static const char *vanishing_link;
static ino_t vanishing_dir;

ssize_t readlinkat(int dirfd, const char *name, char *buf, size_t size)
{
	if (vanishing_link && strcmp(name, vanishing_link) == 0)
		must(unlinkat(dirfd, name, 0));
	return syscall(SYS_readlinkat, dirfd, name, buf, size);
}

/* Of the directory, the names are given once, and then it is gone. */
ssize_t getdents64(int fd, void *buf, size_t size)
{
	struct stat st;
	ssize_t n;

	must(fstat(fd, &st));
	n = syscall(SYS_getdents64, fd, buf, size);
	if (n != 0 || st.st_ino != vanishing_dir)
		return n;
	errno = ENOENT;
	return -1;
}

static void scan_vanishing(struct fixture *f, uint64_t files)
{
	const struct tree_scan_options o = { .live = true };
	struct tree_image *img = NULL;
	struct tree_image_info info;
	bool live = false;
	uint8_t *bytes;

	f->log[0] = '\0';
	if (scan_image(f->ctx, f->src, &o, &img) < 0)
		fail_msg("scan: %s", f->log);
	tree_image_info(img, &info);
	assert_int_equal(info.files, files);
	assert_non_null(strstr(f->log, "vanished"));
	bytes = malloc(info.size);
	fill_image(f, img, PKRAM_WINDOW, 1, bytes);
	assert_int_equal(tree_image_finish(img, &live), 0);
	assert_true(live);
	free(bytes);
	tree_image_free(img);
}

static void what_vanishes_is_left_out(void **state)
{
	struct fixture *f = *state;
	int dir = src_dir(f);
	struct stat st;

	/* The first of three names of one symlink; the others have no part in its end. */
	must(symlinkat("somewhere", dir, "a"));
	must(linkat(dir, "a", dir, "c", 0));
	must(linkat(dir, "a", dir, "d", 0));
	make_file(dir, "b", 5000, 0644);
	vanishing_link = "a";
	scan_vanishing(f, 3);
	vanishing_link = NULL;

	must(mkdirat(dir, "sub", 0755));
	make_file(dir, "sub/one", 1, 0644);
	make_file(dir, "sub/two", 1, 0644);
	must(fstatat(dir, "sub", &st, 0));
	vanishing_dir = st.st_ino;
	scan_vanishing(f, 4);
	vanishing_dir = 0;
	close(dir);
}

static void too_much_is_said_once(void **state)
{
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	struct tree_image *img = NULL;
	int dir = src_dir(f), r;

	/* Elsewhere the file is asked for its holes. */
	if (strncmp(f->dir, "/dev/shm", 8) != 0)
		skip();
	make_file(dir, "file", 5000, 0644);
	full_size = UINT64_C(17) << 40;
	r = scan_image(f->ctx, f->src, &o, &img);
	full_size = 0;
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(f->log, "more than 16 TiB"));
	assert_null(strstr(f->log, "cannot be read"));
	close(dir);
}

/* --- what changes after it was scanned --- */

enum trouble {
	CHANGE, GROW, SHRINK, VANISH, SWAP_LINK, SWAP_FIFO, SWAP_FILE,
	NEW_NAME, CHMOD_FIFO, SYMLINK,
};

static void make_trouble(int dir, enum trouble t)
{
	int fd;

	switch (t) {
	case CHANGE:
	case GROW:
		fd = (int)must(openat(dir, "file", O_WRONLY | (t == GROW ? O_APPEND : 0)));
		must(write(fd, "?", 1));
		close(fd);
		return;
	case SHRINK:
		fd = (int)must(openat(dir, "file", O_WRONLY));
		must(ftruncate(fd, 100));
		close(fd);
		return;
	case NEW_NAME:
		make_file(dir, "fresh", 1, 0600);
		return;
	case CHMOD_FIFO:
		must(fchmodat(dir, "fifo", 0777, 0));
		return;
	case SYMLINK:
		must(unlinkat(dir, "link", 0));
		must(symlinkat("elsewhere", dir, "link"));
		return;
	default:
		break;
	}
	must(unlinkat(dir, "file", 0));
	if (t == SWAP_LINK)
		must(symlinkat("/etc/passwd", dir, "file"));
	if (t == SWAP_FIFO)
		must(mkfifoat(dir, "file", 0600));
	if (t == SWAP_FILE)
		make_file(dir, "file", 3000000, 0644);
}

/* The save's look, a change of the same size, and its second look, all of one moment. */
static void what_changes_at_once_is_noticed(void **state)
{
	struct fixture *f = *state;
	const struct tree_scan_options o = { 0 };
	struct tree_image *img = NULL;
	int dir = src_dir(f), fd;
	bool live;

	make_file(dir, "file", 5000, 0644);
	whole_seconds = true;
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	fd = (int)must(openat(dir, "file", O_WRONLY));
	must(write(fd, "?", 1));
	close(fd);
	assert_int_equal(tree_image_finish(img, &live), -EBUSY);
	whole_seconds = false;
	assert_non_null(strstr(f->log, "file changed while it was saved"));
	tree_image_free(img);
	close(dir);
}

static void save_in_trouble(struct fixture *f, enum trouble t, bool live)
{
	const struct tree_scan_options o = { .live = live };
	struct tree_image *img = NULL;
	struct tree_image_info info;
	uint8_t *bytes;
	bool was_live = false;
	int dir, r;

	dir = src_dir(f);
	make_file(dir, "file", 3000000, 0644);
	must(mkfifoat(dir, "fifo", 0600));
	must(symlinkat("somewhere", dir, "link"));
	if (scan_image(f->ctx, f->src, &o, &img) < 0)
		fail_msg("trouble %d: %s", t, f->log);
	make_trouble(dir, t);
	tree_image_info(img, &info);
	bytes = malloc(info.size);
	fill_image(f, img, PKRAM_WINDOW, 2, bytes);
	r = tree_image_finish(img, &was_live);
	if (r != (live ? 0 : -EBUSY) || was_live != live || !strstr(f->log, f->src))
		fail_msg("trouble %d: %d, %s", t, r, f->log);
	assert_int_equal(img->n_files, 0);
	f->log[0] = '\0';
	tree_image_free(img);
	free(bytes);
	close(dir);
	assert_int_equal(run("rm -rf %s", f->src), 0);
}

static void changes_are_noticed(void **state)
{
	struct fixture *f = *state;

	for (enum trouble t = CHANGE; t <= SYMLINK; t++) {
		save_in_trouble(f, t, false);
		save_in_trouble(f, t, true);
	}
}

/* A process that holds a file writable until it is killed. */
static pid_t start_writer(int dir, const char *name, bool mapped)
{
	int ready[2];
	pid_t pid;
	char c;

	must(pipe(ready));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		int fd = openat(dir, name, O_RDWR);

		if (mapped) {
			char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

			close(fd);
			p[0] = 'w';
		}
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(0);
	}
	must(read(ready[0], &c, 1));
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void writers_are_named(void **state)
{
	struct fixture *f = *state;
	int dir = src_dir(f);

	make_file(dir, "small", 5000, 0644);
	make_file(dir, "large", 3000000, 0644);
	make_file(dir, "empty", 0, 0644);
	for (unsigned int i = 0; i < 5; i++) {
		static const char *const names[] = { "small", "large", "small", "large", "empty" };
		struct tree_scan_options o = { 0 };
		struct tree_image *img = NULL;
		struct tree_image_info info;
		pid_t pid = start_writer(dir, names[i], i == 0 || i == 1);
		_cleanup_free_ uint8_t *bytes = NULL;
		char text[160];
		bool live = false;
		int r;

		f->log[0] = '\0';
		r = scan_image(f->ctx, f->src, &o, &img);
		/* Said before anything is copied. */
		assert_int_equal(r, -EBUSY);
		o.live = true;
		r = scan_image(f->ctx, f->src, &o, &img);
		assert_int_equal(r, 0);
		tree_image_info(img, &info);
		bytes = malloc(info.size);
		fill_image(f, img, PKRAM_WINDOW, 2, bytes);
		assert_int_equal(tree_image_finish(img, &live), 0);
		assert_true(live);
		snprintf(text, sizeof(text), "%s/%s is open for writing by pid %d (", f->src,
			 names[i], (int)pid);
		if (!strstr(f->log, text))
			fail_msg("%s: not said in %s", text, f->log);
		f->log[0] = '\0';
		assert_int_equal(tree_source_check(f->ctx, f->src, info.fingerprint), -EBUSY);
		/* Said to who does not save: there is no such option. */
		if (!strstr(f->log, text) || strstr(f->log, "--live"))
			fail_msg("%s: not said so: %s", text, f->log);
		tree_image_free(img);
		must(kill(pid, SIGKILL));
		must(waitpid(pid, NULL, 0));
	}
	close(dir);
}

/*
 * Of a file that is not one's own there is no lease: /proc tells. In a process that is nobody; 77:
 * not possible.
 */
static int save_as_nobody(struct fixture *f, int dir)
{
	const struct tree_scan_options o = { 0 };
	struct tree_image *img = NULL;
	struct tree_image_info info;
	uint8_t *bytes;
	bool live;
	pid_t pid;
	int r;

	if (setgid(65534) < 0 || setuid(65534) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return 77;
	pid = start_writer(dir, "other", true);
	r = scan_image(f->ctx, f->src, &o, &img);
	assert_int_equal(r, 0);
	tree_image_info(img, &info);
	bytes = malloc(info.size);
	fill_image(f, img, PKRAM_WINDOW, 2, bytes);
	assert_int_equal(tree_image_finish(img, &live), -EBUSY);
	assert_non_null(strstr(f->log, "other is open for writing by pid"));
	assert_int_equal(tree_source_check(f->ctx, f->src, info.fingerprint), -EBUSY);
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	tree_image_free(img);
	free(bytes);
	return 0;
}

static void writers_without_leases(void **state)
{
	struct fixture *f = *state;
	int dir = src_dir(f);
	pid_t pid;

	if (geteuid() != 0)
		skip();
	must(chmod(f->dir, 0755));
	make_file(dir, "other", 3000000, 0666);
	make_file(dir, "quiet", 5000, 0644);
	must(mkfifoat(dir, "fifo", 0600));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		_exit(save_as_nobody(f, dir));
	}
	close(dir);
	wait_child(pid);
}

static void a_later_writer_waits(void **state)
{
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	struct tree_image *img = NULL;
	struct tree_image_info info;
	_cleanup_free_ uint8_t *bytes = NULL;
	uint64_t data;
	bool live;
	int dir = src_dir(f), fd;

	make_file(dir, "large", 3000000, 0644);
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	tree_image_info(img, &info);
	bytes = malloc(info.size);
	data = info.meta_size + MIB;
	assert_int_equal(tree_image_fill(img, 0, data, bytes), 0);
	/*
	 * Without O_NONBLOCK it would wait until the copy is done. This must not end the process,
	 * either.
	 */
	fd = openat(dir, "large", O_WRONLY | O_NONBLOCK);
	assert_int_equal(fd, -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_int_equal(tree_image_fill(img, data, info.size - data, bytes + data), 0);
	assert_int_equal(tree_image_finish(img, &live), -EBUSY);
	assert_non_null(strstr(f->log, "was opened for writing"));
	fd = (int)must(openat(dir, "large", O_WRONLY | O_NONBLOCK));
	close(fd);
	tree_image_free(img);
	close(dir);
}

/* Huge pages in the place of the source, for this process alone. */
static bool mount_huge(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", path, "tmpfs", 0, "size=64m,huge=always") == 0;
}

/* Windows of a large file are lent, as they are, until somebody wants to write to it. */
static void lent_until_a_writer_comes(void **state)
{
	const struct tree_scan_options o = { .live = true };
	struct fixture *f = *state;
	struct tree_image *img = NULL;
	struct tree_image_info info;
	struct tree_loan loan;
	_cleanup_free_ uint8_t *bytes = NULL;
	uint64_t at;
	bool live;
	int dir;

	if (!mount_huge(f->dir)) {
		print_message("SKIP: no mount of huge pages\n");
		skip();
	}
	dir = src_dir(f);
	make_file(dir, "large", 4 * MIB + 5000, 0644);
	make_sparse(dir, "sparse", 32 * MIB, 2);
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	tree_image_info(img, &info);
	bytes = malloc(info.size);
	fill_image(f, img, PKRAM_WINDOW, 2, bytes);
	assert_int_equal(tree_image_lend(img, 0, PKRAM_WINDOW, &loan), 0);
	for (at = info.meta_size; at + MIB <= info.meta_size + 4 * MIB; at += MIB) {
		assert_int_equal(tree_image_lend(img, at, MIB, &loan), 1);
		assert_memory_equal(loan.bytes, bytes + at, MIB);
		assert_true(tree_image_take_back(img, &loan));
	}
	/* Its end, whose last page is not all of the file; and what has holes. */
	assert_int_equal(tree_image_lend(img, at, 2 * TREE_BLOCK, &loan), 0);
	assert_int_equal(tree_image_lend(img, at + 2 * TREE_BLOCK, MIB, &loan), 0);

	assert_int_equal(tree_image_lend(img, info.meta_size, MIB, &loan), 1);
	assert_int_equal(openat(dir, "large", O_WRONLY | O_NONBLOCK), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_false(tree_image_take_back(img, &loan));
	assert_int_equal(tree_image_lend(img, info.meta_size + MIB, MIB, &loan), 0);
	/* All else was taken back: with its end, the file is closed. */
	assert_int_equal(tree_image_fill(img, at, 2 * TREE_BLOCK, bytes + at), 0);
	assert_int_equal(img->n_files, 0);
	assert_int_equal(tree_image_finish(img, &live), 0);
	assert_true(live);
	assert_non_null(strstr(f->log, "was opened for writing"));
	tree_image_free(img);
	close(dir);
	must(umount(f->dir));
}

/* Of the machine's huge pages; negative: only how many there are. */
static int set_pool(int pages)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r+e");
	int has = 0;

	if (!f)
		return 0;
	if (pages >= 0)
		fprintf(f, "%d\n", pages);
	rewind(f);
	if (fscanf(f, "%d", &has) != 1)
		has = 0;
	fclose(f);
	return has;
}

/* Where pages of zeroes are holes, times and blocks tell nothing of what is stored into one. */
static void holes_of_huge_pages_stay_empty(void **state)
{
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	int had = set_pool(-1), dir, fd;
	char *map;

	if (set_pool(had + 2) < had + 2 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("hugetlbfs", f->dir, "hugetlbfs", 0, "pagesize=2M") < 0) {
		set_pool(had);
		print_message("SKIP: no pool of huge pages\n");
		skip();
	}
	dir = src_dir(f);
	fd = (int)must(openat(dir, "file", O_CREAT | O_RDWR, 0600));
	must(ftruncate(fd, 2 * GIB));
	map = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	memset(map, 'x', MIB + 5000);
	map[3 * MIB] = 0;
	munmap(map, 4 * MIB);
	close(fd);
	for (unsigned int i = 0; i < 3; i++) {
		/* In a chunk that is a hole, and in one that has data, too. */
		static const uint64_t stores[] = { 0, 3 * MIB, MIB + 120 * KIB };
		_cleanup_free_ uint8_t *bytes = NULL;
		struct tree_image *img = NULL;
		struct tree_image_info info;
		bool live;

		assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
		fd = (int)must(openat(dir, "file", O_RDWR));
		map = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		if (stores[i])
			map[stores[i]] = 'y';
		close(fd);
		munmap(map, 4 * MIB);
		tree_image_info(img, &info);
		bytes = malloc(info.size);
		fill_image(f, img, PKRAM_WINDOW, 2, bytes);
		assert_int_equal(tree_image_finish(img, &live), stores[i] ? -EBUSY : 0);
		tree_image_free(img);
	}
	assert_non_null(strstr(f->log, "file changed while it was saved"));
	must(unlinkat(dir, "file", 0));
	close(dir);
	must(umount(f->dir));
	set_pool(had);
}

static void sources_are_compared(void **state)
{
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	struct tree_image *img = NULL;
	uint64_t fingerprint;
	struct statfs fs;
	int dir = src_dir(f);

	make_file(dir, "file", 5000, 0644);
	must(mkfifoat(dir, "fifo", 0600));
	/* Together, if they had no holes, more than an image can hold. */
	if (fstatfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
		make_sparse(dir, "sparse", UINT64_C(12) << 40, 5);
		make_sparse(dir, "sparse too", UINT64_C(12) << 40, 5);
	}
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	fingerprint = img->fingerprint;
	tree_image_free(img);
	assert_int_equal(tree_source_check(f->ctx, f->src, fingerprint), 0);
	must(fchmodat(dir, "fifo", 0644, 0));
	assert_int_equal(tree_source_check(f->ctx, f->src, fingerprint), -ESTALE);
	close(dir);
	assert_int_equal(run("rm -rf %s", f->src), 0);
	assert_int_equal(tree_source_check(f->ctx, f->src, fingerprint), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_vanishes_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_is_said_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_changes_at_once_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(writers_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(writers_without_leases, setup, teardown),
		cmocka_unit_test_setup_teardown(a_later_writer_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(lent_until_a_writer_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(holes_of_huge_pages_stay_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(sources_are_compared, setup, teardown),
	};

	return cmocka_run_group_tests_name("tree-quiet", tests, NULL, NULL);
}
