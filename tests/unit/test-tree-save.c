/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images of trees: fsck.erofs and the kernel's own driver must find in them what is in the source.
 */
#include "image-fixture.h"

#include <endian.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* --- whole images --- */

/* Scans @path, fills its image in @step bytes and writes it to f->image. */
static struct tree_image *make_image(struct fixture *f, const char *path, uint64_t step,
				     struct tree_image_info *info)
{
	const struct tree_scan_options o = { 0 };
	struct tree_image *img = NULL;
	uint8_t *map;
	bool live;
	int fd;

	if (scan_image(f->ctx, path, &o, &img) < 0)
		fail_msg("scan: %s", f->log);
	tree_image_info(img, info);
	fd = (int)must(open(f->image, O_RDWR | O_CREAT | O_TRUNC, 0600));
	must(ftruncate(fd, (off_t)info->size));
	map = mmap(NULL, info->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_ptr_not_equal(map, MAP_FAILED);
	/* What a caller hands over may hold anything. */
	memset(map, 0xa5, info->size);
	fill_image(f, img, step, 2, map);
	munmap(map, info->size);
	if (tree_image_finish(img, &live) < 0)
		fail_msg("finish: %s", f->log);
	assert_false(live);
	return img;
}

/* Compares the mounted image with a directory, in a process with its own mounts. */
static bool mounted_equal(struct fixture *f, const char *path)
{
	char mnt[128], command[512];
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return false;
	snprintf(mnt, sizeof(mnt), "%s/mnt", f->dir);
	snprintf(command, sizeof(command), "mount -t erofs -o ro,loop %s %s 2>/dev/null", f->image,
		 mnt);
	must(mkdir(mnt, 0700));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		int a, b;

		setenv("CMOCKA_TEST_ABORT", "1", 1);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || system(command) != 0)
			_exit(77);
		a = open(path, O_RDONLY | O_DIRECTORY);
		b = open(mnt, O_RDONLY | O_DIRECTORY);
		_exit(a >= 0 && b >= 0 && same_tree(a, b) > 2 ? 0 : 1);
	}
	must(waitpid(pid, &status, 0));
	must(rmdir(mnt));
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 77))
		fail_msg("%s and its mounted image differ", path);
	return WEXITSTATUS(status) == 0;
}

static void every_type_is_carried(void **state)
{
	struct fixture *f = *state;
	struct tree_image_info info;
	struct tree_image *img;

	if (geteuid() != 0)
		skip();
	make_every_type(f->src, 60);
	img = make_image(f, f->src, PKRAM_WINDOW, &info);
	assert_int_equal(run("fsck.erofs %s >/dev/null", f->image), 0);
	if (!mounted_equal(f, f->src))
		print_message("no erofs driver: not compared as mounted\n");
	assert_true(info.n_holes > 0);
	assert_true(IS_ALIGNED(info.size, TREE_BLOCK) && IS_ALIGNED(info.meta_size, TREE_BLOCK));
	assert_string_equal(info.source, f->src);
	tree_image_free(img);
}

static void any_cut_gives_the_same(void **state)
{
	static const uint64_t steps[] = { TREE_BLOCK, 3 * TREE_BLOCK + 512, 1 << 22 };
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	_cleanup_free_ uint8_t *first = NULL;
	struct tree_image_info info;
	int dir = src_dir(f);

	for (unsigned int i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i);
		if (i % 3)
			make_file(dir, name, fixture_random(200000), 0644);
		else
			make_sparse(dir, name, 1000000, 10);
	}
	close(dir);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_free_ uint8_t *bytes = NULL;
		struct tree_image *img = NULL;

		assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
		tree_image_info(img, &info);
		bytes = malloc(info.size);
		memset(bytes, 0x5a, info.size);
		fill_image(f, img, steps[i], 2, bytes);
		assert_int_equal(img->n_files, 0);
		if (first)
			assert_memory_equal(first, bytes, info.size);
		else
			first = TAKE_PTR(bytes);
		tree_image_free(img);
	}
}

/* What the scan gives: windows of data, until they are @room bytes. */
struct given {
	uint8_t *bytes;
	uint64_t room;
	bool windows[64];
};

static int given_room(void *arg, uint64_t size)
{
	const struct given *g = arg;

	return size <= g->room;
}

static int given_put(void *arg, uint64_t index, const void *bytes)
{
	struct given *g = arg;

	assert_true((index + 1) * PKRAM_WINDOW <= g->room);
	assert_false(g->windows[index]);
	memcpy(g->bytes + index * PKRAM_WINDOW, bytes, PKRAM_WINDOW);
	g->windows[index] = true;
	return 0;
}

/* Scans with a sink, compares what it gave with what a fill gives, and counts the windows. */
static unsigned int windows_given(struct fixture *f, uint64_t room)
{
	const struct tree_scan_options o = { 0 };
	struct given g = { .room = room };
	const struct tree_sink sink = { .room = given_room, .put = given_put, .arg = &g };
	_cleanup_free_ uint8_t *bytes = NULL;
	struct tree_image_info info;
	struct tree_image *img;
	unsigned int n = 0;
	bool live;

	g.bytes = malloc(room);
	assert_int_equal(tree_image_new(f->ctx, f->src, &o, &img), 0);
	assert_int_equal(tree_image_scan(img, &sink), 0);
	tree_image_info(img, &info);
	bytes = malloc(info.size);
	fill_image(f, img, PKRAM_WINDOW, 2, bytes);
	for (uint64_t i = 0; i < ARRAY_SIZE(g.windows); i++) {
		if (!g.windows[i])
			continue;
		assert_true(info.meta_size + (i + 1) * PKRAM_WINDOW <= info.size);
		assert_memory_equal(g.bytes + i * PKRAM_WINDOW,
				    bytes + info.meta_size + i * PKRAM_WINDOW, PKRAM_WINDOW);
		n++;
	}
	assert_int_equal(tree_image_finish(img, &live), 0);
	tree_image_free(img);
	free(g.bytes);
	return n;
}

static void windows_come_early(void **state)
{
	static const uint64_t sizes[] = {
		TREE_LOOK_BYTES, TREE_LOOK_BYTES + 1, PKRAM_WINDOW, PKRAM_WINDOW + 1, 3000000, 7,
	};
	struct fixture *f = *state;
	int dir = src_dir(f);
	uint64_t data = 0;
	char name[16];

	for (unsigned int i = 0; i < 1200; i++) {
		uint64_t size = i % 300 < ARRAY_SIZE(sizes) ? sizes[i % 300] :
							      fixture_random(18000);

		snprintf(name, sizeof(name), "%04u", i);
		make_file(dir, name, size, 0644);
		data += ALIGN_UP(size, (uint64_t)TREE_BLOCK);
	}
	assert_true(data < 64 * PKRAM_WINDOW);
	assert_int_equal(windows_given(f, 64 * PKRAM_WINDOW), data / PKRAM_WINDOW);
	assert_int_equal(windows_given(f, 0), 0);
	/* Windows with a part of what is not read early come later. */
	make_sparse(dir, "0500-sparse", 3 * MIB, 5);
	make_file(dir, "0700-large", TREE_KEEP_BYTES + 1, 0644);
	assert_in_range(windows_given(f, 64 * PKRAM_WINDOW), data / PKRAM_WINDOW - 6,
			data / PKRAM_WINDOW - 1);
	close(dir);
}

/*
 * A process that maps a file, stores at both ends and goes: on tmpfs that changes no time, but for
 * pages that it stores into before it reads them.
 */
static void store_mapped(int dir, const char *name)
{
	int fd = (int)must(openat(dir, name, O_RDWR));
	struct stat st;
	char *map;

	must(fstat(fd, &st));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	must(madvise(map, (size_t)st.st_size, MADV_POPULATE_READ));
	map[0] ^= 1;
	map[st.st_size - 1] ^= 1;
	munmap(map, (size_t)st.st_size);
	close(fd);
}

/* What the scan does not give is filled later; meanwhile somebody stores into @name, if any. */
static int save_in_parts(struct fixture *f, int dir, const char *name)
{
	const struct tree_scan_options o = { 0 };
	struct given g = { .room = 64 * PKRAM_WINDOW };
	const struct tree_sink sink = { .room = given_room, .put = given_put, .arg = &g };
	_cleanup_free_ uint8_t *parts = NULL, *whole = NULL;
	struct tree_image_info info;
	struct tree_image *img;
	bool live;
	int r;

	g.bytes = malloc(g.room);
	f->log[0] = '\0';
	assert_int_equal(tree_image_new(f->ctx, f->src, &o, &img), 0);
	assert_int_equal(tree_image_scan(img, &sink), 0);
	if (name)
		store_mapped(dir, name);
	tree_image_info(img, &info);
	parts = malloc(info.size);
	assert_int_equal(tree_image_fill(img, 0, info.meta_size, parts), 0);
	for (uint64_t off = info.meta_size, i = 0; off < info.size; off += PKRAM_WINDOW, i++) {
		size_t len = MIN(PKRAM_WINDOW, info.size - off);

		if (g.windows[i])
			memcpy(parts + off, g.bytes + i * PKRAM_WINDOW, PKRAM_WINDOW);
		else
			assert_int_equal(tree_image_fill(img, off, len, parts + off), 0);
	}
	assert_int_equal(img->n_files, 0);
	r = tree_image_finish(img, &live);
	tree_image_free(img);
	free(g.bytes);
	if (r < 0)
		return r;
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	whole = malloc(info.size);
	fill_image(f, img, PKRAM_WINDOW, 2, whole);
	assert_memory_equal(parts, whole, info.size);
	tree_image_free(img);
	return 0;
}

/* @n files of one block, or of none. */
static void make_blocks(int dir, const char *prefix, unsigned int n, bool empty)
{
	char name[16];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%03u", prefix, i);
		make_file(dir, name, empty ? 0 : 3000, 0644);
	}
}

/* One block of data, then a hole: its window comes later. */
static void make_later(int dir)
{
	int fd = (int)must(openat(dir, "0-holes", O_CREAT | O_EXCL | O_WRONLY, 0600));

	put_random(fd, 0, TREE_BLOCK);
	must(ftruncate(fd, MIB));
	close(fd);
}

static void is_of_one_moment(struct fixture *f, int dir, const char *name)
{
	char said[64];

	snprintf(said, sizeof(said), "%s changed while it was saved", name);
	assert_int_equal(save_in_parts(f, dir, NULL), 0);
	assert_int_equal(save_in_parts(f, dir, name), -EBUSY);
	if (!strstr(f->log, said))
		fail_msg("%s: %s", name, f->log);
	close(dir);
	assert_int_equal(run("rm -rf %s", f->src), 0);
}

static void parts_are_of_one_moment(void **state)
{
	struct fixture *f = *state;
	int dir = src_dir(f);

	/* Its last window is not whole. */
	make_file(dir, "end", 1500000, 0644);
	is_of_one_moment(f, dir, "end");

	/* Its first window comes later; one that is read while it is looked at. */
	dir = src_dir(f);
	make_later(dir);
	make_blocks(dir, "1", 254, false);
	make_file(dir, "2-small", TREE_LOOK_BYTES, 0644);
	make_blocks(dir, "3", 300, false);
	is_of_one_moment(f, dir, "2-small");

	/* The same, but its second window is only begun when it is closed. */
	dir = src_dir(f);
	make_later(dir);
	make_blocks(dir, "1", 510, true);
	make_file(dir, "2-large", 1500000, 0644);
	make_blocks(dir, "3", 300, false);
	is_of_one_moment(f, dir, "2-large");
}

static void parts_leave_no_file_open(void **state)
{
	struct fixture *f = *state;
	int dir = src_dir(f);
	char name[16];

	for (unsigned int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "%02u", i);
		if (i % 3)
			make_file(dir, name, 1700000, 0644);
		else
			make_sparse(dir, name, 3 * MIB, 5);
	}
	assert_int_equal(save_in_parts(f, dir, NULL), 0);
	close(dir);
}

/* What is stored into one between scan and fill is in all of it: none of it went early. */
static void large_files_go_whole(void **state)
{
	struct fixture *f = *state;
	int dir = src_dir(f);
	char name[16];

	/* The one of which an end comes later takes the other along. */
	make_later(dir);
	make_file(dir, "1", 3300000, 0644);
	make_file(dir, "2", 3300000, 0644);
	make_file(dir, "3", 3300000, 0644);
	make_sparse(dir, "4", 3 * MIB, 5);
	/* Of a small one, both ends. */
	make_file(dir, "5", 1900000, 0644);
	make_sparse(dir, "6", 3 * MIB, 5);
	for (unsigned int i = 1; i <= 5; i++) {
		snprintf(name, sizeof(name), "%u", i);
		if (i != 4)
			assert_int_equal(save_in_parts(f, dir, name), 0);
	}
	close(dir);
}

static void single_file(void **state)
{
	struct fixture *f = *state;
	struct tree_image_info info;
	struct tree_image *img;
	char path[128];
	int dir = src_dir(f);

	make_file(dir, "alone", 2500000, 0640);
	snprintf(path, sizeof(path), "%s/alone", f->src);
	img = make_image(f, path, PKRAM_WINDOW, &info);
	assert_true(info.single);
	assert_int_equal(info.files, 2);
	assert_string_equal(info.source, path);
	assert_null(info.mount_options);
	assert_int_equal(run("fsck.erofs %s >/dev/null", f->image), 0);
	mounted_equal(f, f->src);
	assert_int_equal(tree_source_check(f->ctx, path, info.fingerprint), 0);
	tree_image_free(img);
	close(dir);
}

static void few_descriptors_serve_any_depth(void **state)
{
	struct rlimit limit, few = { 100, 100 };
	struct fixture *f = *state;
	struct tree_image_info info;
	struct tree_image *img;
	int dir = src_dir(f);

	for (unsigned int i = 0; i < 3000; i++) {
		int next = make_dir(dir, "d");

		make_file(dir, "f", 10, 0644);
		close(make_dir(dir, "e"));
		close(dir);
		dir = next;
	}
	close(dir);
	must(getrlimit(RLIMIT_NOFILE, &limit));
	few.rlim_max = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &few));
	img = make_image(f, f->src, PKRAM_WINDOW, &info);
	must(setrlimit(RLIMIT_NOFILE, &limit));
	assert_int_equal(info.files, 3 * 3000 + 1);
	tree_image_free(img);
}

/* Wide enough for several slices of a batch. */
static void make_wide(struct fixture *f)
{
	int dir = src_dir(f);

	for (unsigned int i = 0; i < 3; i++) {
		int sub = make_dir(dir, (const char *[]){ "a", "b", "c" }[i]);
		char name[16];

		for (unsigned int j = 0; j < 700; j++) {
			snprintf(name, sizeof(name), j % 50 ? "f%u" : "d%u", j);
			if (j % 50)
				make_file(sub, name, j % 7 * 1000, 0644);
			else
				close(make_dir(sub, name));
		}
		close(sub);
	}
	close(dir);
}

static void threads_leave_no_trace(void **state)
{
	static const unsigned int threads[] = { 1, 2, 5 };
	struct tree_image_info info[ARRAY_SIZE(threads)];
	struct fixture *f = *state;

	make_wide(f);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pkram_set_threads(f->ctx, threads[i]);
		tree_image_free(make_image(f, f->src, PKRAM_WINDOW, &info[i]));
		assert_int_equal(info[i].files, 1 + 3 + 3 * 700);
		assert_int_equal(info[i].fingerprint, info[0].fingerprint);
		assert_int_equal(info[i].size, info[0].size);
		assert_int_equal(info[i].meta_size, info[0].meta_size);
	}
}

/* --- holes --- */

static bool is_hole(const struct tree_image *img, uint64_t nid, uint64_t off)
{
	struct erofs_inode *inode = tree_inode(img, nid);
	pkram_le32 *map = tree_emit_tail(img, nid);
	unsigned int bits = le32toh(inode->u.chunk_format) + EROFS_BLOCK_BITS;

	if (le16toh(inode->format) >> EROFS_FORMAT_LAYOUT_SHIFT != EROFS_CHUNK_BASED)
		return false;
	if (map[off >> bits] == htole32(EROFS_NULL_ADDR))
		return true;
	for (size_t i = 0; i < img->n_holes; i++)
		if (le64toh(img->holes[i].nid) == nid && off >= le64toh(img->holes[i].off) &&
		    off - le64toh(img->holes[i].off) < le64toh(img->holes[i].len))
			return true;
	return false;
}

static void hole_maps_are_exact(void **state)
{
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	struct tree_image *img = NULL;
	char path[128];
	int dir, fd;

	dir = src_dir(f);
	for (unsigned int round = 0; round < 30; round++) {
		uint64_t size = 1 + fixture_random(round % 2 ? 40000 : 4000000);
		unsigned int bits;

		make_sparse(dir, "holes", size, fixture_random(30));
		snprintf(path, sizeof(path), "%s/holes", f->src);
		if (scan_image(f->ctx, path, &o, &img) < 0)
			fail_msg("round %u: %s", round, f->log);
		fd = (int)must(openat(dir, "holes", O_RDONLY));
		bits = img->n_holes;
		for (uint64_t off = 0; off < size; off += TREE_BLOCK) {
			off_t data = lseek(fd, (off_t)off, SEEK_DATA);
			bool hole = data < 0 || (uint64_t)data >= off + TREE_BLOCK;

			if (is_hole(img, img->sources[1].nid, off) != hole)
				fail_msg("round %u: block at %llu of %llu, %u holes", round,
					 (unsigned long long)off, (unsigned long long)size, bits);
		}
		for (size_t i = 1; i < img->n_holes; i++)
			assert_true(le64toh(img->holes[i].off) - le64toh(img->holes[i - 1].off) >
				    le64toh(img->holes[i - 1].len));
		close(fd);
		must(unlinkat(dir, "holes", 0));
		img = tree_image_free(img);
	}
	close(dir);
}

/* --- what cannot be carried --- */

static void losses_are_refused(void **state)
{
	static char huge[65536];
	static const char *const names[] = { "trusted.huge", "trusted.pkram.flags" };
	struct fixture *f = *state;
	int dir = src_dir(f), fd;

	make_file(dir, "file", 10, 0644);
	fd = (int)must(openat(dir, "file", O_RDONLY));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct tree_scan_options o = { 0 };
		struct tree_image *img = NULL;

		if (fsetxattr(fd, names[i], huge, i ? 4 : sizeof(huge), 0) < 0)
			skip();
		f->log[0] = '\0';
		assert_int_equal(scan_image(f->ctx, f->src, &o, &img), -EOPNOTSUPP);
		assert_non_null(strstr(f->log, names[i]));
		o.allow_lossy = true;
		assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
		tree_image_free(img);
		must(fremovexattr(fd, names[i]));
	}
	close(fd);
	close(dir);
}

static void inode_flags_have_an_xattr(void **state)
{
	const struct tree_scan_options o = { 0 };
	struct fixture *f = *state;
	struct tree_image *img = NULL;
	unsigned int flags = FS_NODUMP_FL | FS_NOATIME_FL;
	struct erofs_xattr_entry *e;
	pkram_le32 value;
	char path[128];
	int dir = src_dir(f), fd;

	make_file(dir, "file", 10, 0644);
	fd = (int)must(openat(dir, "file", O_RDONLY));
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		skip();
	snprintf(path, sizeof(path), "%s/file", f->src);
	assert_int_equal(scan_image(f->ctx, path, &o, &img), 0);
	e = (void *)((uint8_t *)(tree_inode(img, img->sources[1].nid) + 1) +
		     sizeof(struct erofs_xattr_header));
	assert_int_equal(e->name_index, EROFS_XATTR_TRUSTED);
	assert_int_equal(e->name_len, strlen(EROFS_PKRAM_FLAGS_NAME));
	assert_memory_equal(e + 1, EROFS_PKRAM_FLAGS_NAME, e->name_len);
	memcpy(&value, (uint8_t *)(e + 1) + e->name_len, 4);
	assert_int_equal(le32toh(value), flags);
	tree_image_free(img);
	close(fd);
	close(dir);
}

/* --- mounts --- */

/* In a process with its own mounts; 77: not possible here. */
static int scan_mounts(struct fixture *f)
{
	struct tree_scan_options o = { 0 };
	struct tree_image *img = NULL;
	struct tree_image_info info;
	char below[128];
	int dir;

	snprintf(below, sizeof(below), "%s/below", f->src);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", f->src, "tmpfs", MS_NOSUID | MS_NODEV, "size=8m,nr_inodes=100") < 0)
		return 77;
	must(mkdir(below, 0755));
	must(mount("none", below, "tmpfs", 0, "size=1m"));
	dir = (int)must(open(below, O_RDONLY));
	make_file(dir, "inside", 10, 0644);
	close(dir);
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	tree_image_info(img, &info);
	assert_int_equal(info.files, 2);
	assert_string_equal(info.fs_type, "tmpfs");
	assert_non_null(strstr(info.mount_options, "rw,nosuid,nodev,"));
	assert_non_null(strstr(info.mount_options, "size=8192k,nr_inodes=100"));
	assert_non_null(strstr(f->log, "is another mount"));
	assert_int_equal(tree_source_check(f->ctx, f->src, info.fingerprint), 0);
	tree_image_free(img);
	o.cross_mounts = true;
	assert_int_equal(scan_image(f->ctx, f->src, &o, &img), 0);
	tree_image_info(img, &info);
	assert_int_equal(info.files, 3);
	assert_int_equal(tree_source_check(f->ctx, f->src, info.fingerprint), 0);
	tree_image_free(img);
	return 0;
}

static void other_mounts_are_left_out(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	must(mkdir(f->src, 0755));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		_exit(scan_mounts(f));
	}
	wait_child(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_type_is_carried, setup, teardown),
		cmocka_unit_test_setup_teardown(any_cut_gives_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_come_early, setup, teardown),
		cmocka_unit_test_setup_teardown(parts_are_of_one_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(parts_leave_no_file_open, setup, teardown),
		cmocka_unit_test_setup_teardown(large_files_go_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(single_file, setup, teardown),
		cmocka_unit_test_setup_teardown(few_descriptors_serve_any_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_leave_no_trace, setup, teardown),
		cmocka_unit_test_setup_teardown(hole_maps_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(inode_flags_have_an_xattr, setup, teardown),
		cmocka_unit_test_setup_teardown(other_mounts_are_left_out, setup, teardown),
	};

	return cmocka_run_group_tests_name("tree-save", tests, NULL, NULL);
}
